"""`smec fit`: fit a compressor on one's own vectors, from the files to the stages, without the workflow.

    {output}/fit.json                                  what was asked for, of which files
    {output}/data, embeddings, negatives.safetensors   the vectors in order, checked and split; mined negatives
    {output}/dim{size}/ or all/                        compressor.safetensors and record.json of each stage

A call that was stopped goes on where it was when it is made again.
"""

import importlib.metadata
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smec.compressors import method_named
from smec.config import Config, StoreSettings, VectorSettings
from smec.datasets import reading
from smec.datasets.arrays import ArraysSettings
from smec.datasets.splits import SPLITS
from smec.datasets.vector_files import width_of
from smec.errors import SmecError
from smec.files import read_json, write_json
from smec.fitted import STAGE_FILE
from smec.jobs import embed, fetch, mine, train
from smec.method import Method, stage_names
from smec.settings import validated
from smec.source_hash import source_hash

LOGGER = logging.getLogger(__name__)

FILES = ("corpus", "queries", "qrels", "corpus_ids", "query_ids")
NEGATIVES = "negatives.safetensors"


@dataclass(frozen=True)
class Request:
    """What `smec fit` was asked for.

    Attributes:
        corpus: vectors of the documents, .npy or .parquet (see `smec.datasets.arrays`).
        queries: vectors of the queries.
        qrels: judgements, .tsv or .parquet.
        method: name of a method.
        size: the smallest size; sizes between it and the width are halved down to it.
        sizes: all sizes, largest first, instead of halving.
        options: options of the method, as texts `key=value`; a value is JSON where it can be read as such.
        seed: of everything random.
        corpus_ids: ids beside a .npy of documents; row numbers if None.
        query_ids: ids beside a .npy of queries; row numbers if None.
        validation_fraction: share of the queries that do not train but choose.
    """

    corpus: Path
    queries: Path
    qrels: Path
    method: str
    size: int | None = None
    sizes: Sequence[int] = ()
    options: Sequence[str] = ()
    seed: int = 0
    corpus_ids: Path | None = None
    query_ids: Path | None = None
    validation_fraction: float = 0.1


def run(request: Request, output: Path) -> list[Path]:
    """Fit every stage and return the stage files, largest size first.

    Raises:
        SmecError: the method, an option or a size is not valid, the files have a fault, or `output` holds a fit of
            other settings or files.
    """
    method = method_named(request.method)
    _require_files(request)
    width = width_of(request.corpus)
    sizes = resolved_sizes(method, width, request.size, request.sizes)
    options = validated(method.Options, parsed_options(request.options), f"`--set` for {request.method}")
    fractions = {"validation_fraction": request.validation_fraction, "test_fraction": 0}
    files = {key: getattr(request, key) for key in FILES}
    dataset = validated(ArraysSettings, {**files, **fractions}, "What `smec fit` was asked for").model_dump(mode="json")
    spec = {
        "method": request.method,
        "backbone": {"kind": "precomputed", "dim": width},
        "options": options.model_dump(mode="json"),
        "sizes": sizes,
        "seed": request.seed,
        "max_documents": _default("max_training_documents"),
        "labels": 1.0,
        "vectors": VectorSettings().model_dump(mode="json"),
    }
    _claim(output, spec, dataset)
    try:
        _prepare(output, spec, dataset)
        return _stages(method, output, spec, width)
    except SmecError:
        _release(output)
        raise


def resolved_sizes(method: Method, width: int, size: int | None, sizes: Sequence[int]) -> list[int]:
    """Return the sizes to fit, largest first: `sizes`, or the halves of `width` down to `size`.

    Raises:
        SmecError: neither or both are given, they are not decreasing, or one is above the width.
    """
    if (size is None) == (not sizes):
        raise SmecError("Say how small the vectors are to become, by either `--size 96` or `--sizes 192,96`.")
    if size is not None:
        halves = [width >> k for k in range(1, width.bit_length()) if width >> k > size]
        sizes = [*(halves if method.schedule != "per_size" else []), size]
    if min(sizes) < 1 or list(sizes) != sorted(set(sizes), reverse=True) or sizes[0] > width:
        raise SmecError(
            f"The sizes {', '.join(map(str, sizes))} do not fit vectors of {width} dimensions. They must decrease and "
            f"lie between 1 and {width}."
        )
    if not stage_names(method.schedule, sizes, width):
        raise SmecError(f"{method.name} needs a size below the {width} dimensions that the vectors have.")
    return list(sizes)


