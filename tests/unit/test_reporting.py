"""Reporting: what the tables say, that figures repeat byte for byte, and faults in the metrics files."""

import errno
import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from smec.errors import SmecError
from smec.evaluation import SCHEMA
from smec.paper_values import TABLES
from smec.reporting import style
from smec.reporting.console import main_table
from smec.reporting.figures import draw, write_figure
from smec.reporting.scores import MetricsFile, read_scores
from smec.reporting.summary import COLUMNS, View, summarise
from smec.reporting.tables import markdown, write_tables

QUERIES = 60
VIEW = View(rows=(("smec_plus", "SMEC+"), ("mrl", "MRL"), ("truncation", "Truncation")))
LEVELS = {"smec_plus": (0.7, 0.5), "mrl": (0.6, 0.5), "truncation": (0.5, 0.3)}


def store(root, dataset, method, seed, values, sizes=(16, 8), metric="ndcg@10"):
    """Write one metrics file from `values`, {size: value of each query}."""
    path = root / dataset / "minilm" / method / f"seed{seed}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    count = len(values[sizes[0]])
    columns = {
        "query_id": [f"q{i}" for i in range(count)] * len(sizes),
        "dim": pa.array(np.repeat(sizes, count), pa.int32()),
        "metric": [metric] * count * len(sizes),
        "value": np.concatenate([values[size] for size in sizes]),
    }
    pq.write_table(pa.table(columns, schema=SCHEMA), path)
    return path


def scores_of(method, dataset, seed):
    """Each query's own difficulty, the level of the method, and a little noise of this run."""
    shared = np.random.default_rng([7, len(dataset)]).normal(0, 0.1, QUERIES)
    noise = np.random.default_rng([seed, len(method), len(dataset)]).normal(0, 0.02, (2, QUERIES))
    return {
        size: level + shared + noise[i] for i, (size, level) in enumerate(zip((16, 8), LEVELS[method], strict=True))
    }


@pytest.fixture
def files(tmp_path):
    runs = [("smec_plus", 0), ("smec_plus", 1), ("mrl", 0), ("mrl", 1), ("truncation", 0)]
    return [store(tmp_path, "docs", method, seed, scores_of(method, "docs", seed)) for method, seed in runs]


@pytest.fixture
def scores(files):
    return read_scores(files)


@pytest.fixture
def summary(scores):
    return summarise(scores, VIEW)


def row(summary, method, dim, reference=False):
    found = summary[(summary["method"] == method) & (summary["dim"] == dim) & (summary["reference"] == reference)]
    assert len(found) == 1
    return found.iloc[0]


def test_scores_carry_their_run(scores):
    assert list(scores.columns) == ["dataset", "backbone", "method", "seed", "query_id", "dim", "metric", "value"]
    assert len(scores) == 5 * 2 * QUERIES
    runs = scores[["dataset", "backbone", "method", "seed"]].drop_duplicates()
    assert set(runs.itertuples(index=False, name=None)) == {
        ("docs", "minilm", "mrl", 0),
        ("docs", "minilm", "mrl", 1),
        ("docs", "minilm", "smec_plus", 0),
        ("docs", "minilm", "smec_plus", 1),
        ("docs", "minilm", "truncation", 0),
    }


def test_a_run_can_be_named_explicitly(tmp_path, files):
    elsewhere = files[0].rename(tmp_path / "anything.parquet")
    frame = read_scores([MetricsFile(elsewhere, "set", "clip", "mine", 4)])
    assert frame.iloc[0][["dataset", "backbone", "method", "seed"]].tolist() == ["set", "clip", "mine", 4]


def test_summary_numbers(summary, scores):
    assert list(summary.columns) == list(COLUMNS)
    assert summary.groupby("method").size().to_dict() == {"mrl": 2, "smec_plus": 2, "truncation": 3}
    for method, dim in itertools.product(LEVELS, (16, 8)):
        cell = row(summary, method, dim)
        values = scores[(scores["method"] == method) & (scores["dim"] == dim)]["value"]
        assert cell["mean"] == pytest.approx(values.mean())
        assert cell["low"] < cell["mean"] < cell["high"]
        assert 0.01 < cell["high"] - cell["low"] < 0.1
        assert (cell["n_queries"], cell["n_seeds"]) == (QUERIES, 1 if method == "truncation" else 2)


