"""A set of BEIR by its name: downloaded when the job runs, or read from a local mirror; split as published.

{data_root}/{name}.zip     the archive as published, verified by its md5 before it is read, never unpacked
{data_root}/{name}/        or the same, unpacked by you; it is preferred, and cannot be verified

CQADupStack consists of twelve sub-forums. Each is a dataset of its own (`subset: android`), and the mean over a
`group` of datasets counts as one set, as BEIR does.
"""

import logging
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator, model_validator

from smec.datasets.base import Dataset, DatasetSettings
from smec.datasets.beir_archive import Tree, opened, read_qrels, read_texts
from smec.datasets.beir_sets import SETS, BeirSet
from smec.datasets.splits import TEST, TRAIN, VALIDATION, complete_split
from smec.errors import SmecError, nearest_name

URL_BASE = "https://public.ukp.informatik.tu-darmstadt.de/thakur/BEIR/datasets"
SPLIT_OF_FILE = {"test": TEST, "dev": VALIDATION, "train": TRAIN}
"""In the order in which they claim a query that occurs in several."""

logger = logging.getLogger(__name__)


class BeirSettings(DatasetSettings):
    """A set of BEIR."""

    kind: Literal["beir"] = Field(default="beir", description="A public set of BEIR, by name.")
    name: str = Field(
        description="BEIR's name of the set, such as 'scifact'.", json_schema_extra={"enum": [*sorted(SETS)]}
    )
    subset: str | None = Field(default=None, description="Sub-forum of cqadupstack, such as 'android'.")
    # Text and no path: a set that is still to be downloaded is no reason to refuse a configuration.
    data_root: str = Field(
        default="results/downloads/beir",
        min_length=1,
        description="Folder that holds NAME.zip or the unpacked folder NAME; what is missing is downloaded there.",
    )
    download: bool = Field(default=True, description="Download a missing set; false for machines without a network.")
    url_base: str = Field(default=URL_BASE, description="Where NAME.zip is downloaded from.")
    md5: str | None = Field(
        default=None, pattern=r"^[0-9a-fA-F]{32}$", description="md5 of the archive; the published one when null."
    )
    exclude_self: bool = Field(
        default=True,
        description="Leave the document whose id equals the query's id out of that query's ranking; BEIR's evaluation "
        "does so in every set, which matters for ArguAna and Quora.",
    )

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in SETS:
            raise ValueError(f"BEIR has no public set {name!r}. {nearest_name(name, SETS)}")
        return name

    @model_validator(mode="after")
    def _subset_fits(self) -> "BeirSettings":
        subsets = SETS[self.name].subsets
        if self.subset is None and subsets:
            raise ValueError(
                f"{self.name} consists of {len(subsets)} sub-forums, each a dataset of its own; give one as `subset`: "
                f"{', '.join(subsets)}"
            )
        if self.subset is not None and not subsets:
            raise ValueError(f"{self.name} has no parts; remove `subset`")
        if self.subset is not None and self.subset not in subsets:
            raise ValueError(f"{self.name} has no sub-forum {self.subset!r}. {nearest_name(self.subset, subsets)}")
        return self

    @property
    def published(self) -> BeirSet:
        """What BEIR's table says of the set."""
        return SETS[self.name]

    @property
    def group(self) -> str | None:
        """Name of the set that this is a part of, and whose parts' mean counts as one set; null for a whole set."""
        return self.name if self.subset else None

    @property
    def archive(self) -> Path:
        """Where the archive is, or will be."""
        return Path(self.data_root).expanduser() / f"{self.name}.zip"

    @property
    def unpacked(self) -> Path:
        """Where the files are if the set was unpacked by hand."""
        return self.archive.with_suffix("") / (self.subset or "")

    def sources(self) -> tuple[Path, ...]:
        """Return the unpacked folder, if there is one; an archive is told by its checksum."""
        return (self.unpacked,) if self.unpacked.is_dir() else ()

    def missing(self) -> str | None:
        """Say what the job will lack, as far as can be told without a network; None where all is there."""
        if self.unpacked.is_dir() or self.archive.exists() or self.download:
            return None
        return (
            f"{self.archive} does not exist, nor the folder {self.unpacked}, and `download: false` forbids to fetch "
            f"the set. Get {self.url} on a machine that has a network and put it there, or correct `data_root`."
        )

    @property
    def url(self) -> str:
        """Where the archive is downloaded from."""
        return f"{self.url_base.rstrip('/')}/{self.name}.zip"


