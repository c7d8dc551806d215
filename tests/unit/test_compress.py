"""`smec compress`: the same vectors as the compressor gives, whatever the blocks; whole files or none."""

import errno
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from smec.cli import app
from smec.errors import SmecError
from smec.fitted import open_compressor
from smec.jobs import compress
from smec.linear import LinearCompressor
from smec.method import Stage
from smec.sides import Sides, named_tensors
from tests.conftest import unit

WIDTH = 384


def matrix(rows, width, seed):
    return np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)


@pytest.fixture
def fitted(tmp_path):
    for size, seed in ((12, 1), (6, 2)):
        Stage("smec", {"weight": matrix(size, WIDTH, seed)}, {size: "weight"}).save(
            tmp_path / f"fit/dim{size}/compressor.safetensors"
        )
    return tmp_path / "fit"


@pytest.fixture
def vectors(tmp_path):
    def saved(rows, dtype=np.float32):
        np.save(tmp_path / "vectors.npy", (7 * matrix(rows, WIDTH, 3)).astype(dtype))
        return tmp_path / "vectors.npy"

    return saved


@pytest.mark.parametrize("rows", [1, 2, compress.TILE_ROWS, compress.TILE_ROWS + 1])
@pytest.mark.parametrize("size", [12, 6])
def test_equals_the_compressor(fitted, vectors, tmp_path, rows, size):
    source = vectors(rows)
    compress.run(fitted, size, source, tmp_path / "small.npy")
    found = np.load(tmp_path / "small.npy")
    assert found.dtype == np.float32 and found.shape == (rows, size)
    weight = matrix(size, WIDTH, {12: 1, 6: 2}[size])
    expected = LinearCompressor({size: weight}, {size: np.zeros(size, np.float32)}).transform(
        unit(np.load(source)), size
    )
    # The rounding of a sum over the width, which unit length enlarges in the few rows that come out short.
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("block_rows", [1, 5000, 8192, 100_000])
def test_block_size_does_not_matter(fitted, vectors, tmp_path, block_rows):
    source = vectors(10_000)
    compress.run(fitted, 6, source, tmp_path / "whole.npy")
    compress.run(fitted, 6, source, tmp_path / "blocks.npy", block_rows=block_rows)
    assert (tmp_path / "whole.npy").read_bytes() == (tmp_path / "blocks.npy").read_bytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int8])
def test_input_of_other_number_formats(fitted, vectors, tmp_path, dtype):
    source = vectors(30, dtype)
    compress.run(fitted, 6, source, tmp_path / "small.npy")
    expected = open_compressor(fitted).transform(unit(np.load(source).astype(np.float64)), 6)
    np.testing.assert_allclose(np.load(tmp_path / "small.npy"), expected, atol=1e-6)


def test_float16_is_the_rounded_float32(fitted, vectors, tmp_path):
    source = vectors(50)
    compress.run(fitted, 6, source, tmp_path / "wide.npy")
    compress.run(fitted, 6, source, tmp_path / "half.npy", dtype="float16")
    assert np.array_equal(np.load(tmp_path / "half.npy"), np.load(tmp_path / "wide.npy").astype(np.float16))


def test_one_stage_file_serves_its_own_size(fitted, vectors, tmp_path):
    stage = fitted / "dim6/compressor.safetensors"
    compress.run(stage, 6, vectors(5), tmp_path / "small.npy")
    with pytest.raises(SmecError, match="not fitted for 12 dimensions; it has 6"):
        compress.run(stage, 12, vectors(5), tmp_path / "small.npy")


@pytest.mark.parametrize(
    ("fault", "told"), [(np.nan, "NaN or infinite"), (np.inf, "NaN or infinite"), (0, "all zeros")]
)
def test_an_unusable_row_is_named_and_nothing_is_left(fitted, vectors, tmp_path, fault, told):
    source = vectors(2000)
    rows = np.load(source)
    rows[1234] = fault
    np.save(source, rows)
    with pytest.raises(SmecError, match=rf"'row 1234' for .*vectors.npy.*{told}"):
        compress.run(fitted, 6, source, tmp_path / "out/small.npy", block_rows=500)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kept", [0, 50, 500, -1])
