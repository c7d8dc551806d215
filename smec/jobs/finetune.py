"""`smec finetune`: train the backbone itself, and leave a model that is loaded as any other."""

import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smec import backbones
from smec.backbone_method import MODEL_FOLDER, TRAINABLE, BackboneMethod
from smec.compressors import method_named
from smec.datasets import reading
from smec.errors import SmecError
from smec.files import write_json
from smec.jobs.measured import peak_memory_bytes, versions
from smec.jobs.stores import open_stores
from smec.jobs.training_files import read_training_data
from smec.label_subset import label_subset
from smec.settings import validated
from smec.training_data import TrainingData

TRAINERS = ("peft", "sentence-transformers", "torch", "transformers")

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def run(spec: Mapping[str, Any], data: Path, embeddings: Path, negatives: Path, output: Path) -> None:
    """Write the model's folder, `compressor.safetensors` with its prefixes, and `record.json` beside each other.

    Args:
        spec: as of `smec.jobs.train.run`: `method`, `backbone` settings, resolved `options`, `sizes`, `seed`,
            `max_documents` and `labels`.
        data: folder of a dataset with texts.
        embeddings: folder of its stores by the frozen backbone.
        negatives: mined in its space.
        output: path of `compressor.safetensors`.

    Raises:
        SmecError: the backbone is of a kind that cannot be trained, or the dataset holds no texts.
    """
    from smec.finetuning import Side, finetune

    began = time.perf_counter()
    method = method_named(spec["method"])
    assert isinstance(method, BackboneMethod)
    options: Any = validated(method.Options, spec["options"], f"The options of {spec['method']}")
    rows = label_subset(_training_rows(data, negatives, spec["max_documents"]), spec["labels"], spec["seed"])
    stores = dict(zip(("queries", "corpus"), open_stores(data, embeddings, spec["backbone"]), strict=True))
    settings = backbones.parse(spec["backbone"])
    if settings.model_dump()["kind"] != TRAINABLE:
        raise SmecError(f"Only a backbone of the kind {TRAINABLE!r} can be trained, this one is {settings!r}.")
    backbone: Any = backbones.load(settings.model_copy(update={"precision": "float32"}))
    queries, documents = (
        Side(reading.texts(data, role), backbone.settings.prompt(role), stores[role]) for role in ("queries", "corpus")
    )
    record = finetune(backbone.model, queries, documents, rows, options, spec["sizes"], spec["seed"])
    _save(backbone.model, output.with_name(MODEL_FOLDER))
    method.prefixes(tuple(spec["sizes"]), backbone.dim).save(output)
    record |= {"wall_clock_seconds": time.perf_counter() - began, "peak_memory_bytes": peak_memory_bytes()}
    write_json(output.with_name("record.json"), {"spec": dict(spec), **record, "versions": versions(*TRAINERS)})


def _training_rows(data: Path, negatives: Path, max_documents: int) -> TrainingData:
    """Return what training may see, a row number in the place of each vector."""
    from smec.finetuning import RowNumbers

    queries, corpus = (RowNumbers(reading.count(data, role)) for role in ("queries", "corpus"))
    return read_training_data(data, negatives, queries, corpus, max_documents)


def _save(model: "SentenceTransformer", folder: Path) -> None:
    """Write the model's folder, which is whole or absent; one of an earlier run is replaced."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".model.") as temporary:
        whole = Path(temporary) / MODEL_FOLDER
        model.save(str(whole), create_model_card=False)
        shutil.rmtree(folder, ignore_errors=True)
        whole.rename(folder)
