"""The study of trained backbones: costs from the files of the workflow, differences, and what is told of them."""

from dataclasses import replace

import numpy as np
import pytest

from smec import studies
from smec.errors import SmecError
from smec.files import write_json
from smec.method import Stage
from smec.reporting.studies.full_parameter import render
from smec.studies.base import StudyRun
from smec.studies.full_parameter import COLUMNS, analyse, encoding_file
from tests.scored import BACKBONE, job_of

QUERIES = np.linspace(0.3, 0.6, 12)
SETTINGS = {
    "kind": "full_parameter",
    "title": "The backbone itself",
    "baseline": "adaptor",
    "rows": {"frozen": "truncation", "adaptor": "smec", "all parameters": "finetune"},
}
SCORES = {
    "truncation": {16: [QUERIES], 4: [QUERIES - 0.1]},
    "smec": {16: [QUERIES + 0.1, QUERIES + 0.1], 4: [QUERIES, QUERIES]},
    "finetune": {16: [QUERIES + 0.1], 4: [QUERIES + 0.2]},
}


@pytest.fixture
def job(tmp_path):
    """Two stages of an adaptor with two seeds, and one trained backbone."""
    made = job_of(tmp_path, studies.parse(SETTINGS), {"docs": SCORES}, width=16)
    place, stages = f"docs/{BACKBONE}", {"truncation": ("all",), "smec": ("dim8", "dim4"), "finetune": ("all",)}
    known = {}
    for run, names in stages.items():
        known[run] = StudyRun(run, run, {}, made.known[run].seeds, {place: f"runs/{place}/{run}"}, {place: names})
        for seed in known[run].seeds:
            for number, name in enumerate(names):
                folder = tmp_path / "runs" / place / run / f"seed{seed}" / name
                record = {"wall_clock_seconds": 10.0 * (1 + seed), "peak_memory_bytes": 1000 + number}
                record |= {"loss": [1.0]} if run != "truncation" else {}
                record |= {"trained_parameters": 5000, "peak_gpu_bytes": 9000} if run == "finetune" else {}
                write_json(folder / "record.json", record)
                Stage(run, {"weight": np.zeros((8, 16), np.float32)}, {8: "weight"}).save(
                    folder / "compressor.safetensors"
                )
    for role, seconds in (("corpus", 30), ("queries", 12)):
        path = tmp_path / encoding_file("docs", BACKBONE, "finetune", 0, role)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\n{seconds}.5\t0:00:30\n")
    return replace(made, known=known)


def row(frame, label, size):
    (found,) = frame[(frame["row"] == label) & (frame["size"] == size)].to_dict("records")
    return found


def test_costs_and_differences_by_hand(job):
    frame = analyse(job)
    assert list(frame.columns) == list(COLUMNS) and len(frame) == 6
    adaptor, trained, frozen = (row(frame, label, 4) for label in ("adaptor", "all parameters", "frozen"))
    assert adaptor["training_seconds"] == pytest.approx((20 + 40) / 2), "both stages, mean over seeds"
    assert (adaptor["peak_bytes"], adaptor["trained_parameters"], adaptor["encoding_seconds"]) == (1001, 256, 0)
    assert (trained["training_seconds"], trained["encoding_seconds"]) == (10, 43)
    assert (trained["peak_bytes"], trained["trained_parameters"]) == (9000, 5000)
    assert frozen["trained_parameters"] == 0
    assert trained["difference"] == pytest.approx(0.2) and frozen["difference"] == pytest.approx(-0.1)
    assert np.isnan(adaptor["difference"])


def test_the_table_and_the_finding(job):
    rendered = render(analyse(job), job.settings)
    cells = rendered.table.loc["all parameters"]
    assert cells["4"] == "0.650†" and cells["16"] == "0.550"
    assert (cells["training, s"], cells["encoding anew, s"], cells["trained numbers"]) == ("10", "43", "5,000")
    assert rendered.table.loc["adaptor"]["encoding anew, s"] == "none"
    (finding,) = rendered.findings
    assert "all parameters is +0.100 from adaptor on the mean of all sizes" in finding
    assert "1.8 times the time" in finding and "9.0 times the peak memory" in finding
    assert rendered.numbers["docs.minilm.all_parameters.encoding_seconds"] == 43
    left, right = rendered.figure.axes
    assert len(left.get_lines()) == len(right.get_lines()) == 3


def test_an_encoding_without_a_time_is_told(job):
    (job.results / encoding_file("docs", BACKBONE, "finetune", 0, "corpus")).write_text("nothing\n")
    with pytest.raises(SmecError, match=r"corpus\.tsv is not the benchmark of an encoding"):
        analyse(job)


def test_the_baseline_has_to_be_a_row():
    with pytest.raises(SmecError, match=r"the baseline 'adapter' is none of the rows. Did you mean 'adaptor'\?"):
        studies.parse(SETTINGS | {"baseline": "adapter"})
