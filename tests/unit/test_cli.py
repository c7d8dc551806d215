"""What a user meets at the command line: quick help, one-paragraph faults, exit statuses, a Ctrl-C that is clean."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest

from smec import __main__ as entry
from smec.errors import SmecError
from smec.jobs import fetch
from smec.method import Stage
from tests.workbench import BACKBONE

HEAVY = {"torch", "pandas", "transformers", "sentence_transformers", "matplotlib", "scipy", "faiss", "beir", "numpy"}
RUN_AND_LIST = """
import sys
from smec.__main__ import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print("LOADED", *sorted({name.split(".")[0] for name in sys.modules}))
"""


def smec(*arguments):
    command = [sys.executable, "-m", "smec", *map(str, arguments)]
    return subprocess.run(command, env=os.environ, capture_output=True, text=True)


def loaded_by(*arguments):
    command = [sys.executable, "-c", RUN_AND_LIST, *arguments]
    told = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    return set(told.stdout.split("LOADED")[1].split())


def in_process(monkeypatch, capsys, *arguments):
    """Run the entry point here; return its exit status and what it said on stderr."""
    monkeypatch.setattr(sys, "argv", ["smec", *map(str, arguments)])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as stopped:
        entry.main()
    told = capsys.readouterr().err
    if isinstance(stopped.value.code, str):
        return 1, stopped.value.code
    return stopped.value.code, told


def fails_with(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(fetch, "run", fail)


FETCH = ("fetch", "--spec", "{}", "--output", "here")


def test_help_loads_nothing_heavy():
    assert not HEAVY & loaded_by("--help")


@pytest.mark.parametrize(("method", "size"), [("smec_plus", 16), ("matryoshka_adaptor", None)])
def test_a_training_job_loads_no_encoder_and_no_plotting(workbench, tmp_path, method, size):
    output = tmp_path / "compressor.safetensors"
    loaded = loaded_by(*workbench.command(workbench.spec(method, size), output))
    assert output.exists() and "torch" in loaded
    assert not loaded & {"transformers", "sentence_transformers", "pandas", "matplotlib", "faiss", "beir", "sympy"}


def test_an_evaluation_of_a_linear_method_trains_nothing(workbench, tmp_path):
    stage = tmp_path / "compressor.safetensors"
    Stage("pca", {"weight": np.eye(8, 32, dtype=np.float32)}, {8: "weight", 4: "weight"}).save(stage)
    spec = {"method": "pca", "backbone": BACKBONE, "sizes": [8, 4], "block_rows": 64}
    paths = ("--data", workbench.data, "--embeddings", workbench.embeddings, "--output", tmp_path / "scores.parquet")
    loaded = loaded_by("evaluate", "--spec", json.dumps(spec), *map(str, paths), str(stage))
    assert not loaded & {"torch", "transformers", "matplotlib", "beir", "faiss"}
    assert set(pq.read_table(tmp_path / "scores.parquet")["dim"].to_pylist()) == {8, 4}


def test_usage_faults_print_as_usual_and_exit_2():
    for arguments in (("fetch",), ("fecth",), ("fetch", "--spce", "{}"), ()):
        told = smec(*arguments)
        assert told.returncode == 2
        assert "Usage: smec" in told.stderr + told.stdout
        assert "Traceback" not in told.stderr


def test_a_fault_of_the_input_is_one_paragraph_and_exit_1(tmp_path):
    spec = json.dumps({"dataset": {"kind": "pydoc"}})
    told = smec("fetch", "--spec", spec, "--output", tmp_path / "data")
    assert told.returncode == 1 and told.stdout == ""
    assert told.stderr == "error: The dataset kind 'pydoc' is unknown. Did you mean 'pydocs'?\n"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("spec", "what"), [("{'a': 1}", "--spec is not JSON"), ("[1]", "has to be a JSON object")])
def test_a_spec_that_cannot_be_read(monkeypatch, capsys, spec, what):
    status, told = in_process(monkeypatch, capsys, "fetch", "--spec", spec, "--output", "here")
    assert status == 1 and told.startswith("error: ") and what in told


def test_statuses_in_process(monkeypatch, capsys):
    fails_with(monkeypatch, SmecError("what is wrong, and what to do"))
    assert in_process(monkeypatch, capsys, *FETCH) == (1, "error: what is wrong, and what to do")
    fails_with(monkeypatch, KeyboardInterrupt())
    status, told = in_process(monkeypatch, capsys, *FETCH)
    assert status == 130 and told.splitlines()[-1].startswith("interrupted: complete files stay")
    assert "Traceback" not in told


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_paragraph(monkeypatch, capsys, number):
    fails_with(monkeypatch, OSError(number, os.strerror(number)))
    status, told = in_process(monkeypatch, capsys, *FETCH)
    assert status == 1 and told.startswith("error: The disk is full.") and "free some space" in told


def test_other_faults_of_the_system_keep_their_traceback(monkeypatch):
    fails_with(monkeypatch, OSError(errno.EIO, "Input/output error"))
    monkeypatch.setattr(sys, "argv", ["smec", *FETCH])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(OSError, match="Input/output"):
        entry.main()


def is_training(process):
    """Whether the process has loaded torch, which a training job does when all its inputs are read."""
    maps = Path(f"/proc/{process.pid}/maps")
    return maps.exists() and "libtorch_cpu" in maps.read_text()


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the job never began to train"
        time.sleep(0.05)


def processor_seconds(job):
    return sum(psutil.Process(job.pid).cpu_times()[:2])


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc to see when a job trains")
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_training_job_that_is_stopped_leaves_nothing_half_written(workbench, tmp_path, sent, status):
    output = tmp_path / "run" / "compressor.safetensors"
    spec = workbench.spec("smec", 16, epochs=10**6)
    # A shell starts its background jobs with SIGINT ignored, and whatever runs these tests may be one.
    listening = ["env", "--default-signal=INT"]
    command = [*listening, sys.executable, "-m", "smec", *workbench.command(spec, output)]
    with subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE, text=True, start_new_session=True) as job:
        try:
            wait_until(lambda: is_training(job))
            begun = processor_seconds(job)
            wait_until(lambda: processor_seconds(job) > begun + 1.0)  # not of the clock, which runs on a busy machine
            job.send_signal(sent)
            told = job.communicate(timeout=60)[1]
        finally:
            job.kill()
    assert job.returncode == status
    assert "Traceback" not in told and (sent != signal.SIGINT or told.count("interrupted:") == 1)
    assert not output.parent.exists() or list(output.parent.iterdir()) == []


def test_an_interruption_while_modules_load_is_one_line(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    loading = types.ModuleType("smec.cli")
    loading.__getattr__ = interrupted
    monkeypatch.setitem(sys.modules, "smec.cli", loading)
    status, told = in_process(monkeypatch, capsys, "--help")
    assert status == 130 and told.count("interrupted:") == 1


@pytest.mark.parametrize("verb", ["fetch", "embed", "mine", "train", "evaluate", "table"])
def test_a_missing_key_of_the_spec_is_named(monkeypatch, capsys, workbench, tmp_path, verb):
    folders = {"--data": workbench.data, "--embeddings": workbench.embeddings, "--negatives": tmp_path / "none"}
    taken = {"embed": 1, "mine": 2, "train": 3, "evaluate": 2}.get(verb, 0)
    options = [part for pair in list(folders.items())[:taken] for part in pair]
    files = [tmp_path / "file"] if verb in ("evaluate", "table") else []
    status, told = in_process(monkeypatch, capsys, verb, "--spec", "{}", *options, "--output", tmp_path / "x", *files)
    assert status == 1 and told.startswith("error: --spec lacks the key ") and told.count("\n") == 0
