"""Fitting a whole run of a method in memory or through its files, as the workflow does it."""

import numpy as np

from smec.compressors import method_named
from smec.method import FitJob, Stage, stage_names

SIZES = (32, 16, 8, 4)
QUICK = {
    "epochs": 3,
    "batch_size": 24,
    "hard_negatives": 4,
    "learning_rate": 1e-2,
    "hidden": 16,
    "memory_size": 64,
    "random_negatives": 20,
}


def options_of(name, **own):
    """The options of a method, small where it has such an option."""
    model = method_named(name).Options
    return model(**{key: value for key, value in QUICK.items() if key in model.model_fields} | own)


def stage_sizes(name, sizes, width):
    """The size of each job of a run, None where one job serves all."""
    names = stage_names(method_named(name).schedule, sizes, width)
    return [None if stage == "all" else int(stage.removeprefix("dim")) for stage in names]


def fit_run(name, data, sizes=SIZES, seed=0, folder=None, **own):
    """Fit all stages; with `folder`, each reads the one before from its file, and only that file exists."""
    method, options, fitted, previous = method_named(name), options_of(name, **own), [], None
    for size in stage_sizes(name, sizes, data.width):
        job = FitJob(data=data, sizes=sizes, size=size, options=options, seed=seed, previous=previous)
        fitted.append(method.fit(job))
        if method.schedule == "chain":
            previous = fitted[-1].stage if folder is None else through_file(fitted[-1].stage, folder)
    return fitted


def through_file(stage, folder):
    path = folder / "compressor.safetensors"
    stage.save(path)
    loaded = Stage.load(path)
    path.unlink()
    return loaded


def compressors_of(name, fitted):
    """What compresses queries and what compresses documents."""
    return method_named(name).compressors([one.stage for one in fitted])


def compressor_of(name, fitted):
    """What compresses the vectors of both sides."""
    both = compressors_of(name, fitted)
    assert both.are_one
    return both.corpus


def stage_bytes(fitted, folder):
    """The bytes of every stage file of a run."""
    found = []
    for number, one in enumerate(fitted):
        path = folder / f"{number}.safetensors"
        one.stage.save(path)
        found.append(path.read_bytes())
    return found


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T
