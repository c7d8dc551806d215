"""Training on vectors that lie in a file: the same bytes in little memory, and no file afterwards."""

import errno
import gc
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from smec import row_blocks
from smec.errors import SmecError
from smec.jobs import mine, train
from smec.joint_data import join
from smec.label_subset import label_subset
from smec.row_blocks import lies_in_file
from smec.scratch import Room
from smec.training import Trainer
from smec.training_data import collect
from tests.unit.test_scratch import failing, mapped
from tests.workbench import BACKBONE

IN_FILES = {"memory_mb": 0, "folder": None}
STAGES = [
    ("smec_plus", 16, {"epochs": 6, "distillation": 1.0, "pull_back": True}),
    ("smec", 16, {"selection": "contribution"}),
    ("smec", 16, {"selection": "variance", "memory_size": 0}),
    ("mrl", None, {"selection": "ads"}),
    ("matryoshka_adaptor", None, {}),
    ("search_adaptor", 16, {}),
    ("dive", None, {}),
    ("pca", None, {"center": True}),
    ("whitening", None, {}),
    ("learned_whitening", None, {}),
]


@pytest.fixture
def blocks(monkeypatch):
    """Blocks so small that the planted documents are many of them."""
    monkeypatch.setattr(row_blocks, "MOST_ROWS", 30)


def fit(bench, folder, method, size=None, previous=None, vectors=None, sources=1, **own):
    output = folder / "compressor.safetensors"
    spec = bench.spec(method, size, **own)
    spec |= {} if vectors is None else {"vectors": vectors}
    train.run(spec, [bench.source] * sources, previous, output)
    return output


