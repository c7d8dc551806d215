"""What every method must keep to, whatever it does inside: run over the registry."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from smec.backbone_method import BackboneMethod
from smec.compressors import method_named, method_names
from smec.errors import SmecError
from smec.judgements import Judgements
from smec.method import Method, Stage
from smec.metrics import per_query
from smec.options import Budget
from smec.search import exact_topk
from smec.settings import Settings, validated
from tests.conftest import planted, unit
from tests.fitting import SIZES, compressor_of, fit_run, stage_bytes

ALL = method_names()
METHODS = [name for name in ALL if not isinstance(method_named(name), BackboneMethod)]
"""Those that start from vectors; the others train a model, see tests/unit/test_finetune.py."""
LEARNED = [name for name in METHODS if issubclass(method_named(name).Options, Budget)]
LEARN_FROM_VALIDATION = {"refit_share": 0.0, "pull_back": False, "shrinkage": 1.0}
"""Options that let validation queries into the fit, with values that do not."""


@cache
def fitted_run(name, seed=0):
    return fit_run(name, planted(), seed=seed)


def compressor(name):
    return compressor_of(name, fitted_run(name))


@pytest.mark.parametrize("name", ALL)
def test_declares_itself(name):
    method = method_named(name)
    assert isinstance(method, Method) and method.name == name
    assert method.schedule in ("chain", "per_size", "joint")


@pytest.mark.parametrize("name", ALL)
def test_options_are_closed_and_described(name):
    options = method_named(name).Options
    assert issubclass(options, Settings) and options.model_config["extra"] == "forbid"
    assert all(field.description for field in options.model_fields.values())
    assert validated(options, {}, "nothing given") == options(), "every option has a default"
    with pytest.raises(SmecError, match=r"unknown key 'epoch'"):
        validated(options, {"epoch": 3}, "options")


@pytest.mark.parametrize("name", METHODS)
def test_serves_every_size_with_unit_float32_rows(name, planted_data):
    fitted = compressor(name)
    assert fitted.sizes == SIZES
    for size in SIZES:
        outputs = fitted.transform(planted_data.validation_queries, size)
        assert outputs.shape == (len(planted_data.validation_queries), size) and outputs.dtype == np.float32
        assert np.linalg.norm(outputs, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_each_row_is_compressed_by_itself_and_stays_in_its_place(name, planted_data):
    fitted, vectors = compressor(name), planted_data.documents
    order = np.random.default_rng(0).permutation(len(vectors))
    for size in SIZES:
        outputs = fitted.transform(vectors, size)
        assert fitted.transform(vectors[order], size) == pytest.approx(outputs[order], abs=1e-5)
        assert fitted.transform(vectors[7:8], size) == pytest.approx(outputs[7:8], abs=1e-5)
        assert fitted.transform(vectors[:0], size).shape == (0, size)


@pytest.mark.parametrize("name", METHODS)
def test_transform_and_fit_leave_their_input_alone(name):
    data, untouched = planted(), planted()
    compressor_of(name, fit_run(name, data, sizes=(16, 4))).transform(data.documents, 4)
    for field in dataclasses.fields(data):
        given, kept = getattr(data, field.name), getattr(untouched, field.name)
        if isinstance(given, Judgements):
            given, kept = given.corpus_rows, kept.corpus_rows
        assert np.array_equal(given, kept), field.name


@pytest.mark.parametrize("name", METHODS)
def test_equal_seeds_give_equal_bytes_and_other_seeds_others(name, planted_data, tmp_path):
    first = stage_bytes(fitted_run(name), tmp_path)
    assert stage_bytes(fit_run(name, planted_data), tmp_path) == first
    differs = stage_bytes(fit_run(name, planted_data, seed=1), tmp_path) != first
    assert differs == method_named(name).seeded


IN_ANOTHER_PROCESS = """
import hashlib, pathlib, sys, tempfile
from tests.conftest import planted
from tests.fitting import fit_run, stage_bytes
folder = pathlib.Path(tempfile.mkdtemp(dir=sys.argv[1]))
for name in sys.argv[2:]:
    print(name, hashlib.sha256(b"".join(stage_bytes(fit_run(name, planted()), folder))).hexdigest())
