"""Encode one role of a prepared dataset into an embedding store; a killed run goes on at the first missing shard.

One job encodes all (`embed`), or several share the shards (`embed_part`) and `smec.store_parts.gather` ends the store.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from smec import backbones
from smec.backbones.base import BackboneSettings, PaidRows, RowEncoder
from smec.datasets import reading
from smec.errors import SmecError
from smec.files import write_json
from smec.progress import progress
from smec.source_hash import source_hash
from smec.store_writer import StoreDtype, StoreWriter

DEFAULT_SHARD_ROWS = 4096

logger = logging.getLogger(__name__)


def expected_key(dataset_folder: str | Path, settings: BackboneSettings, role: str) -> dict[str, Any]:
    """Return the part of a store's key that is known without loading the backbone.

    Pass it to `EmbeddingStore.open`, which then refuses a store of another dataset, backbone, revision or prompt.
    """
    return {"data": reading.fingerprint(dataset_folder, role), "role": role, **settings.declared(role)}


def embed(
    dataset_folder: str | Path,
    settings: BackboneSettings | Mapping[str, Any],
    role: str,
    store_folder: str | Path,
    shard_rows: int = DEFAULT_SHARD_ROWS,
    dtype: StoreDtype = "float32",
) -> None:
    """Write the store of one role of a dataset.

    Texts are sorted by length within a shard (across shards nothing could be resumed, and from a few thousand rows on
    it would save no padding). Shards that are whole and of the same key are kept; a finished store is left as it is.

    Args:
        dataset_folder: a prepared dataset.
        settings: settings of the backbone, or a mapping with its kind.
        role: corpus or queries.
        store_folder: where the shards and the manifest go.
        shard_rows: rows per shard, the unit of resuming.
        dtype: float32, or float16 for half the disk space.

    Raises:
        SmecError: the dataset or the model is missing, the backbone does not take what the role holds, a vector is
            unusable, or the disk is full.
    """
    folder = Path(dataset_folder)
    writer, rows = _opened(folder, settings, role, Path(store_folder), shard_rows, dtype)
    if writer.finished():
        logger.info("%s is complete already", store_folder)
        return
    fill(writer, rows, _ids(folder, role))
    writer.finish()
    if isinstance(rows, PaidRows):
        rows.end()


def embed_part(
    dataset_folder: str | Path,
    settings: BackboneSettings | Mapping[str, Any],
    role: str,
    output: str | Path,
    part: int,
    parts: int,
    shard_rows: int = DEFAULT_SHARD_ROWS,
    dtype: StoreDtype = "float32",
) -> None:
    """Write the shards of one of several jobs that share a store, then a file that says which they are.

    Shards that are whole and of the same key are kept, also those of a finished store. With more jobs than shards some
    have nothing to do and load no model.

    Args:
        dataset_folder: a prepared dataset.
        settings: settings of the backbone, or a mapping with its kind.
        role: corpus or queries.
        output: the file for `smec.store_parts.gather`; its folder is that of the store.
        part: number of the job, from 1.
        parts: how many jobs there are.
        shard_rows: rows per shard, equal for all jobs.
        dtype: float32, or float16 for half the disk space.

    Raises:
        SmecError: as `embed`, or there is no such part.
    """
    folder, store = Path(dataset_folder), Path(output).parent
    if not 1 <= part <= parts:
        raise SmecError(f"There is no part {part} of {parts}: they are numbered from 1 to {parts}.")
    shards = part_of(-(-reading.count(folder, role) // shard_rows), part, parts)
    if not shards:
        write_json(output, {"store": None, "shards": []})
        return
    writer, rows = _opened(folder, settings, role, store, shard_rows, dtype)
    writer.take_over(shards)
    fill(writer, rows, _ids(folder, role), shards)
    write_json(output, writer.summed_up(shards))


def part_of(shards: int, part: int, parts: int) -> range:
    """Return the shards of job `part`, from 1, of `parts`: neighbours, as many for each job as can be."""
    return range(shards * (part - 1) // parts, shards * part // parts)


def _opened(
    folder: Path,
    settings: BackboneSettings | Mapping[str, Any],
    role: str,
    store: Path,
    shard_rows: int,
    dtype: StoreDtype,
) -> tuple[StoreWriter, RowEncoder]:
    """Load the backbone, and return the store to be written and what encodes its rows."""
    checked = settings if isinstance(settings, BackboneSettings) else backbones.parse(settings)
    key = expected_key(folder, checked, role)
    told = checked.refusal(role, reading.modality(folder, role))
    if told:
        raise SmecError(f"The dataset {folder} {told}")
    backbone = backbones.load(checked)
    rows = backbone.rows(folder, role)
    writer = StoreWriter(
        folder=store,
        key={**key, **backbone.identity, "dtype": dtype},
        rows=reading.count(folder, role),
        dim=rows.dim,
        shard_rows=shard_rows,
        dtype=dtype,
        code=source_hash("smec.embedding", type(checked).__module__),
        details=backbone.details,
    )
    return writer, rows


def _ids(folder: Path, role: str) -> Callable[[int, int], Sequence[str]]:
    return lambda start, stop: reading.ids(folder, role, start, stop)


def fill(
    writer: StoreWriter,
    rows: RowEncoder,
    ids: Callable[[int, int], Sequence[str]],
    shards: Sequence[int] | None = None,
) -> None:
    """Encode and write the shards that the store lacks.

    Args:
        writer: of the store.
        rows: encoder of the rows in a range.
        ids: of the rows in a range, for messages.
        shards: None for all of the store.
    """
    shards = range(len(writer)) if shards is None else shards
    missing = writer.missing(shards)
    if missing:
        writer.discard_manifest()
    if len(missing) < len(shards):
        logger.info("%s: %d of %d shards are kept", writer.folder, len(shards) - len(missing), len(shards))
    if isinstance(rows, PaidRows):
        rows.begin(writer.folder, [writer.bounds(shard) for shard in missing])
    began, encoded = time.perf_counter(), 0
    for shard in progress(missing, f"embed {writer.key.get('role', 'rows')}"):
        start, stop = writer.bounds(shard)
        writer.write(shard, rows(start, stop), ids(start, stop))
        encoded += stop - start
    seconds = time.perf_counter() - began
    logger.info("%s: %d rows in %.1f s, %.0f per second", writer.folder, encoded, seconds, encoded / max(seconds, 1e-9))