def test_the_uncompressed_backbone_is_a_row_of_its_own(summary):
    first = summary.iloc[0]
    assert (first["label"], first["dim"], first["reference"], first["best"]) == ("uncompressed", 16, True, False)
    assert first["mean"] == row(summary, "truncation", 16)["mean"]


def test_no_reference_where_the_full_width_was_not_run(scores):
    wide = View(rows=VIEW.rows, widths={"minilm": 32})
    assert not summarise(scores, wide)["reference"].any()
    assert not summarise(scores, View(rows=VIEW.rows, reference=None))["reference"].any()


def test_reference_need_not_be_a_row_of_the_view(scores):
    table = summarise(scores, View(rows=VIEW.rows[:2]))
    assert table["method"].tolist() == ["truncation", "smec_plus", "smec_plus", "mrl", "mrl"]


def test_best_and_test(summary):
    """At 16 SMEC+ leads clearly; at 8 it is level with MRL."""
    clear, level = row(summary, "smec_plus", 16), row(summary, "smec_plus", 8)
    assert (clear["best"], clear["rival"], clear["significant"]) == (True, "mrl", True)
    assert clear["difference"] == pytest.approx(0.1, abs=0.01)
    assert clear["p"] == 1e-4
    assert clear["p_holm"] == 2e-4
    assert (level["rival"], level["significant"]) == ("mrl", False)
    assert level["p_holm"] == level["p"] > 0.05
    assert summary.loc[~summary["reference"]].groupby("dim")["best"].sum().tolist() == [1, 1]
    assert summary.loc[summary["method"] != "smec_plus", "p"].isna().all()


def test_a_view_is_a_list_of_runs(scores):
    table = summarise(scores, View(rows=(("truncation", "Cut"), ("mrl", "Parallel")), tested=None))
    assert table["label"].drop_duplicates().tolist() == ["uncompressed", "Cut", "Parallel"]
    assert table["p"].isna().all()


def test_parts_of_a_set_are_averaged_before_the_sets(tmp_path, files):
    parts = [store(tmp_path, name, m, 0, scores_of(m, name, 0)) for m in LEVELS for name in ("cqa.a", "cqa.bb")]
    groups = {"cqa.a": "cqa", "cqa.bb": "cqa"}
    table = summarise(read_scores([*files, *parts]), View(rows=VIEW.rows, groups=groups))
    assert table["dataset"].drop_duplicates().tolist() == ["cqa.a", "cqa.bb", "docs", "cqa", "average"]
    found = table[(table["method"] == "mrl") & (table["dim"] == 8)].set_index("dataset")
    mean = found["mean"]
    assert mean["cqa"] == pytest.approx((mean["cqa.a"] + mean["cqa.bb"]) / 2)
    assert mean["average"] == pytest.approx((mean["cqa"] + mean["docs"]) / 2)
    assert found["n_datasets"].to_dict() == {"cqa.a": 1, "cqa.bb": 1, "docs": 1, "cqa": 2, "average": 3}
    assert found["n_queries"]["average"] == 3 * QUERIES
    assert "(mean over its 2 parts, 120 test queries, mean over 1 seed)" in markdown(table, "t")


def test_average_over_datasets(tmp_path, files):
    other = [store(tmp_path, "papers", m, 0, scores_of(m, "papers", 0)) for m in LEVELS]
    table = summarise(read_scores([*files, *other]), VIEW)
    assert table["dataset"].drop_duplicates().tolist() == ["docs", "papers", "average"]
    means = table[(table["method"] == "mrl") & (table["dim"] == 8)].set_index("dataset")
    assert means["mean"]["average"] == pytest.approx((means["mean"]["docs"] + means["mean"]["papers"]) / 2)
    assert means["n_queries"]["average"] == 2 * QUERIES
    widths = means["high"] - means["low"]
    assert widths["average"] < min(widths["docs"], widths["papers"])
    assert table[table["dataset"] == "average"]["significant"].sum() == 1


