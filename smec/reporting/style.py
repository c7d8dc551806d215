"""One look per method, in every figure: colour, marker and dash together, so that it also reads in grey.

Colours are those of Okabe and Ito (2008), which the colour-blind can tell apart. A run that is not named here takes the
look of the method whose name its own starts with (`mrl_long` that of `mrl`), else one that follows from its name alone.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLACK, GREY = "#000000", "#7f7f7f"
ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"

SOLID, DASHED, DOTTED, DASHDOT = (0, ()), (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5))
LOOSE, LONG, DASHDOTDOT = (0, (2, 2)), (0, (9, 2)), (0, (6, 1.5, 1, 1.5, 1, 1.5))

SINGLE_COLUMN = 3.4
"""Width of a column of a two-column paper, inches."""
DOUBLE_COLUMN = 7.0
FONT_SIZE = 8
PARAMETERS: Any = {
    "axes.grid": True,
    "axes.labelsize": FONT_SIZE,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": FONT_SIZE,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": FONT_SIZE,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "legend.fontsize": FONT_SIZE - 1,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
    "xtick.labelsize": FONT_SIZE - 1,
    "ytick.labelsize": FONT_SIZE - 1,
}
METRIC_LABELS = {"ndcg@10": "nDCG@10", "mrr@10": "MRR@10"}


@dataclass(frozen=True)
class Style:
    """How a method is drawn; `hollow` markers tell apart two runs of one method in one figure."""

    colour: str
    marker: str
    dash: tuple[float, tuple[float, ...]]
    width: float = 1.0
    hollow: bool = False

    def line(self) -> dict[str, Any]:
        """Return the keyword arguments of matplotlib's `plot`."""
        return {
            "color": self.colour,
            "linestyle": self.dash,
            "linewidth": self.width,
            "marker": self.marker,
            "markersize": 4,
            "markerfacecolor": "white" if self.hollow else self.colour,
            "markeredgecolor": self.colour,
        }


STYLES = {
    "smec_plus": Style(VERMILLION, "o", SOLID, width=1.6),
    "smec": Style(BLUE, "s", SOLID),
    "finetune": Style(PURPLE, "h", SOLID),
    "mrl": Style(GREEN, "^", DASHED),
    "matryoshka_adaptor": Style(PURPLE, "D", DASHDOT),
    "search_adaptor": Style(ORANGE, "v", LOOSE),
    "dive": Style(BLACK, "p", DASHDOT),
    "pca": Style(SKY, "P", LONG),
    "whitening": Style(SKY, "X", DOTTED),
    "learned_whitening": Style(BLACK, "1", DOTTED),
    "truncation": Style(BLACK, "*", DASHDOTDOT),
    "random": Style(GREY, "<", DOTTED),
}
OTHER_COLOURS = (ORANGE, SKY, GREEN, BLUE, PURPLE, GREY)
OTHER_MARKERS = ("p", "h", ">", "d", "8", "H")
OTHER_DASHES = (DASHED, DASHDOT, LOOSE, DOTTED)


def style_of(run: str) -> Style:
    """Return the style of a run by its name alone."""
    bases = [name for name in STYLES if run == name or run.startswith((f"{name}_", f"{name},"))]
    if bases:
        return STYLES[max(bases, key=len)]
    digest = hashlib.sha256(run.encode()).digest()
    return Style(
        OTHER_COLOURS[digest[0] % len(OTHER_COLOURS)],
        OTHER_MARKERS[digest[1] % len(OTHER_MARKERS)],
        OTHER_DASHES[digest[2] % len(OTHER_DASHES)],
    )


def styles_of(runs: Sequence[str]) -> dict[str, Style]:
    """Return the styles of the runs of one figure; a second run of a method gets hollow markers, a third is thin."""
    taken: list[Style] = []
    for run in runs:
        plain = style_of(run)
        variants = [plain, replace(plain, hollow=True), replace(plain, hollow=True, width=0.6)]
        taken.append(next((style for style in variants if style not in taken), plain))
    return dict(zip(runs, taken, strict=True))


def size_axis(axes: "Axes", sizes: Sequence[int]) -> None:
    """Make the x axis one of sizes, rising: logarithmic, a tick at each."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("dimensions")


def metric_label(metric: str) -> str:
    """Return how a metric is written in captions and on axes."""
    return METRIC_LABELS.get(metric, metric)
