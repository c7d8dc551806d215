"""The published numbers agree with each other and with what is claimed of them: a slip of the pen would show."""

import pytest

from smec import paper_values as paper

SUBSETS = {"LLM2Vec-1B", "LLM2Vec-1B with SMEC"}
"""Rows of a narrower backbone than the rest of their table."""


@pytest.mark.parametrize("name", paper.TABLES)
def test_all_rows_of_a_table_have_the_same_sizes_and_gain_with_each(name):
    table = paper.TABLES[name]
    sizes = list(table.rows[table.baseline])
    assert sizes == sorted(sizes)
    for row, values in table.rows.items():
        assert list(values) == sizes[: len(values)] and (row in SUBSETS or len(values) == len(sizes))
        shares = list(table.shares(row).values())
        assert shares == sorted(shares) and shares[0] > 0.1 and shares[-1] < 0.9


@pytest.mark.parametrize("name", [name for name in paper.TABLES if name != "quora"])
def test_the_last_row_is_the_best_at_every_size(name):
    rows = list(paper.TABLES[name].rows.values())
    assert all(values[size] <= rows[-1][size] for values in rows for size in values)


def test_shares_of_a_table_in_percent():
    assert paper.TABLES["beir_llm2vec"].shares("PCA")[128] == pytest.approx(0.312)
    assert paper.TABLES["ablation"].shares("MRL")[64] == 0.3726


def test_the_margins_of_the_abstract_are_those_of_the_table():
    rows = paper.BEIR_LLM2VEC
    for rival, margin in paper.MARGINS_AT_256.items():
        assert rows["SMEC"][256] - rows[rival][256] == pytest.approx(margin)


def test_the_ratios_of_the_gradients_are_within_the_ranges_of_the_paper():
    """The sizes are printed with few digits late in training: `slack` is half a unit of the last one."""
    smrl, mrl = paper.GRADIENTS["smrl"], paper.GRADIENTS["mrl"]
    least, most = paper.GRADIENT_VARIANCE_RATIO
    assert all(least < mrl[epoch].variance / smrl[epoch].variance < most for epoch in mrl)
    for scheme, epochs in paper.GRADIENTS.items():
        low, high = paper.GRADIENT_HALF_RATIO[scheme]
        for gradient in epochs.values():
            slack = 0.0005
            assert low <= (gradient.low + slack) / (gradient.high - slack)
            assert (gradient.low - slack) / (gradient.high + slack) <= high


def test_the_ends_of_the_claims():
    assert all(ads > truncation for ads, truncation in paper.ACHIEVEMENT_RATE.values())
    seconds, quality = zip(*paper.MEMORY.values(), strict=True)
    assert list(seconds) == sorted(seconds) and list(quality) == sorted(quality)
    assert paper.MEMORY_SIZE in paper.MEMORY
    assert all(list(curve.values()) == sorted(curve.values(), reverse=True) for curve in paper.LOSS.values())
    for backbone, times in paper.LOSSLESS.items():
        plain, better = paper.QUORA[backbone], paper.QUORA[f"{backbone} with SMEC"]
        assert better[max(plain) // times] >= plain[max(plain)]