def test_tables(summary, tmp_path):
    paths = write_tables(summary, tmp_path / "out" / "main", "Equal cost & more")
    assert [path.name for path in paths] == ["main.csv", "main.md", "main.tex"]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["main.csv", "main.md", "main.tex"]
    stored = pd.read_csv(paths[0])
    pd.testing.assert_frame_equal(stored.fillna({"rival": ""}), summary, check_dtype=False)

    lines = paths[1].read_text().splitlines()
    cell = row(summary, "smec_plus", 16)
    assert f"**{cell['mean']:.3f}**† [{cell['low']:.3f}, {cell['high']:.3f}]" in lines[next_line(lines, "| SMEC+")]
    assert lines[next_line(lines, "| method")].split()[3:6:2] == ["16", "8"]
    assert lines[next_line(lines, "| uncompressed")].count("[") == 1
    assert "60 test queries, mean over 1 to 2 seeds" in lines[-1]
    assert "Holm-adjusted over the 2 sizes" in lines[-1]

    latex = paths[2].read_text()
    assert rf"\textbf{{{cell['mean']:.3f}}}$^\dagger$ {{\scriptsize [{cell['low']:.3f}, {cell['high']:.3f}]}}" in latex
    assert r"\caption{Equal cost \& more: docs, minilm. nDCG@10" in latex
    assert r"95 \% bootstrap" in latex
    assert r"p $<$ 0.05" in latex
    assert r"\label{tab:main:docs:minilm}" in latex
    assert r"\toprule" in latex


def next_line(lines, start):
    return next(i for i, line in enumerate(lines) if line.startswith(start))


def test_the_mark_goes_to_the_better_of_the_two(scores):
    """Where the tested run loses, its rival carries the mark and the bold face."""
    text = markdown(summarise(scores, View(rows=VIEW.rows, tested="mrl")), "t")
    lines = text.splitlines()
    assert "**†" in lines[next_line(lines, "| SMEC+")]
    assert "†" not in lines[next_line(lines, "| MRL")]


def test_console(summary):
    text = main_table(summary, "Main table")
    lines = text.splitlines()
    assert lines[0] == "Main table"
    best = lines[next_line(lines, "SMEC+")].split()
    assert best[1] == f"{row(summary, 'smec_plus', 16)['mean']:.3f}*†"
    assert "[" not in text
    assert all(line == line.rstrip() for line in lines)


def test_figure_files_repeat_byte_for_byte(summary, tmp_path):
    first, again = write_figure(summary, tmp_path / "a" / "f"), write_figure(summary, tmp_path / "b" / "f")
    assert [path.name for path in first] == ["f.pdf", "f.png"]
    for left, right in zip(first, again, strict=True):
        assert left.read_bytes() == right.read_bytes()
    assert first[0].read_bytes().startswith(b"%PDF")
    assert b"CreationDate" not in first[0].read_bytes()
    assert first[1].read_bytes().startswith(b"\x89PNG")


def test_figure_content(summary):
    figure = draw(summary)
    (axes,) = figure.axes
    assert figure.get_figwidth() == 3.4
    assert axes.get_xscale() == "log"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["8", "16"]
    assert axes.get_ylabel() == "nDCG@10"
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert list(lines) == ["SMEC+", "MRL", "Truncation", "uncompressed (16)"]
    assert lines["MRL"].get_xdata().tolist() == [8, 16]
    assert lines["MRL"].get_color() == style.STYLES["mrl"].colour
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(lines)
    assert len(axes.collections) == 3


def test_the_papers_curves_have_a_panel_of_their_own(summary, tmp_path):
    paper = TABLES["fashion200k_image_to_text"]
    figure = draw(summary.assign(method=summary["method"].replace("mrl", "smec")), paper)
    ours, theirs = figure.axes
    assert figure.get_figwidth() == 7.0 and theirs.get_title() == "paper: Fashion-200K, image to text, LLM2CLIP"
    drawn = {line.get_label(): line for line in theirs.get_lines()}
    own = {line.get_label(): line for line in ours.get_lines()}
    assert drawn.keys() == {"PCA", "Search-Adaptor", "Matryoshka-Adaptor", "MRL"}, "SMEC has the label of our run"
    assert drawn["MRL"].get_color() == own["MRL"].get_color() != drawn["PCA"].get_color()
    assert drawn["MRL"].get_xydata()[0].tolist() == [128, 0.225] and len(drawn["MRL"].get_xdata()) == 5
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(legend) == len(set(legend)) and set(legend) == drawn.keys() | own.keys()
    assert [path.suffix for path in write_figure(summary, tmp_path / "f", paper)] == [".pdf", ".png"]


