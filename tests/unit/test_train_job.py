"""A training job: files that are whole or absent, a record that tells what happened, a kill that costs nothing."""

import json
import logging

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from smec import training
from smec.datasets import reading
from smec.errors import SmecError
from smec.jobs import train
from smec.method import Stage
from smec.training import Trainer


def fit(bench, folder, method, size=None, previous=None, **own):
    output = folder / "compressor.safetensors"
    train.run(bench.spec(method, size, **own), [bench.source], previous, output)
    return output


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_mined_negatives_are_never_relevant(workbench):
    mined = load_file(workbench.negatives)
    for split in ("train", "validation"):
        positives = reading.judgements(workbench.data, split).positives()
        assert mined[split].shape == (len(positives), 6) and (mined[split] >= 0).all()
        for row, found in enumerate(mined[split]):
            relevant = positives.corpus_rows[positives.offsets[row] : positives.offsets[row + 1]]
            assert not set(found) & set(relevant)


def test_training_sees_no_test_query(workbench):
    data = train.training_data(workbench.data, workbench.embeddings, {"kind": "precomputed", "dim": 32},
                               workbench.negatives, 1000)  # fmt: skip
    counts = reading.manifest(workbench.data)["counts"]["queries"]
    assert (len(data.queries), len(data.validation_queries)) == (counts["train"], counts["validation"])
    assert counts["test"] > 0 and sum(counts.values()) == 120


def test_a_chain_from_file_to_file_with_its_records(workbench, tmp_path):
    first = fit(workbench, tmp_path / "dim16", "smec", 16)
    second = fit(workbench, tmp_path / "dim8", "smec", 8, previous=first)
    assert names(tmp_path / "dim16") == names(tmp_path / "dim8") == ["compressor.safetensors", "record.json"]
    assert Stage.load(second).outputs == {8: "weight8"}
    record = json.loads(second.with_name("record.json").read_text())
    assert record["spec"] == workbench.spec("smec", 8)
    assert len(record["loss"]) == 3 and len(record["validation_ndcg@10"]) == 4
    assert {"entropy", "changed"} == record["selection_per_epoch"][0].keys()
    assert record["wall_clock_seconds"] >= record["training_seconds"] > 0
    assert record["peak_memory_bytes"] > 1e7
    assert {"python", "numpy", "torch", "safetensors", "smec"} == record["versions"].keys()
    assert isinstance(record["warnings"], list)


def test_two_runs_are_equal_byte_for_byte(workbench, tmp_path):
    files = [fit(workbench, tmp_path / str(run), "smec_plus", 16).read_bytes() for run in range(2)]
    assert files[0] == files[1]


