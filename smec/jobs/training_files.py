"""What training may see, read from the files of the workflow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from smec.datasets import reading
from smec.scratch import MEGABYTE, Room
from smec.self_retrieval import excluded_rows
from smec.training_data import TrainingData, VectorSource, collect


def room_of(settings: Mapping[str, Any], beside: Path) -> Room:
    """Return where the vectors of a job are put.

    Args:
        settings: `training_vectors` of the configuration.
        beside: the folder of the job's result, for files where the settings name no other.
    """
    return Room(settings["memory_mb"] * MEGABYTE, Path(settings["folder"] or beside))


def read_training_data(
    data: Path,
    negatives: Path,
    queries: VectorSource,
    corpus: VectorSource,
    max_documents: int,
    room: Room | None = None,
) -> TrainingData:
    """Collect the judged and mined rows of a dataset.

    Args:
        data: folder of the dataset.
        negatives: file of its mined hard negatives.
        queries: vectors of all its queries.
        corpus: of all its documents.
        max_documents: that are kept at most.
        room: where the vectors are put; None means in memory.
    """
    mined = load_file(negatives)
    return collect(
        queries=queries,
        corpus=corpus,
        training=reading.judgements(data, "train").positives(),
        validation=reading.judgements(data, "validation").positives(),
        hard_negatives=mined["train"],
        validation_negatives=mined["validation"],
        max_documents=max_documents,
        excluded_rows=excluded_rows(data),
        room=room,
    )