def test_figure_of_one_size(scores):
    assert len(draw(summarise(scores[scores["dim"] == 8], VIEW)).axes) == 1


def test_drawing_changes_no_global_setting(summary, tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    write_figure(summary, tmp_path / "f")
    assert dict(matplotlib.rcParams) == before


def test_known_methods_differ_in_marker_and_in_colour_with_dash():
    assert len({known.marker for known in style.STYLES.values()}) == len(style.STYLES)
    assert len({(known.colour, known.dash) for known in style.STYLES.values()}) == len(style.STYLES)


def test_styles_follow_from_the_name_alone():
    assert style.style_of("smec_plus_long") == style.STYLES["smec_plus"]
    assert style.style_of("smec_long") == style.STYLES["smec"]
    assert style.style_of("my_method") == style.style_of("my_method")
    assert style.style_of("my_method").marker not in {known.marker for known in style.STYLES.values()}
    two = style.styles_of(["mrl", "mrl_long", "pca"])
    assert not two["mrl"].hollow
    assert two["mrl_long"].hollow
    assert two["mrl_long"].colour == two["mrl"].colour


def test_styles_are_of_methods_that_exist():
    from smec.compressors import method_names

    assert set(style.STYLES) <= set(method_names())


def test_faults_in_the_list_of_files(files, tmp_path):
    with pytest.raises(SmecError, match="no metrics files"):
        read_scores([])
    with pytest.raises(SmecError, match="does not say which run it is of"):
        read_scores([tmp_path / "scores.parquet"])
    with pytest.raises(SmecError, match="are both of run docs/minilm/smec_plus/0"):
        read_scores([files[0], files[0]])
    with pytest.raises(SmecError, match=r"seed9.parquet does not exist"):
        read_scores([files[0].with_name("seed9.parquet")])


def test_a_damaged_file_is_told(files):
    files[0].write_bytes(files[0].read_bytes()[:100])
    with pytest.raises(SmecError, match=r"seed0.parquet is not a readable parquet file"):
        read_scores(files)


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda t: t.drop_columns(["dim"]), "has the columns"),
        (lambda t: t.set_column(3, "value", pa.array([np.nan] * len(t))), "NaN or infinite"),
        (lambda t: pa.concat_tables([t, t]), "two scores for one query"),
    ],
)
def test_wrong_content_is_told(files, change, told):
    pq.write_table(change(pq.ParquetFile(files[0]).read()), files[0])
    with pytest.raises(SmecError, match=told):
        read_scores(files)


def test_faults_in_the_view(scores):
    with pytest.raises(SmecError, match=r"'smec_pluss' of the view has no scores. Did you mean 'smec_plus'"):
        summarise(scores, View(rows=(("smec_pluss", "S"),)))
    with pytest.raises(SmecError, match=r"No run was scored by 'map'; the metrics are \['ndcg@10'\]"):
        summarise(scores, VIEW, metric="map")


def test_runs_on_other_queries_are_told(tmp_path, files):
    fewer = {size: values[:50] for size, values in scores_of("mrl", "docs", 1).items()}
    store(tmp_path, "docs", "mrl", 1, fewer)
    with pytest.raises(SmecError, match="of other queries"):
        summarise(read_scores(files), VIEW)


def test_a_full_disk_leaves_nothing_half_written(summary, tmp_path, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("smec.files._flush", full)
    with pytest.raises(SmecError, match="The disk is full"):
        write_tables(summary, tmp_path / "out" / "t", "t")
    with pytest.raises(SmecError, match="The disk is full"):
        write_figure(summary, tmp_path / "out" / "f")
    assert list((tmp_path / "out").iterdir()) == []
