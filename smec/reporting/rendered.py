"""What a study looks like: a table, a figure, a caption, and the numbers that a text may quote."""

from collections.abc import Mapping
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
        caption: what to see in both, with the numbers that say so.
        numbers: by name, for texts to quote.
    """

    table: "pd.DataFrame"
    figure: "Figure"
    caption: str
    numbers: Mapping[str, float | str] = field(default_factory=dict)
