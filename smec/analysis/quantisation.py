"""Formats that a stored vector can have, float32, float16, int8 and binary: codecs, calibrated before they are used.

FAISS makes the codes of float16 and int8 and reads them back, so they are those of an `IndexScalarQuantizer`. Bits are
packed as an `IndexBinaryFlat` takes them. Only documents are stored; queries stay float32 wherever scores are inner
products, and are made into bits where they are Hamming distances.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from smec.errors import SmecError

Floats = NDArray[np.float32]
Codes = NDArray[np.uint8]

ScalarFormat = Literal["float16", "int8"]
Threshold = Literal["median", "zero"]


class Codec(Protocol):
    """Writes vectors (n, d) as bytes and reads them back, row by row."""

    @property
    def bytes_per_vector(self) -> int:
        """The exact length of a code."""
        ...

    def encode(self, vectors: Floats) -> Codes:
        """Return the codes of `vectors` (n, d), uint8 (n, bytes_per_vector)."""
        ...

    def decode(self, codes: Codes) -> Floats:
        """Return what the codes stand for, float32 (n, d)."""
        ...


@dataclass(frozen=True)
class Float32:
    """The vectors as they are."""

    dimensions: int

    @property
    def bytes_per_vector(self) -> int:
        """Four per dimension."""
        return 4 * self.dimensions

    def encode(self, vectors: Floats) -> Codes:
        """Return the bytes of `vectors` (n, d)."""
        return np.ascontiguousarray(vectors, dtype=np.float32).view(np.uint8)

    def decode(self, codes: Codes) -> Floats:
        """Return the vectors again."""
        return np.ascontiguousarray(codes).view(np.float32)


class ScalarQuantizer:
    """A number per dimension: FAISS's `QT_fp16`, or `QT_8bit` with a range per dimension.

    `QT_8bit` learns the smallest and the largest value of each dimension (`RS_minmax`) and cuts the range into 255
    equal steps: code `floor(255 (x - low) / (high - low))`, what lies outside at the nearest end, and the middle of the
    step when it is read back. So the error within the range is at most (high - low) / 510. The ranges, 8 bytes per
    dimension, are kept once for all vectors.
    """

    def __init__(self, kind: ScalarFormat, calibration: Floats) -> None:
        """Calibrate on float32 (n, d); for float16 only d is read.

        Raises:
            SmecError: there is no vector to calibrate on.
        """
        import faiss

        if len(calibration) == 0:
            raise SmecError("An int8 format needs at least one training vector to take its ranges from.")
        types = {"float16": faiss.ScalarQuantizer.QT_fp16, "int8": faiss.ScalarQuantizer.QT_8bit}
        self._quantizer: Any = faiss.ScalarQuantizer(calibration.shape[1], types[kind])
        self._quantizer.train(np.ascontiguousarray(calibration, dtype=np.float32))

    @property
    def bytes_per_vector(self) -> int:
        """Two per dimension, or one."""
        return int(self._quantizer.code_size)

    def encode(self, vectors: Floats) -> Codes:
        """Return the codes of `vectors` (n, d)."""
        codes: Codes = self._quantizer.compute_codes(np.ascontiguousarray(vectors, dtype=np.float32))
        return codes

    def decode(self, codes: Codes) -> Floats:
        """Return the nearest float32 that the format can tell of each number."""
        decoded: Floats = self._quantizer.decode(np.ascontiguousarray(codes))
        return decoded


@dataclass(frozen=True)
class Binary:
    """A bit per dimension: whether it lies above a threshold.

    Bits are packed eight to a byte, the first dimension highest; where d is no multiple of 8 the last byte is filled up
    with zeros, which add nothing to a Hamming distance.

    Attributes:
        thresholds: float32 (d,), of documents.
        query_thresholds: float32 (d,), of queries, whose values may lie elsewhere.
    """

    thresholds: Floats
    query_thresholds: Floats

    @staticmethod
    def calibrated(documents: Floats, queries: Floats, threshold: Threshold) -> "Binary":
        """Take the thresholds from training vectors: the medians, so that each bit halves them, or 0 for all.

        Args:
            documents: float32 (n, d).
            queries: float32 (m, d).
            threshold: which of the two.

        Raises:
            SmecError: medians are asked for and there is no document or no query.
        """
        if threshold == "zero":
            none = np.zeros(documents.shape[1], dtype=np.float32)
            return Binary(none, none)
        if not (len(documents) and len(queries)):
            raise SmecError("Medians need at least one training document and one training query; use threshold: zero.")
        return Binary(*(np.median(side, axis=0).astype(np.float32) for side in (documents, queries)))

    @property
    def bytes_per_vector(self) -> int:
        """One for each eight dimensions, rounded up."""
        return -(-len(self.thresholds) // 8)

    def encode(self, vectors: Floats) -> Codes:
        """Return the bits of documents (n, d), packed."""
        return np.packbits(vectors > self.thresholds, axis=1)

    def encode_queries(self, vectors: Floats) -> Codes:
        """Return the bits of queries (n, d), packed."""
        return np.packbits(vectors > self.query_thresholds, axis=1)

    def relative(self, queries: Floats) -> Floats:
        """Return queries (n, d) as a float query meets bits: from its own thresholds, as documents are from theirs."""
        return queries - self.query_thresholds

    def decode(self, codes: Codes) -> Floats:
        """Return +1 for a set bit and -1 for one that is not, float32 (n, d)."""
        bits = np.unpackbits(codes, axis=1, count=len(self.thresholds))
        return 2 * bits.astype(np.float32) - 1
