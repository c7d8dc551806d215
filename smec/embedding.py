"""Encode one role of a prepared dataset into an embedding store; a killed run goes on at the first missing shard."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from smec import backbones
from smec.backbones.base import BackboneSettings, RowEncoder
from smec.datasets import reading
from smec.errors import SmecError
from smec.modality import mismatch
from smec.progress import progress
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
    checked = settings if isinstance(settings, BackboneSettings) else backbones.parse(settings)
    folder = Path(dataset_folder)
    key = expected_key(folder, checked, role)
    told = mismatch(role, reading.modality(folder, role), checked.encodes)
    if told:
        raise SmecError(f"The dataset {folder} {told}")
    backbone = backbones.load(checked)
    rows = backbone.rows(folder, role)
    writer = StoreWriter(
        folder=Path(store_folder),
        key={**key, **backbone.identity, "dtype": dtype},
        rows=reading.count(folder, role),
        dim=rows.dim,
        shard_rows=shard_rows,
        dtype=dtype,
        details=backbone.details,
    )
    if writer.finished():
        logger.info("%s is complete already", store_folder)
        return
    fill(writer, rows, lambda start, stop: reading.ids(folder, role, start, stop))


def fill(writer: StoreWriter, rows: RowEncoder, ids: Callable[[int, int], Sequence[str]]) -> None:
    """Encode and write the shards that a store lacks, then finish it.

    Args:
        writer: the store.
        rows: gives the unit vectors of a range of rows.
        ids: gives the ids of a range of rows, for messages.

    Raises:
        SmecError: a vector is unusable, or the disk is full.
    """
    missing = writer.missing()
    if len(missing) < len(writer):
        logger.info("%s: %d of %d shards are kept", writer.folder, len(writer) - len(missing), len(writer))
    began, encoded = time.perf_counter(), 0
    for shard in progress(missing, f"embed {writer.key.get('role', 'rows')}"):
        start, stop = writer.bounds(shard)
        writer.write(shard, rows(start, stop), ids(start, stop))
        encoded += stop - start
    writer.finish()
    seconds = time.perf_counter() - began
    logger.info("%s: %d rows in %.1f s, %.0f per second", writer.folder, encoded, seconds, encoded / max(seconds, 1e-9))
