"""`smec train`: fit one stage of one run."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smec.compressors import method_named
from smec.files import sha256_of_file, sha256_of_json, write_json
from smec.jobs.measured import peak_memory_bytes, versions
from smec.jobs.stores import open_stores
from smec.jobs.training_files import read_training_data, room_of
from smec.joint_data import join
from smec.label_subset import label_subset
from smec.method import FitJob, Stage
from smec.scratch import Room
from smec.settings import validated
from smec.source_hash import source_hash
from smec.training_data import TrainingData

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A dataset to train on.

    Attributes:
        data: folder of the dataset.
        embeddings: folder that holds the stores `queries` and `corpus`.
        negatives: mined negatives of its training and validation queries.
    """

    data: Path
    embeddings: Path
    negatives: Path


def run(spec: Mapping[str, Any], sources: Sequence[Source], previous: Path | None, output: Path) -> None:
    """Fit a stage and write `compressor.safetensors` and `record.json` to the folder of `output`.

    Args:
        spec: `method`, `backbone` settings, resolved `options`, `sizes`, `size` (None for all at once), `seed`,
            `max_documents` of each dataset, `labels`, the share of the labelled queries that may be used, and
            `vectors`, where those of training are put.
        sources: the datasets to train on; one, unless several are trained on together.
        previous: the stage file before this one in a chain.
        output: path of `compressor.safetensors`.
    """
    began = time.perf_counter()
    method = method_named(spec["method"])
    job = FitJob(
        data=_data(spec, sources, room_of(spec["vectors"], output.parent)),
        sizes=tuple(spec["sizes"]),
        size=spec["size"],
        options=validated(method.Options, spec["options"], f"The options of {spec['method']}"),
        seed=spec["seed"],
        previous=None if previous is None else Stage.load(previous),
        checkpoint=_checkpoint(spec, sources, previous, output),
    )
    fitted = method.fit(job)
    for warning in fitted.record.get("warnings", []):
        LOGGER.warning("%s, size %s, seed %s: %s", spec["method"], spec["size"], spec["seed"], warning)
    fitted.stage.save(output)
    record = {
        "spec": dict(spec),
        **fitted.record,
        "wall_clock_seconds": time.perf_counter() - began,
        "peak_memory_bytes": peak_memory_bytes(),
        "versions": versions("torch"),
    }
    write_json(output.with_name("record.json"), record)


def training_data(
    data: Path,
    embeddings: Path,
    backbone: Mapping[str, Any],
    negatives: Path,
    max_documents: int,
    room: Room | None = None,
) -> TrainingData:
    """Read what training may see from the files of the workflow; without `room` the vectors lie in memory."""
    queries, corpus = open_stores(data, embeddings, backbone)
    return read_training_data(data, negatives, queries, corpus, max_documents, room)


def _data(spec: Mapping[str, Any], sources: Sequence[Source], room: Room) -> TrainingData:
    """Return what the stage may see of all sources; nothing holds on to the parts, whose files go with them."""
    parts = [
        training_data(source.data, source.embeddings, spec["backbone"], source.negatives, spec["max_documents"], room)
        for source in sources
    ]
    return label_subset(join(parts, room), spec["labels"], spec["seed"])


def _checkpoint(spec: Mapping[str, Any], sources: Sequence[Source], previous: Path | None, output: Path) -> Path:
    """Name the checkpoint after all that the stage depends on; those of a job that has changed since are removed."""
    files = [] if previous is None else [previous]
    for source in sources:
        folders = (source.data, source.embeddings / "queries", source.embeddings / "corpus")
        files += [source.negatives, *(folder / "manifest.json" for folder in folders)]
    depends = {
        "spec": {key: value for key, value in spec.items() if key != "vectors"},
        "files": [sha256_of_file(file) for file in files],
        "code": source_hash("smec.jobs.train", f"smec.compressors.{spec['method']}"),
    }
    stem = f"checkpoint-{sha256_of_json(depends)[:16]}"
    for other in output.parent.glob("checkpoint-*.safetensors"):
        if not other.name.startswith(stem):
            other.unlink()
    return output.with_name(f"{stem}.safetensors")