def test_a_truncated_file_is_refused(fitted, vectors, tmp_path, kept):
    source = vectors(100)
    source.write_bytes(source.read_bytes()[:kept])
    with pytest.raises(SmecError, match=r"vectors.npy is not a readable npy file"):
        compress.run(fitted, 6, source, tmp_path / "small.npy")
    assert not (tmp_path / "small.npy").exists()


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.ones(WIDTH), r"of shape \(384,\)"),
        (np.ones((0, WIDTH)), r"of shape \(0, 384\)"),
        (np.full((2, WIDTH), "a"), "holds <U1"),
        (np.ones((2, WIDTH), complex), "holds complex128"),
        (np.ones((2, 5)), "have 5 dimensions and the compressor reads 384"),
    ],
)
def test_arrays_of_other_shapes_are_refused(fitted, tmp_path, array, told):
    np.save(tmp_path / "odd.npy", array)
    with pytest.raises(SmecError, match=told):
        compress.run(fitted, 6, tmp_path / "odd.npy", tmp_path / "small.npy")


def test_paths_that_cannot_be_meant(fitted, vectors, tmp_path):
    source = vectors(3)
    with pytest.raises(SmecError, match="is the input"):
        compress.run(fitted, 6, source, source)
    with pytest.raises(SmecError, match=r"must end in \.npy"):
        compress.run(fitted, 6, source, tmp_path / "small.bin")
    with pytest.raises(SmecError, match=r"nothing\.npy does not exist"):
        compress.run(fitted, 6, tmp_path / "nothing.npy", tmp_path / "small.npy")
    with pytest.raises(SmecError, match="holds no fitted compressor"):
        compress.run(tmp_path, 6, source, tmp_path / "small.npy")


def test_stages_of_two_methods_are_refused(fitted, vectors, tmp_path):
    Stage("mrl", {"weight": matrix(3, WIDTH, 1)}, {3: "weight"}).save(fitted / "dim3/compressor.safetensors")
    with pytest.raises(SmecError, match="different methods: mrl, smec"):
        compress.run(fitted, 6, vectors(3), tmp_path / "small.npy")


def test_an_interruption_leaves_the_old_file(fitted, vectors, tmp_path, monkeypatch):
    target = tmp_path / "out/small.npy"
    compress.run(fitted, 6, vectors(10), target)
    before = target.read_bytes()
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    original = compress.compressed
    monkeypatch.setattr(compress, "compressed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compress.run(fitted, 6, vectors(10_000), target, block_rows=1)
    assert list(target.parent.iterdir()) == [target] and target.read_bytes() == before


def test_a_full_disk_is_told_and_nothing_is_left(fitted, vectors, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(compress, "_write", full)
    with pytest.raises(SmecError, match=r"disk is full while writing .*small.npy.*free some space"):
        compress.run(fitted, 6, vectors(10), tmp_path / "small.npy")
    assert not [path for path in tmp_path.iterdir() if "small" in path.name]


def test_a_killed_process_leaves_nothing(fitted, tmp_path):
    with (tmp_path / "large.npy").open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (40_000, WIDTH)})
        stream.write(np.ones((40_000, WIDTH), np.float32).data)
    out = tmp_path / "out"
    out.mkdir()
    small_blocks = "from smec.jobs import compress; compress.BLOCK_BYTES = 1 << 21"
    program = f"{small_blocks}; from smec.__main__ import main; main()"
    arguments = [
        "--compressor",
        fitted,
        "--size",
        "6",
        "--input",
        tmp_path / "large.npy",
        "--output",
        out / "small.npy",
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", program, "compress", *map(str, arguments)],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""},
    )
    limit = time.monotonic() + 60
    while not any(path.stat().st_size > 40_000 for path in out.iterdir()) and time.monotonic() < limit:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    assert list(out.iterdir()) == []