def parsed_sizes(text: str) -> tuple[int, ...]:
    """Return the sizes of a text such as `384,192,96`; none for an empty one.

    Raises:
        SmecError: a part is not a whole number.
    """
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise SmecError(f"`--sizes {text}` must be whole numbers between commas, such as 384,192,96.") from error


def parsed_options(assignments: Sequence[str]) -> dict[str, Any]:
    """Return the options that texts `key=value` set.

    Raises:
        SmecError: one has no `=`, or a key is set twice.
    """
    options: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key or key in options:
            raise SmecError(f"`--set {assignment}` is not of the form key=value, or sets the key a second time.")
        try:
            options[key] = json.loads(text)
        except json.JSONDecodeError:
            options[key] = text
    return options


def _claim(output: Path, spec: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
    """Note what is fitted in `output`; refuse a folder that holds something else."""
    files = {key: _state(Path(dataset[key])) for key in FILES if dataset[key] is not None}
    code = source_hash("smec.jobs.fit", "smec.backbones.precomputed", f"smec.compressors.{spec['method']}")
    smec = {"version": importlib.metadata.version("smec"), "code": code}
    wanted = {**spec, "dataset": {**dataset, **files}, "smec": smec}
    path = output / "fit.json"
    if not path.exists():
        write_json(path, wanted)
        return
    found = read_json(path)
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    if differing:
        raise SmecError(
            f"{output} holds a fit of other settings or other files: {', '.join(differing)} differ from what {path} "
            "says (a file that was written again counts as another; `smec` is its version). Give another --output, or "
            "delete the folder."
        )


def _release(output: Path) -> None:
    """Take the claim back where no stage is fitted yet, so that the folder serves again once the fault is repaired."""
    if any(output.glob(f"*/{STAGE_FILE}")):
        return
    for folder in ("data", "embeddings"):
        shutil.rmtree(output / folder, ignore_errors=True)
    (output / NEGATIVES).unlink(missing_ok=True)
    (output / "fit.json").unlink(missing_ok=True)


def _require_files(request: Request) -> None:
    for key in FILES:
        path = getattr(request, key)
        if path is not None and not path.is_file():
            raise SmecError(f"The file {path} does not exist. Correct `--{key.replace('_', '-')}`.")


def _state(path: Path) -> dict[str, Any]:
    state = path.stat()
    return {"path": str(path.resolve()), "bytes": state.st_size, "modified_ns": state.st_mtime_ns}


def _prepare(output: Path, spec: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
    """Bring vectors and judgements into the form that training reads."""
    data, embeddings, negatives = output / "data", output / "embeddings", output / NEGATIVES
    if not (data / "manifest.json").exists():
        fetch.run({"dataset": dataset}, data)
    manifest = reading.manifest(data)
    queries = manifest["counts"]["queries"]
    LOGGER.info(
        "%d queries train, %d choose (validation), %d are held out (test): %s",
        *(queries[name] for name in SPLITS),
        manifest["split_rule"],
    )
    store = StoreSettings().model_dump(mode="json")
    for role in ("queries", "corpus"):
        embed.run({"backbone": spec["backbone"], "role": role, **store}, data, embeddings / role)
    if not negatives.exists():
        options = spec["options"]
        wanted = max(_default("mined_negatives"), options.get("hard_negatives", 0), options.get("negative_pool", 0))
        mining = {"backbone": spec["backbone"], "count": wanted, "block_rows": _default("search_block_rows")}
        mine.run(mining, data, embeddings, negatives)


def _stages(method: Method, output: Path, spec: Mapping[str, Any], width: int) -> list[Path]:
    files: list[Path] = []
    source = train.Source(output / "data", output / "embeddings", output / NEGATIVES)
    for name in stage_names(method.schedule, spec["sizes"], width):
        file = output / name / STAGE_FILE
        previous = files[-1] if files and method.schedule == "chain" else None
        if not (file.exists() and file.with_name("record.json").exists()):
            LOGGER.info("fitting %s %s", method.name, name)
            stage = {**spec, "size": None if name == "all" else int(name.removeprefix("dim"))}
            train.run(stage, [source], previous, file)
        files.append(file)
    return files


def _default(key: str) -> Any:
    return Config.model_fields[key].default
