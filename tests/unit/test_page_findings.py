"""What a table of scores says, worked out by hand."""

import pytest

from smec.reporting.page.findings import findings
from tests.page_material import by_hand


def test_findings_of_a_run_that_wins_twice_and_loses_once():
    (found,) = findings(by_hand())
    assert (found.tested, found.width, found.uncompressed) == ("MINE", 8, 0.5)
    assert [point.size for point in found.ahead] == [8, 4] and [point.size for point in found.behind] == [2]
    assert found.full.size == 8 and [point.size for point in found.smaller] == [4, 2]
    assert found.lossless.size == 4, "equal to the uncompressed vectors counts"
    last = found.points[-1]
    assert (last.rival, last.differs) == ("OTHER", True)
    assert last.rival_mean == pytest.approx(0.4) and last.difference == pytest.approx(-0.1)


def test_a_gap_ends_what_is_lossless():
    frame = by_hand()
    frame.loc[2, "mean"], frame.loc[3, "mean"] = 0.49, 0.6
    (found,) = findings(frame)
    assert found.lossless.size == 8, "a size below one that loses does not count"


def test_findings_without_a_test_and_without_a_reference():
    frame = by_hand().iloc[1:].assign(rival="")
    (found,) = findings(frame)
    assert (found.tested, found.uncompressed, found.points, found.lossless, found.full) == ("", None, (), None, None)
