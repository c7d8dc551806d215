"""Tables that the page makes from the results: scores, the tested run against its rival, the datasets."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from smec.paper_values import PaperTable
from smec.reporting.page.findings import Findings
from smec.reporting.page.formats import count, p_value, percent, score, signed, times
from smec.reporting.page.markup import Cells, Markup
from smec.reporting.tables import DAGGER, grid

LEFT_OUT = {
    "images_left_out": "images left out",
    "queries_not_asked": "queries not asked",
    "labels_left_out": "label folders left out",
    "files_of_other_suffixes": "files that are no images",
}
"""Entries of a manifest that count, by kind, what a dataset was prepared without."""


def scores(block: pd.DataFrame) -> Cells:
    """Return method by size, the best of each size in bold, intervals below the means.

    Args:
        block: the rows of one dataset and backbone of a summary.
    """
    cells = grid(block, bold="**{}**\\ ", interval="\\ :interval:`[{}, {}]`", mark=DAGGER)
    rows = [[str(name), *map(Markup, row)] for name, row in zip(cells.index, cells.to_numpy().tolist(), strict=True)]
    return Cells(["method", *cells.columns], rows)


def comparison(found: Findings) -> Cells:
    """Return the tested run against the best of the others, one row per size."""
    head = ["dimensions", "smaller", found.tested, "of the uncompressed", "best other", "its score", "difference", "p"]
    rows = [
        [
            str(point.size),
            times(found.width / point.size, 1),
            score(point.mean),
            percent(point.mean / found.uncompressed) if found.uncompressed else "",
            point.rival,
            score(point.rival_mean),
            signed(point.difference),
            p_value(point.p),
        ]
        for point in found.points
    ]
    return Cells(head, rows)


def published(paper: PaperTable) -> Cells:
    """Return a published table, nDCG@10 as a share: method by size, sizes falling."""
    shares = {row: paper.shares(row) for row in paper.rows}
    sizes = sorted({size for values in shares.values() for size in values}, reverse=True)
    rows = [[row, *(score(values[size]) if size in values else "" for size in sizes)] for row, values in shares.items()]
    return Cells(["method", *map(str, sizes)], rows)


def zero_shot(record: Mapping[str, Any]) -> Cells:
    """Return nDCG@10 of a model before and after it was trained here, one row per task, from its record."""
    quality = record["ndcg@10"]
    rows = [
        [task.replace("_", " "), score(before), score(quality["trained"][task])]
        for task, before in quality["untrained"].items()
    ]
    return Cells(["found by", "untrained", "trained"], rows)


def datasets(configuration: Mapping[str, Any], manifests: Mapping[str, Any]) -> Cells:
    """Return one row per experiment: documents, queries of each split, backbone, sizes."""
    rows = []
    for experiment in configuration["experiments"]:
        counts = manifests[experiment["dataset"]]["counts"]
        queries = [count(counts["queries"].get(split, 0)) for split in ("train", "validation", "test")]
        sizes = ", ".join(str(size) for size in experiment["sizes"])
        rows.append([experiment["dataset"], experiment["backbone"], count(counts["corpus"]), *queries, sizes])
    splits = [f"{split} queries" for split in ("training", "validation", "test")]
    return Cells(["dataset", "backbone", "documents", *splits, "sizes"], rows)


def left_out(manifests: Mapping[str, Any]) -> Cells:
    """Return one row per dataset and kind of what it was prepared without, none where nothing was left out."""
    rows = [
        [dataset, told, kind.replace("_", " "), count(number)]
        for dataset, manifest in manifests.items()
        for key, told in LEFT_OUT.items()
        for kind, number in manifest.get(key, {}).items()
    ]
    return Cells(["dataset", "what", "why", "number"], rows)
