"""Write a summary as CSV (every number), Markdown and LaTeX (method by size, one table per dataset and backbone)."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from smec.analysis.cells import AVERAGE
from smec.files import atomic_path, write_text
from smec.reporting import style
from smec.reporting.summary import SIGNIFICANT

DAGGER = "†"
BEST_IN_BOLD = "in brackets the 95 % bootstrap interval over queries and seeds, in bold the best of each size"
MISSING = ""
LATEX_ESCAPES = str.maketrans(
    {c: rf"\{c}" for c in "&%$#_{}"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": "$<$",
        ">": "$>$",
        DAGGER: r"$^\dagger$",
        "‡": r"$^\ddagger$",
        "\N{MINUS SIGN}": "$-$",
    }
)


def write_tables(summary: pd.DataFrame, stem: Path, title: str) -> list[Path]:
    """Write `stem`.csv, `stem`.md and `stem`.tex, each whole or not at all, and return their paths.

    Args:
        summary: a frame of `smec.reporting.summary.summarise`.
        stem: path without a suffix; the folder is made.
        title: heading of the tables.

    Raises:
        SmecError: the disk is full or the folder cannot be written.
    """
    paths = [stem.with_name(f"{stem.name}{suffix}") for suffix in (".csv", ".md", ".tex")]
    with atomic_path(paths[0]) as temporary:
        summary.to_csv(temporary, index=False, lineterminator="\n")
    write_text(paths[1], markdown(summary, title))
    write_text(paths[2], latex(summary, title, label=stem.name))
    return paths


def markdown(summary: pd.DataFrame, title: str) -> str:
    """Return the tables as Markdown, best means in bold."""
    from tabulate import tabulate

    parts = [f"# {title}"]
    for dataset, backbone, block in sections(summary):
        cells = grid(block, bold="**{}**", interval=" [{}, {}]", mark=DAGGER)
        parts += [
            f"## {dataset}, {backbone}",
            tabulate(cells, headers="keys", tablefmt="github", disable_numparse=True),
        ]
        parts.append(caption(block))
    return "\n\n".join(parts) + "\n"


def latex(summary: pd.DataFrame, title: str, label: str) -> str:
    r"""Return the tables as LaTeX `table` floats (packages `booktabs`), best means in bold.

    The labels are `tab:{label}:{dataset}:{backbone}`.
    """
    parts = []
    for dataset, backbone, block in sections(summary):
        cells = grid(block, bold=r"\textbf{{{}}}", interval=r" {{\scriptsize [{}, {}]}}", mark=r"$^\dagger$")
        cells = cells.rename(index=escaped)
        cells.index.name, cells.columns.name = None, "method"
        parts.append(
            cells.style.to_latex(
                hrules=True,
                column_format="l" + "r" * cells.shape[1],
                position="t",
                position_float="centering",
                caption=escaped(f"{title}: {dataset}, {backbone}. {caption(block)}"),
                label=f"tab:{label}:{dataset}:{backbone}",
            )
        )
    return "\n".join(parts)


def sections(summary: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield each dataset and backbone with its rows, in the order of the summary."""
    places = summary[["dataset", "backbone"]].drop_duplicates()
    for dataset, backbone in places.itertuples(index=False):
        yield dataset, backbone, summary[(summary["dataset"] == dataset) & (summary["backbone"] == backbone)]


def grid(block: pd.DataFrame, bold: str, interval: str, mark: str) -> pd.DataFrame:
    """Return one table as text: rows are labels, columns sizes, falling.

    Args:
        block: the rows of one dataset and backbone.
        bold: format of a mean that is the best of its size.
        interval: format of the two ends, empty to leave the interval out.
        mark: what follows the better of the tested run and its best rival where the test says that they differ.
    """
    sizes = sorted(block["dim"].unique(), reverse=True)
    marked = _marked(block)
    lines: dict[tuple[str, str], dict[int, str]] = {}
    for row in block.to_dict("records"):
        text = bold.format(f"{row['mean']:.3f}") if row["best"] else f"{row['mean']:.3f}"
        text += mark if not row["reference"] and (row["method"], row["dim"]) in marked else ""
        text += interval.format(f"{row['low']:.3f}", f"{row['high']:.3f}")
        lines.setdefault((row["label"], row["method"]), {})[row["dim"]] = text
    cells = [[line.get(size, MISSING) for size in sizes] for line in lines.values()]
    index = pd.Index([label for label, _ in lines], name="method")
    return pd.DataFrame(cells, index=index, columns=[str(size) for size in sizes])


def caption(block: pd.DataFrame, best: str = BEST_IN_BOLD) -> str:
    """Return what a reader must know of one table: metric, queries, seeds, interval, test."""
    dataset, metric, queries = block["dataset"].iloc[0], str(block["metric"].iloc[0]), block["n_queries"].max()
    least, most = block["n_seeds"].min(), block["n_seeds"].max()
    seeds = f"{most} seeds" if least == most != 1 else "1 seed" if most == 1 else f"{least} to {most} seeds"
    scope = _scope(str(dataset), int(block["n_datasets"].max()))
    text = f"{style.metric_label(metric)} ({scope}{queries} test queries, mean over {seeds}); {best}."
    tested = block[block["rival"] != ""]
    if len(tested):
        text += (
            f" {DAGGER}: {tested['label'].iloc[0]} and the best of the others differ (paired randomisation test on "
            f"per-query means over seeds, Holm-adjusted over the {len(tested)} sizes, p < {SIGNIFICANT})."
        )
    return text


def _scope(dataset: str, averaged: int) -> str:
    """Say what a mean is over, where it is over more than the queries of one dataset."""
    if dataset == AVERAGE:
        return "mean over datasets, "
    return f"mean over its {averaged} parts, " if averaged > 1 else ""


def _marked(block: pd.DataFrame) -> set[tuple[str, int]]:
    """Return the run and size that carry the mark: the better one of each pair that differs."""
    found = block[block["significant"]].to_dict("records")
    return {(row["method"] if row["difference"] > 0 else row["rival"], row["dim"]) for row in found}


def escaped(text: str) -> str:
    """Return text as LaTeX takes it."""
    return text.translate(LATEX_ESCAPES)
