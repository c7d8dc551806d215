"""`smec fit`: from files to stages, going on where it stopped, and what is refused before any work."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from smec.cli import app
from smec.compressors import method_named
from smec.errors import SmecError
from smec.fitted import open_compressor, stage_files
from smec.jobs import fit, train
from smec.jobs.fit import Request, parsed_options, parsed_sizes, resolved_sizes
from tests.conftest import unit

WIDTH = 16


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors")
    rng = np.random.default_rng(0)
    corpus = rng.normal(size=(120, WIDTH)).astype(np.float32)
    queries = corpus[:80] + 0.3 * rng.normal(size=(80, WIDTH)).astype(np.float32)
    np.save(folder / "corpus.npy", 3 * corpus)
    np.save(folder / "queries.npy", queries)
    lines = ["query-id\tcorpus-id\tscore", *(f"{row}\t{row}\t1" for row in range(80))]
    (folder / "qrels.tsv").write_text("\n".join(lines) + "\n")
    return {"corpus": folder / "corpus.npy", "queries": folder / "queries.npy", "qrels": folder / "qrels.tsv"}


def request(files, **changes):
    options = changes.pop("options", ("epochs=2", "batch_size=16", "random_negatives=8"))
    return Request(**{**files, "method": "smec_plus", "size": 4, "options": options, **changes})


def test_a_chain_is_fitted_down_to_the_size(files, tmp_path):
    stages = fit.run(request(files), tmp_path / "fit")
    assert [stage.parent.name for stage in stages] == ["dim8", "dim4"]
    assert stages == stage_files(tmp_path / "fit")
    compressor = open_compressor(tmp_path / "fit")
    assert compressor.sizes == (8, 4)
    found = compressor.transform(unit(np.load(files["corpus"])), 4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    record = json.loads(stages[0].with_name("record.json").read_text())
    assert record["spec"]["options"]["epochs"] == 2 and record["spec"]["backbone"]["dim"] == WIDTH


@pytest.mark.parametrize(("method", "stages"), [("pca", ["all"]), ("search_adaptor", ["dim4"])])
def test_other_schedules(files, tmp_path, method, stages):
    options = ("epochs=1", "batch_size=16") if method == "search_adaptor" else ()
    found = fit.run(request(files, method=method, options=options), tmp_path)
    assert [stage.parent.name for stage in found] == stages
    assert 4 in open_compressor(tmp_path).sizes


def test_a_stopped_fit_goes_on_and_gives_the_same_bytes(files, tmp_path, monkeypatch):
    whole = fit.run(request(files), tmp_path / "whole")
    fitted = []

    def stopping(spec, *others):
        if spec["size"] == 4 and len(fitted) == 1:
            raise KeyboardInterrupt
        fitted.append(spec["size"])
        original(spec, *others)

    original = train.run
    monkeypatch.setattr(train, "run", stopping)
    with pytest.raises(KeyboardInterrupt):
        fit.run(request(files), tmp_path / "stopped")
    fitted.append("again")
    resumed = fit.run(request(files), tmp_path / "stopped")
    assert fitted == [8, "again", 4]
    assert [stage.read_bytes() for stage in resumed] == [stage.read_bytes() for stage in whole]


def test_a_folder_of_another_fit_is_refused(files, tmp_path):
    pca = request(files, method="pca", options=())
    fit.run(pca, tmp_path)
    with pytest.raises(SmecError, match="other settings or other files: sizes, seed differ"):
        fit.run(request(files, method="pca", options=(), size=None, sizes=(5,), seed=1), tmp_path)
    with pytest.raises(SmecError, match=r"dataset differ.*Give another --output"):
        fit.run(request(files | {"queries": files["corpus"]}, method="pca", options=()), tmp_path)
    fit.run(pca, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "smec_pluss"}, "Did you mean 'smec_plus'"),
        ({"options": ("epoch=3",)}, r"`--set` for smec_plus.*Did you mean 'epochs'"),
        ({"options": ("epochs=none",)}, r"epochs: .*\(given: 'none'\)"),
        ({"options": ("epochs",)}, "not of the form key=value"),
        ({"size": None}, "Say how small"),
        ({"sizes": (8,)}, "Say how small"),
        ({"size": None, "sizes": (4, 8)}, "4, 8 do not fit"),
        ({"size": 17}, "17 do not fit vectors of 16"),
        ({"size": 16}, "needs a size below the 16"),
        ({"size": 0}, "lie between 1 and 16"),
    ],
)
def test_faults_are_told_before_anything_is_written(files, tmp_path, changes, message):
    with pytest.raises(SmecError, match=message):
        fit.run(request(files, **changes), tmp_path / "fit")
    assert not (tmp_path / "fit").exists()


@pytest.mark.parametrize("role", ["corpus", "queries", "qrels"])
def test_a_missing_file_is_named(files, tmp_path, role):
    with pytest.raises(SmecError, match=f"missing_{role}.npy does not exist"):
        fit.run(request(files | {role: tmp_path / f"missing_{role}.npy"}), tmp_path / "fit")
    assert not (tmp_path / "fit").exists()


def test_halving_ends_at_the_size():
    smec, adaptor = method_named("smec"), method_named("search_adaptor")
    assert resolved_sizes(smec, 384, 96, ()) == [192, 96]
    assert resolved_sizes(smec, 384, 100, ()) == [192, 100]
    assert resolved_sizes(smec, 384, 192, ()) == [192]
    assert resolved_sizes(smec, 7, 1, ()) == [3, 1]
    assert resolved_sizes(adaptor, 384, 96, ()) == [96]
    assert resolved_sizes(smec, 384, None, (384, 50)) == [384, 50]


def test_texts_of_options_and_sizes():
    assert parsed_options(["a=1e-3", "b=null", "c=infonce", "d=x=y", "e=true"]) == {
        "a": 1e-3,
        "b": None,
        "c": "infonce",
        "d": "x=y",
        "e": True,
    }
    assert parsed_sizes("384, 96") == (384, 96) and parsed_sizes("") == ()
    with pytest.raises(SmecError, match="whole numbers"):
        parsed_sizes("384,half")


def test_command_line_prints_where_the_stages_are(files, tmp_path):
    paths = [argument for key in files for argument in (f"--{key}", str(files[key]))]
    outcome = CliRunner().invoke(app, ["fit", *paths, "--method", "pca", "--sizes", "8,4", "--output", str(tmp_path)])
    assert outcome.exit_code == 0, outcome.output
    assert outcome.stdout.split() == [str(tmp_path / "all/compressor.safetensors")]


def test_command_line_fits_a_map_for_each_side_and_compresses_by_either(files, tmp_path):
    """The documents have the dimensions of the queries in reverse, which the map of either side alone cannot undo."""
    np.save(tmp_path / "turned.npy", np.load(files["corpus"])[:, ::-1])
    paths = [
        "--corpus",
        str(tmp_path / "turned.npy"),
        "--queries",
        str(files["queries"]),
        "--qrels",
        str(files["qrels"]),
    ]
    learned = ["maps=per_side", "basis=identity", "path=null", "learning_rate=0.01", "epochs=60", "batch_size=16"]
    chosen = [part for option in learned for part in ("--set", option)]
    outcome = CliRunner().invoke(app, ["fit", *paths, "--size", "8", *chosen, "--output", str(tmp_path / "fit")])
    assert outcome.exit_code == 0, outcome.output
    small = {}
    for side, source in (("query", files["queries"]), ("corpus", tmp_path / "turned.npy")):
        place = ["--input", str(source), "--output", str(tmp_path / f"{side}-8.npy")]
        told = CliRunner().invoke(
            app, ["compress", "--compressor", str(tmp_path / "fit"), "--size", "8", *place, "--side", side]
        )
        assert told.exit_code == 0, told.output
        small[side] = np.load(tmp_path / f"{side}-8.npy")
    best = (small["query"] @ small["corpus"].T).argmax(axis=1)
    assert (best == np.arange(80)).mean() > 0.8


def test_the_same_command_works_once_the_fault_is_repaired(files, tmp_path):
    vectors = np.load(files["corpus"])
    broken = vectors.copy()
    broken[7] = np.nan
    np.save(tmp_path / "corpus.npy", broken)
    asked = request(files | {"corpus": tmp_path / "corpus.npy"}, method="pca", options=())
    with pytest.raises(SmecError, match="NaN"):
        fit.run(asked, tmp_path / "fit")
    assert not (tmp_path / "fit/fit.json").exists()
    np.save(tmp_path / "corpus.npy", vectors)
    assert fit.run(asked, tmp_path / "fit")[0].exists()


def test_too_few_queries_to_choose_can_be_followed(files, tmp_path):
    asked = request(files, method="pca", options=(), validation_fraction=1e-9)
    with pytest.raises(SmecError, match=r"'validation' .* is empty.*`--validation-fraction`"):
        fit.run(asked, tmp_path)
    fit.run(request(files, method="pca", options=(), validation_fraction=0.3), tmp_path)
    queries = json.loads((tmp_path / "data/manifest.json").read_text())["counts"]["queries"]
    assert queries["test"] == 0 and queries["train"] + queries["validation"] == 80 and queries["validation"] > 12


def test_what_trains_and_what_chooses_is_said(files, tmp_path, caplog):
    with caplog.at_level("INFO"):
        fit.run(request(files, method="pca", options=()), tmp_path)
    assert "0 are held out (test)" in caplog.text


def test_stages_of_two_versions_do_not_mix(files, tmp_path, monkeypatch):
    asked = request(files, method="pca", options=())
    fit.run(asked, tmp_path)
    monkeypatch.setattr(fit, "source_hash", lambda *_: "another")
    with pytest.raises(SmecError, match="smec differ from"):
        fit.run(asked, tmp_path)


def test_a_missing_file_names_the_option(files, tmp_path):
    with pytest.raises(SmecError, match=r"nope\.npy does not exist\. Correct `--corpus`\."):
        fit.run(request(files | {"corpus": tmp_path / "nope.npy"}), tmp_path / "fit")
    with pytest.raises(SmecError, match=r"Correct `--query-ids`\."):
        fit.run(request(files, query_ids=tmp_path / "ids.txt"), tmp_path / "fit")


@pytest.mark.parametrize("option", [("--seed", "-1"), ("--validation-fraction", "1.5")])
def test_options_out_of_range(files, tmp_path, option):
    paths = [argument for key in files for argument in (f"--{key}", str(files[key]))]
    outcome = CliRunner().invoke(app, ["fit", *paths, "--size", "4", "--output", str(tmp_path / "fit"), *option])
    assert outcome.exit_code != 0 and not (tmp_path / "fit").exists()
    assert outcome.exit_code == 2 or "validation_fraction" in str(outcome.exception)
