"""The end of a run in a terminal: tables of views and of studies, and where the files lie."""

import pandas as pd
import pytest

from smec.errors import SmecError
from smec.files import write_json
from smec.jobs import summary
from smec.reporting.display import write_display_tables


@pytest.fixture
def results(tmp_path):
    table = pd.DataFrame({"96": ["0.655", "0.708†"]}, index=pd.Index(["MRL", "SMEC (all)"], name="row"))
    write_display_tables(table, tmp_path / "tables" / "ablation", "Ablation", "Mean over 1 seed.")
    told = {"title": "Ablation", "caption": "Mean over 1 seed.", "findings": [], "numbers": {}}
    write_json(tmp_path / "numbers/ablation.json", told)
    (tmp_path / "report.html").write_text("<p>")
    return tmp_path


def test_a_study_is_printed_with_title_and_caption(results):
    told = summary.text([results / "tables/ablation.csv"], results)
    assert told.startswith("Ablation\n") and "Mean over 1 seed." in told and f"  {results}/report.html" in told
    assert [line.split("  ")[-1].strip() for line in told.splitlines() if line.startswith("SMEC")] == ["0.708†"]


def test_a_table_of_nothing_known_is_told(results):
    (results / "numbers/ablation.json").unlink()
    with pytest.raises(SmecError, match=r"ablation\.csv (cannot be read as|is not) a table of scores"):
        summary.text([results / "tables/ablation.csv"], results)