def test_warnings_reach_the_log_and_the_record(workbench, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        output = fit(workbench, tmp_path, "smec", 16, importance_start=0.0, importance_learning_rate=1e-6)
    (warning,) = json.loads(output.with_name("record.json").read_text())["warnings"]
    assert "never commits" in warning and f"smec, size 16, seed 0: {warning}" in caplog.text


def test_an_exploding_gradient_reaches_the_record(workbench, tmp_path, monkeypatch):
    norms = iter([1.0] * 8 + [1e6] + [1.0] * 100)
    real = training._gradient_norm
    monkeypatch.setattr(training, "_gradient_norm", lambda parameters: real(parameters) * 0 + next(norms))
    output = fit(workbench, tmp_path, "mrl", epochs=5)
    (warning,) = json.loads(output.with_name("record.json").read_text())["warnings"]
    assert "exploding gradient: norm 1e+06" in warning


def killed_at(monkeypatch, epoch):
    """Let Ctrl-C arrive when an epoch of that number begins, for the n-th time it does."""
    real, calls = Trainer._train_epoch, iter(range(1000))

    def dies(self, number):
        if next(calls) == epoch:
            raise KeyboardInterrupt
        real(self, number)

    monkeypatch.setattr(Trainer, "_train_epoch", dies)


@pytest.mark.parametrize("method", ["smec", "smec_plus", "mrl", "search_adaptor", "matryoshka_adaptor"])
def test_a_killed_stage_leaves_no_result_and_starts_again(workbench, tmp_path, monkeypatch, method):
    size = None if method in ("mrl", "matryoshka_adaptor") else 16
    expected = fit(workbench, tmp_path / "whole", method, size).read_bytes()
    with monkeypatch.context() as patched:
        killed_at(patched, epoch=1)
        with pytest.raises(KeyboardInterrupt):
            fit(workbench, tmp_path / "killed", method, size)
    assert not (tmp_path / "killed").exists() or names(tmp_path / "killed") == []
    assert fit(workbench, tmp_path / "killed", method, size).read_bytes() == expected


@pytest.mark.parametrize(
    ("epoch", "basis"),
    [(1, "pca"), (3, "pca"), (5, "pca"), (6, "pca"), (1, "learned_whitening"), (6, "learned_whitening")],
)
def test_a_killed_stage_goes_on_at_its_checkpoint(workbench, tmp_path, monkeypatch, epoch, basis):
    """With `refit_share` there are two fits, each with a checkpoint of its own: 4 epochs, then 3 longer ones."""
    own = {"epochs": 8, "refit_share": 0.5, "pull_back": True, "basis": basis}
    expected = fit(workbench, tmp_path / "whole", "smec", 16, **own).read_bytes()
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)
    with monkeypatch.context() as patched:
        killed_at(patched, epoch)
        with pytest.raises(KeyboardInterrupt):
            fit(workbench, tmp_path / "killed", "smec", 16, **own)
    (left,) = names(tmp_path / "killed")
    assert left.startswith("checkpoint-") and left.endswith("-refit.safetensors") == (epoch > 4)
    assert fit(workbench, tmp_path / "killed", "smec", 16, **own).read_bytes() == expected
    assert names(tmp_path / "killed") == ["compressor.safetensors", "record.json"]


def test_a_checkpoint_of_another_job_is_not_resumed(workbench, tmp_path, monkeypatch):
    expected = fit(workbench, tmp_path / "whole", "smec", 16, learning_rate=3e-3).read_bytes()
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)
    with monkeypatch.context() as patched:
        killed_at(patched, epoch=2)
        with pytest.raises(KeyboardInterrupt):
            fit(workbench, tmp_path / "changed", "smec", 16, learning_rate=1e-2)
    assert len(names(tmp_path / "changed")) == 1
    assert fit(workbench, tmp_path / "changed", "smec", 16, learning_rate=3e-3).read_bytes() == expected
    assert names(tmp_path / "changed") == ["compressor.safetensors", "record.json"]


def test_a_diverging_run_is_told_and_writes_nothing(workbench, tmp_path):
    with pytest.raises(SmecError, match=r"training loss became .* Lower `learning_rate`"):
        fit(workbench, tmp_path / "run", "mrl", learning_rate=1e30, epochs=4)
    assert not (tmp_path / "run").exists()


def test_negatives_of_another_dataset_are_refused(workbench, tmp_path):
    foreign = tmp_path / "foreign.safetensors"
    save_file({"train": np.zeros((3, 2), np.int64), "validation": np.zeros((1, 2), np.int64)}, foreign)
    with pytest.raises(SmecError, match="mine again"):
        source = train.Source(workbench.data, workbench.embeddings, foreign)
        train.run(workbench.spec("mrl"), [source], None, tmp_path / "x.safetensors")


def test_a_misspelt_option_is_told(workbench, tmp_path):
    spec = workbench.spec("mrl")
    spec["options"] |= {"epoch": 3}
    with pytest.raises(SmecError, match=r"The options of mrl is not valid.*Did you mean 'epochs'"):
        train.run(spec, [workbench.source], None, tmp_path / "x.safetensors")


def test_labels_and_several_datasets_reach_the_fit(workbench, tmp_path):
    files = {"all": fit(workbench, tmp_path / "all", "mrl")}
    few = workbench.spec("mrl") | {"labels": 0.2}
    files["few"] = tmp_path / "few" / "compressor.safetensors"
    train.run(few, [workbench.source], None, files["few"])
    files["twice"] = tmp_path / "twice" / "compressor.safetensors"
    train.run(workbench.spec("mrl"), [workbench.source, workbench.source], None, files["twice"])
    steps = {name: json.loads(file.with_name("record.json").read_text())["steps"] for name, file in files.items()}
    assert steps["few"] < steps["all"] < steps["twice"]