def load(settings: BeirSettings, folder: Path) -> Dataset:
    """Read the set; download it first where it is missing.

    Raises:
        SmecError: the set is missing and cannot be downloaded, its checksum differs, or its files are not in BEIR's
            layout.
    """
    if settings.unpacked.is_dir():
        return _dataset(settings, settings.unpacked, {"source": str(settings.unpacked), "md5": None})
    told = settings.missing()
    if told:
        raise SmecError(told)
    md5 = _verified(settings)
    with opened(settings.archive, settings.name) as tree:
        part = tree / settings.subset if settings.subset else tree
        return _dataset(settings, part, {"source": settings.url, "md5": md5})


def _verified(settings: BeirSettings) -> str:
    from smec.download import download, md5_of_file

    wanted = (settings.md5 or settings.published.md5).lower()
    if not settings.archive.exists():
        download(settings.url, settings.archive, wanted)
        return wanted
    found = md5_of_file(settings.archive)
    if found != wanted:
        raise SmecError(
            f"{settings.archive} is not the file that was meant: its md5 is {found}, wanted {wanted}. Delete it, so "
            "that it is downloaded again, or set `md5` if you changed it on purpose."
        )
    return wanted


def _dataset(settings: BeirSettings, tree: Tree, source: dict[str, str | None]) -> Dataset:
    corpus = read_texts(tree / "corpus.jsonl", titled=True)
    queries = read_texts(tree / "queries.jsonl", titled=False)
    qrels, published, dropped = _judgements(settings, tree, queries["id"], corpus["id"])
    split, rule = complete_split(published, settings.validation_fraction, settings.test_fraction)
    as_published = {
        "documents_without_text": pc.sum(pc.equal(corpus["text"], "")).as_py(),
        **{f"judgements_{reason}": count for reason, count in dropped.items()},
    }
    told = {name: count for name, count in as_published.items() if count}
    if told:
        logger.info("%s as published has %s", settings.name, told)
    return Dataset(
        source=str(tree),
        corpus=corpus,
        queries=queries,
        qrels=qrels,
        split=split,
        split_rule=rule,
        details={"beir": {"name": settings.name, "subset": settings.subset, **source, **as_published}},
    )


def _judgements(
    settings: BeirSettings, tree: Tree, query_ids: pa.ChunkedArray, corpus_ids: pa.ChunkedArray
) -> tuple[pa.Table, dict[str, str], dict[str, int]]:
    """Return the judgements, the published split of each judged query, and how many were left out for what reason."""
    published: dict[str, str] = {}
    tables, dropped = [], {"of_unknown_ids_dropped": 0, "of_queries_of_another_split_dropped": 0}
    for name, split in _files(settings, tree).items():
        read = read_qrels(tree / "qrels" / f"{name}.tsv")
        known = pc.and_(
            pc.is_in(read["query_id"], value_set=query_ids), pc.is_in(read["corpus_id"], value_set=corpus_ids)
        )
        taken = pc.is_in(read["query_id"], value_set=pa.array(list(published), pa.string()))
        dropped["of_unknown_ids_dropped"] += pc.sum(pc.invert(known)).as_py() or 0
        dropped["of_queries_of_another_split_dropped"] += pc.sum(pc.and_(known, taken)).as_py() or 0
        kept = read.filter(pc.and_(known, pc.invert(taken)))
        published.update(dict.fromkeys(pc.unique(kept["query_id"]).to_pylist(), split))
        tables.append(kept)
    return pa.concat_tables(tables), published, dropped


def _files(settings: BeirSettings, tree: Tree) -> dict[str, str]:
    """Return the files of judgements and the split that each is: what BEIR scores is `test`."""
    files = {settings.published.scored: TEST} | {
        name: split for name, split in SPLIT_OF_FILE.items() if split != TEST and name != settings.published.scored
    }
    present = {name: split for name, split in files.items() if (tree / "qrels" / f"{name}.tsv").exists()}
    if TEST not in present.values():
        raise SmecError(
            f"{tree} lacks qrels/{settings.published.scored}.tsv, the judgements that BEIR scores. Get the set again, "
            "or correct `data_root`."
        )
    return present
