"""Bytes against quality: every size in every format, float32 to bits, as nDCG@10 of the test queries.

Dimensions and digits are two ways to save the same bytes. Formats are calibrated on the relevant documents of the
training queries and on these queries; test queries and what answers them take no part.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from smec.errors import SmecError
from smec.row_blocks import row_blocks, taken
from smec.settings import Distinct
from smec.studies.base import Reads, StudyExperiment, StudyJob, StudySettings, TestSet

if TYPE_CHECKING:
    import pandas as pd

    from smec.analysis.quantisation import Codes
    from smec.method import Compressor
    from smec.sides import Sides
    from smec.training_data import TrainingData

Format = Literal["float32", "float16", "int8", "binary", "binary_bits", "binary_floats"]
"""`binary_bits`: the nearest by Hamming distance, ordered anew by the float query against the same bits.
`binary_floats`: ordered anew by float32 vectors of that size, which wait on disk."""

UNCOMPRESSED = "uncompressed"
METRIC, DEPTH = "ndcg@10", 10
BLOCK_ROWS = 4096
EQUAL = 1e-6
"""Most by which a score in float32 may differ from the one that `smec evaluate` stored."""

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


class BytesStudy(StudySettings):
    """nDCG@10 over bytes per vector, for sizes and formats."""

    reads: ClassVar[tuple[Reads, ...]] = ("scores", "stages", "data")

    kind: Literal["bytes"] = "bytes"
    methods: Distinct[str] = Field(
        ("truncation", "pca", "mrl_infonce", "smec_plus"), description="Runs whose vectors are stored in each format."
    )
    formats: Distinct[Format] = Field(get_args(Format), description="Formats of a stored vector.")
    candidates: int = Field(
        100, ge=DEPTH, description="Documents that a search by Hamming distance finds and a rescoring puts in order."
    )
    threshold: Literal["median", "zero"] = Field(
        "median", description="What makes a number a bit: above the median of its dimension in training, or above 0."
    )

    def runs(self) -> tuple[str, ...]:
        """Return the runs that are stored."""
        return self.methods


@dataclass(frozen=True)
class Stored:
    """One size of one fitted run, and all that is needed to store and to search it.

    Attributes:
        compressors: fitted, of queries and of documents.
        size: number of dimensions.
        test: queries and documents.
        documents: float32 (t, size), compressed relevant documents of training queries, to calibrate on.
        queries: float32 (u, size), the compressed training queries, to calibrate on.
    """

    compressors: "Sides[Compressor]"
    size: int
    test: TestSet
    documents: Floats
    queries: Floats

    @staticmethod
    def of(compressors: "Sides[Compressor]", size: int, test: TestSet, data: "TrainingData") -> "Stored":
        """Compress what formats are calibrated on: nothing but what training queries and their judgements name."""
        relevant = taken(data.documents, np.unique(data.positives.corpus_rows))
        none = np.zeros((0, size), dtype=np.float32)
        documents, queries = (
            np.concatenate([none, *(compressor.transform(block, size) for block in blocks)])
            for compressor, blocks in ((compressors.corpus, relevant), (compressors.queries, row_blocks(data.queries)))
        )
        return Stored(compressors, size, test, documents, queries)

    def asked(self) -> Floats:
        """Return the compressed test queries, float32 (n, size)."""
        return self.compressors.queries.transform(self.test.queries, self.size)


@dataclass(frozen=True)
class Setting:
    """A run at a size in a format: bytes in memory and on disk, and its scores, float64 (S, n)."""

    run: str
    size: int
    format: str
    bytes: int
    disk_bytes: int
    values: NDArray[np.float64]


def analyse(job: StudyJob) -> "pd.DataFrame":
    """Score every setting, and set it against the uncompressed backbone."""
    import pandas as pd

    return pd.DataFrame([row for experiment in job.experiments for row in _rows(job, experiment)])


def rankings(stored: Stored, settings: BytesStudy) -> Iterator[tuple[Format, int, int, Rows]]:
    """Yield each format with its bytes in memory and on disk, and the first 10 documents of each query, (n, 10)."""
    from smec.analysis.quantisation import Float32

    for name in settings.formats:
        if name in ("float32", "float16", "int8"):
            yield (name, *_by_numbers(stored, name))
    if not {"binary", "binary_bits", "binary_floats"}.isdisjoint(settings.formats):
        size, ranked = _by_bits(stored, settings)
        on_disk = {"binary_floats": Float32(stored.size).bytes_per_vector}
        for chosen, rows in ranked.items():
            if chosen in settings.formats:
                yield chosen, size, on_disk.get(chosen, 0), rows[:, :DEPTH]


def _by_numbers(stored: Stored, name: Literal["float32", "float16", "int8"]) -> tuple[int, int, Rows]:
    from smec.analysis.quantisation import Float32, ScalarQuantizer
    from smec.analysis.quantised_search import DecodedCorpus
    from smec.evaluation import CompressedCorpus
    from smec.search import exact_topk

    codec = Float32(stored.size) if name == "float32" else ScalarQuantizer(name, stored.documents)
    view = DecodedCorpus(CompressedCorpus(stored.test.corpus, stored.compressors.corpus, stored.size), codec)
    _, rows = exact_topk(stored.asked(), view, DEPTH, exclude_rows=stored.test.excluded)
    return codec.bytes_per_vector, 0, rows


def _by_bits(stored: Stored, settings: BytesStudy) -> tuple[int, Mapping[Format, Rows]]:
    from smec.analysis.quantisation import Binary
    from smec.analysis.quantised_search import hamming_topk, rescored

    codec = Binary.calibrated(stored.documents, stored.queries, settings.threshold)
    codes, asked = _codes(stored, codec.encode), stored.asked()
    found = hamming_topk(codec.encode_queries(asked), codes, settings.candidates, stored.test.excluded)
    by_bits = rescored(codec.relative(asked), found, lambda rows: codec.decode(codes[rows]))
    by_floats = rescored(
        asked, found, lambda rows: stored.compressors.corpus.transform(stored.test.corpus.gather(rows), stored.size)
    )
    return codec.bytes_per_vector, {"binary": found, "binary_bits": by_bits, "binary_floats": by_floats}


def _codes(stored: Stored, encode: Any) -> "Codes":
    """Return the codes of all documents, made block by block."""
    from smec.evaluation import CompressedCorpus

    view = CompressedCorpus(stored.test.corpus, stored.compressors.corpus, stored.size)
    return np.concatenate([encode(view[at : at + BLOCK_ROWS]) for at in range(0, len(view), BLOCK_ROWS)])


def _settings(job: StudyJob, experiment: StudyExperiment, test: TestSet) -> Iterator[Setting]:
    data, order = job.training_data(experiment), _by_id(test)
    for run in job.settings.methods:
        told = job.values(experiment, run, METRIC)
        scores: dict[tuple[int, Format, int, int], list[NDArray[np.float64]]] = {}
        for seed in job.seeds_of(run):
            compressors = job.compressors(experiment, run, seed)
            for size in [size for size in experiment.sizes if size in compressors.corpus.sizes]:
                stored = Stored.of(compressors, size, test, data)
                for name, small, on_disk, rows in rankings(stored, job.settings):
                    scores.setdefault((size, name, small, on_disk), []).append(_scores(test, rows)[order])
        for (size, name, small, on_disk), values in scores.items():
            setting = Setting(run, size, name, small, on_disk, np.stack(values))
            _check(setting, told, experiment)
            yield setting


def _uncompressed(experiment: StudyExperiment, test: TestSet) -> Setting:
    from smec.analysis.quantisation import Float32
    from smec.search import exact_topk

    _, rows = exact_topk(test.queries, test.corpus, DEPTH, exclude_rows=test.excluded)
    values = _scores(test, rows)[_by_id(test)][None]
    width = experiment.width
    return Setting(UNCOMPRESSED, width, "float32", Float32(width).bytes_per_vector, 0, values)


def _scores(test: TestSet, rows: Rows) -> NDArray[np.float64]:
    """nDCG@10 looks at ten ranks, so ten are enough here; recall@100 would need more."""
    from smec.metrics import per_query

    return per_query(test.judgements, rows)[METRIC]


def _by_id(test: TestSet) -> Rows:
    """The order of stored scores: ids ascending."""
    return np.argsort(np.array(test.query_ids), kind="stable")


def _check(setting: Setting, told: Mapping[int, NDArray[np.float64]], experiment: StudyExperiment) -> None:
    """What is studied here must be what the other tables show."""
    if setting.format != "float32":
        return
    stored = told.get(setting.size)
    if stored is None or stored.shape != setting.values.shape or np.abs(stored - setting.values).max() > EQUAL:
        raise SmecError(
            f"The stored scores of {setting.run} at {setting.size} dimensions on {experiment.dataset} are not those of "
            "its fitted compressor. Evaluate the run again."
        )


def _rows(job: StudyJob, experiment: StudyExperiment) -> list[dict[str, Any]]:
    from smec.statistics import bootstrap_means, holm, paired_test, percentile_interval

    test = job.test_set(experiment)
    place = {"dataset": experiment.dataset, "backbone": experiment.backbone}
    draw = zlib.crc32("/".join(place.values()).encode())
    full = _uncompressed(experiment, test)
    full_means = bootstrap_means(full.values, seed=draw)
    answered = full_means > 0  # of few queries, a sample may have none that the backbone answers
    if not answered.any():
        raise SmecError(
            f"The uncompressed backbone finds no relevant document of {experiment.dataset} among its first {DEPTH}, so "
            "there is no quality of which compressed vectors could keep a share. Take another backbone or dataset."
        )
    rows: list[dict[str, Any]] = []
    for setting in [full, *_settings(job, experiment, test)]:
        means = bootstrap_means(setting.values, seed=draw)
        low, high = percentile_interval(means)
        share_low, share_high = percentile_interval(means[answered] / full_means[answered])
        rows.append(
            place
            | {"run": setting.run, "dim": setting.size, "format": setting.format}
            | {"bytes": setting.bytes, "disk_bytes": setting.disk_bytes}
            | {"mean": setting.values.mean(), "low": low, "high": high}
            | {"share": setting.values.mean() / full.values.mean(), "share_low": share_low, "share_high": share_high}
            | {"p": paired_test(setting.values, full.values)}
            | {"n_seeds": setting.values.shape[0], "n_queries": setting.values.shape[1]}
        )
    adjusted = holm(np.array([row["p"] for row in rows[1:]]))  # the first row is what the others are tested against
    for row, p in zip(rows, [np.nan, *adjusted.tolist()], strict=True):
        row["p_holm"] = p
    rows[0]["p"] = np.nan
    return rows
