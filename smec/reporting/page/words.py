"""Sentences about a table of scores that are too long for a template."""

from collections.abc import Sequence

from smec.paper_values import PaperTable
from smec.reporting.page.findings import Findings, Point
from smec.reporting.page.formats import listed, signed

LOOK_AT = {
    "achievement": "Look at which lines stay above the grey one, which is chance, as dimensions go.",
    "bytes": "Look at the upper left corner: the setting that is high and far left is the one to take.",
    "commitment": "Look at which temperatures end near zero: the others never decide, and say so in their record.",
    "comparison": "Look for intervals that are clear of the line at zero: a row to its left costs quality, one to its "
    "right gains.",
    "convergence": "Look at where the curves of the chain and of the one map reach the same height, and after how many "
    "steps.",
    "domains": "Look at whether a compressor of several sets stays beside that of the one set.",
    "few_labels": "Look at where each line first rises above the level ones, which need no label.",
    "full_parameter": "Look at whether training the whole backbone rises above the adaptor, and what it takes.",
    "gradients": "Look at how far the two schemes lie apart, and whether that lasts over the epochs.",
    "memory": "Look at where quality stops to rise while time goes on.",
}
"""By the kind of a study, what a reader has to see in its figure."""


def behind(points: Sequence[Point]) -> str:
    """Return where a run is behind and by whom, such as: 24 (pca, -0.012, confirmed) and 12 (pca, -0.001)."""
    return listed(
        f"{point.size} ({point.rival}, {signed(point.difference)}{', confirmed' if point.differs else ''})"
        for point in points
    )


def study_caption(caption: str, kind: str) -> str:
    """Return the caption of a study's figure: what is drawn, and where to look."""
    return f"{caption} {LOOK_AT[kind]}" if kind in LOOK_AT else caption


def figure_caption(found: Sequence[Findings], paper: PaperTable | None = None) -> str:
    """Return the caption of quality over size: what is drawn, and where to look."""
    datasets = listed(dict.fromkeys(one.dataset for one in found))
    told = [
        f"Quality over size for {datasets}: higher is better, and the further left, the more is compressed. One line "
        "per method, mean over seeds; bands are 95 % bootstrap intervals over queries and seeds."
    ]
    if any(one.uncompressed is not None for one in found):
        told.append("The level line is the uncompressed backbone: a method above it compresses and improves.")
    tested = [one for one in found if one.tested]
    if tested:
        wins, points = sum(len(one.ahead) for one in tested), sum(len(one.points) for one in tested)
        told.append(f"{tested[0].tested} is the highest at {wins} of {points} points.")
    told.append("Look at how far each line falls towards the left.")
    if paper is not None:
        read = f", {paper.reading}" if paper.reading else ""
        told.append(
            f"Last panel: the curves of {paper.source}{read}. Data and backbone are others than ours: the order of the "
            "lines and their fall compare, their height does not."
        )
    return " ".join(told)
