"""Bytes against quality, on fitted runs with all their files: what is scored, what is calibrated on, what is told."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from smec import studies
from smec.analysis import quantisation
from smec.datasets import reading
from smec.errors import SmecError
from smec.jobs import evaluate
from smec.reporting.studies.bytes import render
from smec.reporting.studies.bytes_figure import on_front
from smec.studies.base import StudyExperiment, StudyJob, StudyRun
from smec.studies.bytes import EQUAL, UNCOMPRESSED, analyse
from tests.fitting import fit_run, options_of
from tests.workbench import BACKBONE, WIDTH

SIZES = (32, 16, 4)
SEEDS = {"pca": (0,), "mrl": (0, 1)}
PLAIN = {"kind": "bytes", "title": "Bytes", "methods": ["pca", "mrl"], "candidates": 20}
PLACE = "toy/own"


def settings_of(**changes):
    return studies.parse(PLAIN | changes)


@pytest.fixture(scope="module")
def job(workbench, tmp_path_factory):
    """A job on the workbench, whose files lie as the workflow lays them."""
    results = tmp_path_factory.mktemp("results")
    for path, target in (("data/toy", workbench.data), (f"embeddings/{PLACE}", workbench.embeddings)):
        (results / path).parent.mkdir(parents=True, exist_ok=True)
        (results / path).symlink_to(target)
    (results / "negatives/toy").mkdir(parents=True)
    (results / f"negatives/{PLACE}.safetensors").symlink_to(workbench.negatives)
    experiment = StudyExperiment("toy", "own", SIZES, WIDTH, BACKBONE)
    known = {
        run: StudyRun(run, run, options_of(run).model_dump(), seeds, {PLACE: f"runs/{PLACE}/{run}"}, {PLACE: ("all",)})
        for run, seeds in SEEDS.items()
    }
    found = StudyJob(settings_of(), (experiment,), (0, 1), known, results=results)
    data = found.training_data(experiment)
    for run, seeds in SEEDS.items():
        for seed in seeds:
            (fitted,) = fit_run(run, data, SIZES, seed)
            stage = results / f"runs/{PLACE}/{run}/seed{seed}/all/compressor.safetensors"
            fitted.stage.save(stage)
            spec = {"method": run, "backbone": BACKBONE, "sizes": SIZES, "block_rows": 64}
            output = results / f"metrics/{PLACE}/{run}/seed{seed}.parquet"
            evaluate.run(spec, workbench.data, workbench.embeddings, [stage], output)
    return found


@pytest.fixture(scope="module")
def frame(job):
    return analyse(job)


def row(frame, run, dim, name):
    (found,) = frame[(frame["run"] == run) & (frame["dim"] == dim) & (frame["format"] == name)].to_dict("records")
    return found


def test_every_setting_once(frame):
    assert len(frame) == 1 + 2 * 3 * 6
    assert not frame.duplicated(["run", "dim", "format"]).any()
    assert (frame["low"] <= frame["mean"]).all() and (frame["mean"] <= frame["high"]).all()


@pytest.mark.parametrize("run", SEEDS)
@pytest.mark.parametrize("size", SIZES)
def test_float32_is_what_evaluate_stored(job, frame, run, size):
    stored = [
        pq.read_table(job.results / f"metrics/{PLACE}/{run}/seed{seed}.parquet").to_pandas() for seed in SEEDS[run]
    ]
    told = pd.concat(stored).query("metric == 'ndcg@10' and dim == @size")["value"].mean()
    assert row(frame, run, size, "float32")["mean"] == pytest.approx(told, abs=EQUAL)


def test_the_uncompressed_backbone_is_a_rotation_at_full_width(frame):
    full = row(frame, UNCOMPRESSED, WIDTH, "float32")
    assert full["mean"] == pytest.approx(row(frame, "pca", WIDTH, "float32")["mean"])
    assert full["share"] == 1 and np.isnan(full["p_holm"])
    assert row(frame, "pca", WIDTH, "float32")["p"] == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("float32", [128, 64, 16]),
        ("float16", [64, 32, 8]),
        ("int8", [32, 16, 4]),
        ("binary", [4, 2, 1]),
        ("binary_bits", [4, 2, 1]),
        ("binary_floats", [4, 2, 1]),
    ],
)
def test_bytes_by_hand(frame, name, expected):
    rows = [row(frame, "mrl", size, name) for size in SIZES]
    assert [one["bytes"] for one in rows] == expected
    assert [one["disk_bytes"] for one in rows] == ([128, 64, 16] if name == "binary_floats" else [0, 0, 0])


def test_rescoring_every_document_by_floats_is_float32(job, frame):
    settings = settings_of(methods=["mrl"], formats=["float32", "binary_floats"], candidates=500)
    everything = analyse(replace(job, settings=settings))
    for size in SIZES:
        found, wanted = row(everything, "mrl", size, "binary_floats"), row(frame, "mrl", size, "float32")
        assert found["mean"] == pytest.approx(wanted["mean"], abs=1e-3)  # compressed in other blocks: last bits differ
    assert row(frame, "mrl", 4, "binary_floats")["mean"] < row(frame, "mrl", 4, "float32")["mean"]


def test_formats_are_calibrated_on_training_vectors_alone(job, monkeypatch):
    seen = []
    medians, ranges = quantisation.Binary.calibrated, quantisation.ScalarQuantizer.__init__

    def of_bits(documents, queries, threshold):
        seen.extend([documents, queries])
        return medians(documents, queries, threshold)

    def of_numbers(self, kind, calibration):
        seen.append(calibration)
        ranges(self, kind, calibration)

    monkeypatch.setattr(quantisation.Binary, "calibrated", staticmethod(of_bits))
    monkeypatch.setattr(quantisation.ScalarQuantizer, "__init__", of_numbers)
    analyse(replace(job, settings=settings_of(methods=["pca"])))
    (experiment,) = job.experiments
    compressor, test = job.compressors(experiment, "pca", 0).corpus, job.test_set(experiment)
    data = job.results / "data/toy"
    relevant = test.corpus.gather(np.unique(reading.judgements(data, "test").corpus_rows))
    trained = test.corpus.gather(np.unique(reading.judgements(data, "train").corpus_rows))
    assert len(seen) == 4 * len(SIZES)
    for calibration in seen:
        size = calibration.shape[1]
        for unseen in (test.queries, relevant):
            distances = np.abs(calibration[:, None] - compressor.transform(unseen, size)[None]).max(axis=2)
            assert distances.min() > 1e-6
    documents = [calibration for calibration in seen if len(calibration) == len(trained)]
    assert any(np.allclose(one, compressor.transform(trained, one.shape[1]), atol=1e-6) for one in documents)


def test_scores_of_another_compressor_are_refused(job, tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    for name in ("data", "embeddings", "negatives", "runs"):
        (results / name).symlink_to(job.results / name)
    path = results / f"metrics/{PLACE}/pca/seed0.parquet"
    path.parent.mkdir(parents=True)
    table = pq.read_table(job.results / f"metrics/{PLACE}/pca/seed0.parquet")
    values = np.asarray(table["value"]) * 0.9
    pq.write_table(table.set_column(3, "value", [values]), path)
    with pytest.raises(SmecError, match=r"pca at 32 dimensions on toy.*Evaluate"):
        analyse(replace(job, results=results, settings=settings_of(methods=["pca"])))


FULL = {(UNCOMPRESSED, "float32"): (32, 0, 1.0, 1.0)}
CHOICES = FULL | {
    ("smec", "int8"): (8, 0, 1.02, 1.005),
    ("smec", "float16"): (16, 0, 1.01, 1.0),
    ("smec", "binary_bits"): (1, 0, 0.995, 0.97),
    ("pca", "int8"): (4, 0, 1.0, 0.98),
    ("smec", "binary_floats"): (1, 32, 1.03, 1.01),
    ("pca", "binary"): (1, 0, 0.6, 0.5),
}


def frame_of(cases):
    plain = {"dataset": "docs", "backbone": "minilm", "n_seeds": 1, "n_queries": 9, "p": 0.5, "p_holm": 0.5}
    return pd.DataFrame(
        [
            plain
            | {"run": run, "dim": 8, "format": name, "bytes": small, "disk_bytes": disk, "mean": kept / 2}
            | {"low": low / 2, "high": kept / 2, "share": kept, "share_low": low, "share_high": kept}
            for (run, name), (small, disk, kept, low) in cases.items()
        ]
    )


def test_the_smallest_that_keeps_enough_is_told():
    rendered = render(frame_of(CHOICES), settings_of())
    caption, numbers = rendered.full_caption, rendered.numbers
    assert "keep at least 99 % are those of smec with 8 dimensions, binary, rescored by bits: 1 byte instead" in caption
    assert "keep at least 100 % are those of pca with 8 dimensions, int8: 4 bytes instead of 32 (8 times" in caption
    assert "99 % with their whole interval and 100 % with their whole interval are those of smec" in caption
    assert "among 6 settings" in caption
    assert "and 32 bytes on disk" in caption
    assert numbers["docs.minilm.keeps_99.bytes"] == 1
    assert numbers["docs.minilm.keeps_100.run"] == "pca"
    assert numbers["docs.minilm.keeps_99_with_their_whole_interval.bytes"] == 8


def test_when_nothing_keeps_enough_that_is_told():
    rendered = render(frame_of(FULL | {("pca", "binary"): (1, 0, 0.6, 0.5)}), settings_of())
    assert (
        "keep at least 99 %, 99 % with their whole interval, 100 % and 100 % with their whole" in rendered.full_caption
    )
    assert "interval are none" in rendered.full_caption
    assert not [name for name in rendered.numbers if "keeps" in name]


def test_table_is_the_front_by_bytes_and_the_uncompressed_backbone():
    rendered = render(frame_of(CHOICES), settings_of())
    table = rendered.table
    assert table["bytes"].tolist() == ["1", "4", "8", "32"]
    assert table["format"].tolist() == ["binary, rescored by bits", "int8", "int8", "float32"]
    assert table["kept"].iloc[0] == "99.5 % [97.0, 99.5]"
    assert table["smaller by"].iloc[1] == "8"
    assert "docs.minilm.pca.8.binary.mean" in rendered.numbers, "what is off the front can still be quoted"


def test_figure_has_every_format_and_run(frame):
    figure = render(frame, settings_of()).figure
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names[:2] == ["pca", "mrl"]
    assert {"int8", "binary", "Pareto front", UNCOMPRESSED, "front with floats on disk"} <= set(names)
    (panel,) = figure.axes
    assert panel.get_xscale() == "log"
    assert [label.get_text() for label in panel.get_xticklabels()] == ["4", "16", "64"]


def test_several_datasets_get_a_panel_each(frame):
    both = pd.concat([frame, frame.assign(dataset="other")])
    rendered = render(both, settings_of())
    assert [panel.get_title() for panel in rendered.figure.axes] == ["toy", "other"]
    assert "other: The smallest" in rendered.full_caption
    front = int(on_front(frame).sum())
    assert rendered.table["dataset"].tolist() == ["other"] * (front + 1) + ["toy"] * (front + 1)
