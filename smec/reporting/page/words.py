"""Sentences about a table of scores that are too long for a template."""

from collections.abc import Sequence

from smec.paper_values import PaperTable
from smec.reporting.page.findings import Findings, Point
from smec.reporting.page.formats import listed, signed


def behind(points: Sequence[Point]) -> str:
    """Return where a run is behind and by whom, such as: 24 (pca, -0.012, confirmed) and 12 (pca, -0.001)."""
    return listed(
        f"{point.size} ({point.rival}, {signed(point.difference)}{', confirmed' if point.differs else ''})"
        for point in points
    )


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