def test_command_line(fitted, vectors, tmp_path):
    arguments = ["compress", "--compressor", str(fitted), "--size", "6", "--input", str(vectors(4)), "--output"]
    outcome = CliRunner().invoke(app, [*arguments, str(tmp_path / "small.npy"), "--dtype", "float16"])
    assert outcome.exit_code == 0, outcome.output
    assert outcome.stdout.strip() == str(tmp_path / "small.npy")
    assert np.load(tmp_path / "small.npy").dtype == np.float16
    refused = CliRunner().invoke(app, [*arguments, str(tmp_path / "other.npy"), "--dtype", "float8"])
    assert isinstance(refused.exception, SmecError) and "Did you mean" in str(refused.exception)


@pytest.mark.parametrize("scale", [1e200, 1e-200, 1e308])
def test_rows_of_extreme_length_keep_their_direction(fitted, vectors, tmp_path, scale):
    source = vectors(20, np.float64)
    rows = np.load(source)
    compress.run(fitted, 6, source, tmp_path / "plain.npy")
    rows[3] *= scale / np.abs(rows[3]).max()
    np.save(source, rows)
    compress.run(fitted, 6, source, tmp_path / "small.npy")
    np.testing.assert_allclose(np.load(tmp_path / "small.npy"), np.load(tmp_path / "plain.npy"), atol=1e-6)


def test_a_row_that_compression_leaves_empty_is_named(tmp_path):
    first = np.eye(2, WIDTH, dtype=np.float32)
    Stage("smec", {"weight": first}, {2: "weight"}).save(tmp_path / "fit/dim2/compressor.safetensors")
    rows = matrix(9, WIDTH, 1)
    rows[4, :2] = 0
    np.save(tmp_path / "rows.npy", rows)
    with pytest.raises(SmecError, match=r"'row 4' for .*compressed to 2 dimensions, is all zeros"):
        compress.run(tmp_path / "fit", 2, tmp_path / "rows.npy", tmp_path / "out/small.npy")
    assert list((tmp_path / "out").iterdir()) == []


def test_parquet_is_not_promised(fitted, tmp_path):
    (tmp_path / "x.parquet").touch()
    with pytest.raises(SmecError, match=r"x\.parquet` is not \.npy, the only form that compress reads"):
        compress.run(fitted, 6, tmp_path / "x.parquet", tmp_path / "small.npy")


@pytest.fixture
def two_sided(tmp_path):
    maps = Sides(matrix(6, WIDTH, 1), matrix(6, WIDTH, 2))
    Stage("smec", named_tensors("weight6", maps), {6: "weight6"}).save(tmp_path / "fit/dim6/compressor.safetensors")
    return tmp_path / "fit", maps


def test_a_compressor_of_two_sides_has_to_be_told_whose_vectors_they_are(two_sided, vectors, tmp_path):
    folder, maps = two_sided
    source = vectors(20)
    arguments = ["compress", "--compressor", str(folder), "--size", "6", "--input", str(source), "--output"]
    for side, weight in (("query", maps.queries), ("corpus", maps.corpus)):
        small = tmp_path / f"{side}.npy"
        outcome = CliRunner().invoke(app, [*arguments, str(small), "--side", side], catch_exceptions=False)
        assert outcome.exit_code == 0, outcome.output
        np.testing.assert_allclose(np.load(small), unit(unit(np.load(source)) @ weight.T), atol=1e-5)
    for own, told in (
        ([], r"queries and documents have a map each.*`--side query` or `--side corpus`"),
        (["--side", "corpsu"], r"`--side corpsu` is unknown\. Did you mean 'corpus'\?"),
    ):
        outcome = CliRunner().invoke(app, [*arguments, str(tmp_path / "none.npy"), *own])
        assert isinstance(outcome.exception, SmecError) and re.search(told, str(outcome.exception))
        assert not (tmp_path / "none.npy").exists()


def test_for_a_compressor_of_one_map_the_side_makes_no_difference(fitted, vectors, tmp_path):
    source = vectors(20)
    for name, side in (("none", None), ("query", "query"), ("corpus", "corpus")):
        compress.run(fitted, 6, source, tmp_path / f"{name}.npy", side=side)
    assert len({(tmp_path / f"{name}.npy").read_bytes() for name in ("none", "query", "corpus")}) == 1
