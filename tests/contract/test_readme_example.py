"""The README keeps its word: the example method works, the commands run, the YAML is valid."""

import importlib
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

import smec.compressors
from smec import config, datasets
from smec.cli import app
from smec.compressors import method_named, method_names
from smec.method import Method, Stage
from smec.settings import Settings
from tests.conftest import planted
from tests.fitting import SIZES, compressor_of, fit_run

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAME = "top_variance"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands():
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("smec ")]


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The example as a module of the package, as if it lay in its folder."""
    (code,) = (block for block in blocks("python") if "METHOD = " in block)
    (tmp_path / f"{NAME}.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(smec.compressors, "__path__", [*smec.compressors.__path__, str(tmp_path)])
    method_names.cache_clear()
    importlib.invalidate_caches()
    yield method_named(NAME)
    sys.modules.pop(f"smec.compressors.{NAME}", None)
    vars(smec.compressors).pop(NAME, None)
    method_names.cache_clear()


def test_the_example_is_named_as_its_file_and_describes_its_options(example):
    assert f"`smec/compressors/{NAME}.py`" in README
    assert isinstance(example, Method) and example.name == NAME
    assert issubclass(example.Options, Settings)
    assert all(field.description for field in example.Options.model_fields.values())


def test_the_example_fits_saves_loads_and_compresses(example, tmp_path):
    data = planted()
    (fitted,) = fit_run(NAME, data)
    path = tmp_path / "compressor.safetensors"
    fitted.stage.save(path)
    served = example.compressors([Stage.load(path)]).corpus
    assert served.sizes == SIZES
    for size in SIZES:
        outputs = served.transform(data.documents, size)
        assert outputs.shape == (len(data.documents), size) and outputs.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(outputs, axis=1), 1, atol=1e-5)
        assert np.array_equal(outputs, compressor_of(NAME, [fitted]).transform(data.documents, size))


@pytest.mark.parametrize("center", [True, False])
def test_the_example_does_what_it_says(example, center):
    data = planted()
    origin = data.documents.mean(axis=0) if center else 0
    spread = ((data.documents - origin) ** 2).mean(axis=0)
    (fitted,) = fit_run(NAME, data, center=center)
    assert fitted.record["kept_dimensions"] == np.argsort(-spread, kind="stable").tolist()
    kept = fitted.record["kept_dimensions"][:4]
    expected = data.documents[:, kept] / np.linalg.norm(data.documents[:, kept], axis=1, keepdims=True)
    outputs = compressor_of(NAME, [fitted]).transform(data.documents, 4)
    np.testing.assert_allclose(outputs, expected, atol=1e-6)


def merged(base, overlay):
    """Mappings are merged and all else is replaced, as `--configfile` does."""
    both = base.keys() & overlay.keys()
    inner = {key: merged(base[key], overlay[key]) for key in both if isinstance(overlay[key], dict) and base[key]}
    return {**base, **overlay, **inner}


@pytest.mark.parametrize("overlay", [yaml.safe_load(block) for block in blocks("yaml")], ids=lambda o: "-".join(o))
def test_each_overlay_is_valid_on_the_shipped_configuration(overlay, example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for settings in overlay.get("datasets", {}).values():
        for _, value in datasets.parse(settings):
            if isinstance(value, Path):
                (tmp_path / value).mkdir(parents=True)
    (tmp_path / "config").symlink_to(ROOT / "config")  # the architecture of the CLIP that the default trains
    shipped = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    loaded = config.load(merged(shipped, overlay))
    for experiment in overlay.get("experiments", []):
        assert loaded.experiment(experiment["dataset"], experiment["backbone"])


def test_there_is_an_overlay_for_each_way_to_bring_data():
    kinds = {
        settings["kind"]
        for block in blocks("yaml")
        for key in ("datasets", "backbones")
        for settings in yaml.safe_load(block).get(key, {}).values()
    }
    text = {"arrays", "beir", "beir_folder", "precomputed", "sentence_transformer"}
    assert kinds == text | {"image_folder", "open_clip"}


def test_the_verbs_and_flags_exist():
    verbs = typer.main.get_command(app).commands
    assert {verb for verb, *_ in commands()} == {"fit", "compress"}
    for verb, *arguments in commands():
        known = {flag for parameter in verbs[verb].params for flag in parameter.opts}
        assert {argument for argument in arguments if argument.startswith("--")} <= known
    mentioned = set(re.findall(r"`smec ([a-z]+)", README))
    assert mentioned <= verbs.keys()
    known = {flag for parameter in verbs["fit"].params for flag in parameter.opts}
    assert {"--corpus-ids", "--query-ids", "--method", "--set", "--size"} <= known


def test_the_commands_run_one_after_the_other_and_so_does_their_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    corpus = rng.normal(size=(150, 192)).astype(np.float32)
    np.save("corpus.npy", corpus)
    np.save("queries.npy", corpus[:60] + 0.5 * rng.normal(size=(60, 192)).astype(np.float32))
    lines = ["query-id\tcorpus-id\tscore", *(f"{row}\t{row}\t1" for row in range(60))]
    Path("qrels.tsv").write_text("\n".join(lines) + "\n")
    for command in commands():
        own = ["--set", "epochs=1"] if command[0] == "fit" else []
        outcome = CliRunner().invoke(app, [*command, *own], catch_exceptions=False)
        assert outcome.exit_code == 0, outcome.output
    compressed = np.load("corpus-96.npy")
    assert compressed.shape == (150, 96) and np.load("queries-96.npy").dtype == np.float16
    (usage,) = (block for block in blocks("python") if "open_compressor" in block)
    names = {}
    exec(usage, names)
    np.testing.assert_allclose(names["small"], compressed, atol=1e-5)


def test_the_plain_commands_stand_beside_the_short_ones():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target, plain in (("run", "snakemake --cores all"), ("test", "pytest")):
        row = next(line for line in README.splitlines() if line.startswith(f"| `make {target}`"))
        assert f"`{plain}`" in row
        assert re.search(rf"^{target}:.*\n(\t.*\n)*?\t{re.escape(plain)}", makefile, flags=re.MULTILINE)
    assert '`pip install -e ".[dev]"`' in README