@pytest.mark.parametrize(("method", "size", "own"), STAGES)
def test_a_stage_is_the_same_byte_for_byte(workbench, tmp_path, blocks, method, size, own):
    files = [
        fit(workbench, tmp_path / name, method, size, vectors=vectors, **own)
        for name, vectors in (("memory", None), ("file", IN_FILES))
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert sorted(path.name for path in files[1].parent.iterdir()) == ["compressor.safetensors", "record.json"]


def test_a_later_stage_and_several_datasets_are_the_same_byte_for_byte(workbench, tmp_path, blocks):
    """The later stage has a teacher and rotates its outputs; the set that is joined has every document twice."""
    first = fit(workbench, tmp_path / "first", "smec_plus", 16, distillation=1.0)
    own = {"distillation": 1.0, "rotation": "pca", "refit_share": 0.5, "sources": 2}
    later = [
        fit(workbench, tmp_path / name, "smec_plus", 8, first, vectors, **own).read_bytes()
        for name, vectors in (("memory", None), ("file", IN_FILES))
    ]
    assert later[0] == later[1]


def test_one_block_is_what_was_trained_on_before_there_were_blocks(workbench, tmp_path, monkeypatch):
    whole = fit(workbench, tmp_path / "whole", "smec", 16).read_bytes()
    monkeypatch.setattr(row_blocks, "MOST_ROWS", 160)
    assert fit(workbench, tmp_path / "one", "smec", 16).read_bytes() == whole


def in_files(data, folder):
    """The same training data, its vectors in files."""
    split = len(data.queries)
    queries = np.concatenate([data.queries, data.validation_queries])
    training, validation = data.positives, data.validation
    return collect(
        Rows(queries),
        Rows(data.documents),
        training,
        replace(validation, query_rows=validation.query_rows + split),
        data.hard_negatives,
        data.validation_negatives,
        max_documents=1000,
        room=Room(0, folder),
    )


class Rows:
    def __init__(self, vectors):
        self.vectors = vectors

    def __len__(self):
        return len(self.vectors)

    def gather(self, rows):
        return self.vectors[rows]


def test_what_is_made_of_data_in_files_lies_in_files(planted_data, tmp_path, blocks):
    filed = in_files(planted_data, tmp_path)
    for made in ("merged", "halved", "joined"):
        expected, found = (
            {
                "merged": lambda data=data: data.merged(),
                "halved": lambda data=data: label_subset(data, 0.5, 0),
                "joined": lambda data=data, room=room: join([data, data], room),
            }[made]()
            for data, room in ((planted_data, None), (filed, Room(0, tmp_path)))
        )
        for name in ("queries", "documents", "validation_queries"):
            assert lies_in_file(getattr(found, name)), (made, name)
            assert np.array_equal(getattr(found, name), getattr(expected, name)), (made, name)
    sample, expected = (data.labelled_sample(80) for data in (filed, planted_data))
    assert np.array_equal(sample.validation_queries, expected.validation_queries)
    assert np.array_equal(sample.axes, expected.axes)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux says which files are mapped")
def test_the_files_have_no_name_while_it_trains_and_are_gone_after_a_fault(workbench, tmp_path, monkeypatch):
    seen = []

    def dies(self, number):
        seen.append((list(tmp_path.rglob("*")), len(mapped(tmp_path))))
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_train_epoch", dies)
    try:
        fit(workbench, tmp_path, "smec", 16, vectors=IN_FILES)
    except KeyboardInterrupt as error:
        error.__traceback__ = None  # which holds the arrays, as nothing does when the process ends
    gc.collect()
    assert seen == [([], 3)], "three arrays, and nothing that a kill could leave"
    assert mapped(tmp_path) == [] and list(tmp_path.rglob("*")) == []


def test_another_folder_may_be_named(workbench, tmp_path):
    named = IN_FILES | {"folder": str(tmp_path / "scratch")}
    fit(workbench, tmp_path / "run", "pca", vectors=named)
    assert (tmp_path / "scratch").is_dir() and list((tmp_path / "scratch").iterdir()) == []


def test_a_full_disk_ends_the_job_before_it_trains(workbench, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", failing(errno.ENOSPC))
    with pytest.raises(SmecError, match=r"disk is full: .*training vectors.*`training_vectors.memory_mb`"):
        fit(workbench, tmp_path / "run", "smec", 16, vectors=IN_FILES)
    assert not list((tmp_path / "run").glob("*"))


def test_a_checkpoint_outlives_a_change_of_where_vectors_lie(workbench, tmp_path):
    names = [
        train._checkpoint(workbench.spec("smec", 16) | vectors, [workbench.source], None, tmp_path / "x").name
        for vectors in ({}, {"vectors": IN_FILES})
    ]
    assert names[0] == names[1]


def test_queries_may_be_mined_in_parts(workbench, tmp_path, monkeypatch):
    monkeypatch.setattr(mine, "QUERY_BYTES", 7 * 4 * 32)
    mine.run({"backbone": BACKBONE, "count": 6, "block_rows": 64}, **workbench.inputs(), output=tmp_path / "mined")
    whole, parts = load_file(workbench.negatives), load_file(tmp_path / "mined")
    assert all(np.array_equal(whole[split], parts[split]) for split in ("train", "validation"))


PEAK = """
import json, sys
from pathlib import Path

import numpy as np

from smec import basis, row_blocks
from smec.compressors import method_named
from smec.judgements import Judgements
from smec.method import FitJob
from smec.scratch import Room
from smec.training_data import collect

row_blocks.BLOCK_BYTES, basis.BLOCK_ROWS = 2 << 20, 2048
WIDTH, QUERIES = 256, 40


class Drawn:
    def __init__(self, count):
        self.count = count
        self.parts = np.random.default_rng(0).normal(size=(2, 1000, WIDTH)).astype(np.float32)

    def __len__(self):
        return self.count

    def gather(self, rows):
        drawn = self.parts[0][rows % 1000] + self.parts[1][rows // 1000 % 1000]
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def told(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1000 for line in lines if line.startswith(name))


def fit(documents, room):
    halves = [np.arange(QUERIES // 2), np.arange(QUERIES // 2, QUERIES)]
    judged = [Judgements.from_triples(rows, rows * 7, np.ones(len(rows))) for rows in halves]
    mined = [(rows[:, None] * 7 + np.arange(1, 7)) for rows in halves]
    data = collect(Drawn(QUERIES), Drawn(documents), *judged, *mined, max_documents=documents, room=room)
    method = method_named("smec_plus")
    options = method.Options(epochs=2, batch_size=10, random_negatives=50, memory_size=64)
    method.fit(FitJob(data, (WIDTH, 32), 32, options, seed=0))


folder, memory_mb = Path(sys.argv[1]), float(sys.argv[2])
fit(1000, Room(0, folder))
start = told("VmRSS")
fit(120_000, Room(memory_mb * 1e6, folder))
print(json.dumps({"start": start, "peak": told("VmHWM")}))
"""
VECTORS_MB = 122
ALLOWED_MB = 100


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of the memory")
@pytest.mark.parametrize("memory_mb", [1000, 10])
def test_the_memory_of_training_does_not_grow_with_its_vectors(tmp_path, memory_mb):
    """120,000 documents of 256 dimensions: 122 MB. A first, small fit loads what every fit needs."""
    command = [sys.executable, "-c", PEAK, str(tmp_path), str(memory_mb)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    grown = told["peak"] - told["start"]
    assert (grown > VECTORS_MB) if memory_mb > VECTORS_MB else (grown < ALLOWED_MB)
    assert list(tmp_path.iterdir()) == []
