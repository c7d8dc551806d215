"""Vectors that batches are drawn from: on the device that trains, or, where they lie in a file, read from it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smec.row_blocks import lies_in_file, released, rows_at_once
from smec.scratch import stored


class DeviceRows:
    """Rows of an array (n, M) as tensors on one device."""

    def __init__(self, vectors: NDArray[Any], device: torch.device) -> None:
        """Move `vectors` to `device`, unless they lie in a file: then only what is asked for is moved."""
        self.device = device
        self._file = vectors if lies_in_file(vectors) else None
        table = torch.from_numpy(vectors)
        self._table = table.to(device) if self._file is None else table

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Return the rows, int64 (k,), as (k, M) on the device."""
        found = self._table[rows.to(self._table.device)].to(self.device)
        self._release()
        return found

    def blocks(self) -> Iterator[Tensor]:
        """Yield all rows on the device, in blocks as of `smec.row_blocks`; one is to be used before the next."""
        for block in torch.split(self._table, rows_at_once(self._table.shape[1], self._table.element_size())):
            yield block.to(self.device)
            self._release()

    def through(self, weight: Tensor, folder: Path | None) -> "DeviceRows":
        """Return the outputs of a map, float (d, M), in memory or in a file of `folder`."""
        outputs: Iterator[NDArray[Any]] = ((block @ weight.T).cpu().numpy() for block in self.blocks())
        return DeviceRows(stored(outputs, (len(self), len(weight)), np.float32, folder), self.device)

    def _release(self) -> None:
        if self._file is not None:
            released(self._file)