"""


def test_another_process_gives_the_same_bytes(tmp_path):
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(tmp_path), *METHODS]
    told = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=True).stdout
    for name, digest in (line.split() for line in told.splitlines()):
        assert digest == hashlib.sha256(b"".join(stage_bytes(fitted_run(name), tmp_path))).hexdigest(), name


@pytest.mark.parametrize("name", METHODS)
def test_a_run_through_files_equals_one_in_memory(name, planted_data, tmp_path):
    """A stage reads the file of the stage before and no other, and a file keeps everything."""
    stored = fit_run(name, planted_data, folder=tmp_path)
    assert stage_bytes(stored, tmp_path) == stage_bytes(fitted_run(name), tmp_path)
    loaded = []
    for number, one in enumerate(stored):
        one.stage.save(tmp_path / f"{number}.safetensors")
        loaded.append(Stage.load(tmp_path / f"{number}.safetensors"))
    served = method_named(name).compressors(loaded).corpus
    for size in SIZES:
        expected = compressor(name).transform(planted_data.documents, size)
        assert np.array_equal(served.transform(planted_data.documents, size), expected)


@pytest.mark.parametrize("name", METHODS)
def test_a_size_or_width_that_it_was_not_fitted_for_is_refused(name, planted_data):
    with pytest.raises(SmecError, match=r"not fitted for 5 dimensions; it has \[32, 16, 8, 4\]"):
        compressor(name).transform(planted_data.documents, 5)
    with pytest.raises(SmecError, match=r"20 dimensions and the compressor reads 32"):
        compressor(name).transform(planted_data.documents[:, :20], 8)


@pytest.mark.parametrize("sizes", [(16, 4), (8,), (32, 31), (31, 1)], ids=str)
@pytest.mark.parametrize("name", METHODS)
def test_any_decreasing_sizes_will_do(name, sizes, planted_data):
    served = compressor_of(name, fit_run(name, planted_data, sizes=sizes)).sizes
    assert served == sizes


@pytest.mark.parametrize("name", METHODS)
def test_the_record_is_plain_json(name):
    for one in fitted_run(name):
        json.dumps(one.record, allow_nan=False)
        assert isinstance(one.record.get("warnings", []), list)


@pytest.mark.parametrize("name", METHODS)
def test_validation_queries_choose_but_are_not_learned_from(name, planted_data, tmp_path):
    """With the choices switched off, other validation queries change nothing. Test queries are not in the data."""
    fields = method_named(name).Options.model_fields
    switched_off = LEARN_FROM_VALIDATION | {"keep": "last"}
    own = {key: value for key, value in switched_off.items() if key in fields}
    rng = np.random.default_rng(5)
    other = dataclasses.replace(
        planted_data,
        validation_queries=unit(rng.normal(size=planted_data.validation_queries.shape)),
        validation_negatives=rng.permutation(planted_data.validation_negatives),
    )
    first, second = (stage_bytes(fit_run(name, data, **own), tmp_path) for data in (planted_data, other))
    assert first == second


def held_out_ndcg(fitted, data, size):
    queries, documents = (fitted.transform(x, size) for x in (data.validation_queries, data.documents))
    return per_query(data.validation, exact_topk(queries, documents, 10)[1])["ndcg@10"].mean()


@pytest.mark.parametrize("name", LEARNED)
def test_learns_the_planted_structure(name, planted_data):
    contrast = {"loss": "infonce", "temperature": 0.1, "contrast": "batch"}
    learned = compressor_of(name, fit_run(name, planted_data, sizes=(16, 8), epochs=20, **contrast))
    random = compressor_of("random", fit_run("random", planted_data, sizes=(16, 8)))
    for size in (16, 8):
        assert held_out_ndcg(learned, planted_data, size) > held_out_ndcg(random, planted_data, size) + 0.05
