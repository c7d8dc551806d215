"""How large each dataset is: counted where it was fetched, published where it is public, else not known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smec.datasets.base import DatasetSettings
from smec.datasets.beir import BeirSettings
from smec.errors import SmecError
from smec.files import read_json

BYTES_PER_WORD = 6.0
"""English: five letters and a blank."""

WORDS = {
    "msmarco": (55.98, 5.96),
    "trec-covid": (160.77, 10.60),
    "nfcorpus": (232.26, 3.30),
    "nq": (78.88, 9.16),
    "hotpotqa": (46.30, 17.61),
    "fiqa": (132.32, 10.77),
    "arguana": (166.80, 192.98),
    "webis-touche2020": (292.37, 6.55),
    "cqadupstack": (129.09, 8.59),
    "quora": (11.44, 9.53),
    "dbpedia-entity": (49.68, 5.39),
    "scidocs": (176.19, 9.38),
    "fever": (84.76, 8.13),
    "climate-fever": (84.76, 20.13),
    "scifact": (213.63, 12.37),
}
"""Words of a document and of a query, means (Thakur et al. 2021, arXiv 2104.08663, table 1)."""
LABELLED = {
    "msmarco": 502_939,
    "nfcorpus": 2_914,
    "hotpotqa": 90_447,
    "fiqa": 6_000,
    "fever": 116_476,
    "scifact": 809,
    "dbpedia-entity": 67,
    "quora": 5_000,
}
"""Queries that a set has besides those it scores: of its files train.tsv and dev.tsv."""
PUBLISHED_IMAGES = {"products10k": (141_931, 55_376), "fashion200k": (172_049, 29_789)}
"""Photos that train and photos of the test (Bai et al. 2020, arXiv 2008.10545; Han et al. 2017, arXiv 1708.01311)."""


@dataclass(frozen=True)
class DatasetSize:
    """How large a dataset is, as far as it is known.

    Attributes:
        documents: of the corpus.
        training: queries to learn and to choose from.
        test: queries that are scored.
        document_words: mean words of a document; 0 for images and vectors.
        query_words: of a query.
        download_bytes: still to be fetched and kept.
        counted: whether these are counts of a dataset that is there, and not published or largest numbers.
    """

    documents: int
    training: int
    test: int
    document_words: float = 0.0
    query_words: float = 0.0
    download_bytes: float = 0.0
    counted: bool = False

    def rows(self, role: str) -> int:
        """Return the vectors of `role` (corpus or queries)."""
        return self.documents if role == "corpus" else self.training + self.test

    def words(self, role: str) -> float:
        """Return the words of all texts of `role`."""
        return self.rows(role) * (self.document_words if role == "corpus" else self.query_words)


def size_of(settings: DatasetSettings, folder: Path) -> DatasetSize | None:
    """Return the size of a dataset; None where it cannot be told before it is fetched.

    Args:
        settings: of the dataset.
        folder: where the workflow prepares it.
    """
    try:
        return _counted(folder)
    except SmecError:  # not fetched yet
        return _expected(settings)


def _counted(folder: Path) -> DatasetSize:
    counts = read_json(folder / "manifest.json")["counts"]
    asked = counts["queries"]
    size = DatasetSize(
        documents=counts["corpus"],
        training=asked["train"] + asked["validation"],
        test=asked["test"],
        counted=True,
    )
    documents, queries = (_words(folder, role, size.rows(role)) for role in ("corpus", "queries"))
    return DatasetSize(size.documents, size.training, size.test, documents, queries, counted=True)


def _words(folder: Path, role: str, rows: int) -> float:
    """Return the mean words of a text, from the sizes that the parquet file states; 0 where it holds no texts."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(folder / f"{role}.parquet") as file:
        if "text" not in file.schema_arrow.names:
            return 0.0
        place = file.schema_arrow.names.index("text")
        groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
        total = sum(group.column(place).total_uncompressed_size for group in groups)
    return float(total / BYTES_PER_WORD / max(1, rows))


def _expected(settings: DatasetSettings) -> DatasetSize | None:
    values: dict[str, Any] = settings.model_dump()
    kind = values["kind"]
    if isinstance(settings, BeirSettings):
        return _beir(settings)
    if kind == "pydocs":
        return _shared(settings, values["max_documents"], values["max_documents"], values["max_characters"] / 6, 10.0)
    if kind in PUBLISHED_IMAGES:
        return _photos(settings, *PUBLISHED_IMAGES[kind])
    return None


def _beir(settings: BeirSettings) -> DatasetSize:
    published, name = settings.published, settings.name
    parts = len(published.subsets) or 1
    documents, queries = published.documents // parts, published.queries // parts
    words = WORDS[name]
    there = settings.archive.exists() or settings.unpacked.is_dir()
    text = documents * words[0] * BYTES_PER_WORD
    if name in LABELLED:
        return DatasetSize(documents, LABELLED[name], queries, *words, download_bytes=0 if there else text)
    size = _shared(settings, documents, queries, *words)
    return DatasetSize(documents, size.training, size.test, *words, download_bytes=0 if there else text)


def _shared(
    settings: DatasetSettings, documents: int, queries: int, document_words: float, query_words: float
) -> DatasetSize:
    """Return the size of a set whose queries are divided by our own split."""
    test = round(queries * settings.test_fraction)
    return DatasetSize(documents, queries - test, test, document_words, query_words)


def _photos(settings: DatasetSettings, training: int, test: int) -> DatasetSize:
    """Return the size of a set of photos; captions are as many as photos at most, and short."""
    words = {role: 5.0 if settings.modality(role) == "text" else 0.0 for role in ("corpus", "queries")}
    return DatasetSize(training + test, training, test, words["corpus"], words["queries"])
