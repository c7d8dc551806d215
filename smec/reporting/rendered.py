"""What a study looks like: a table, a figure, a caption, what came out, and the numbers that a text may quote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Rendered:
    """A study as a reader sees it.

    Attributes:
        table: as it is shown, every cell a string; the index names the rows.
        figure: for a column of a paper.
        caption: what table and figure show, and how it was measured.
        findings: what came out, as sentences with the numbers that say so; the first is the one to read.
        numbers: by name, for texts to quote.
    """

    table: "pd.DataFrame"
    figure: "Figure"
    caption: str
    findings: Sequence[str]
    numbers: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def full_caption(self) -> str:
        """Caption and findings, for a table that stands alone."""
        return " ".join([self.caption, *self.findings])
