"""Text of data in markup, and numbers in words."""

import pytest
from docutils import nodes
from docutils.core import publish_doctree

from smec.errors import SmecError
from smec.reporting.page import formats
from smec.reporting.page.html import html
from smec.reporting.page.markup import Cells, Markup, cell, details, escaped, figure, in_template, prose, table

HOSTILE = ["*bold*", "`x`_", "a_", "|sub|", ".. image:: x", "- item", "1. item", "::", "me@here.org", "<script>", "\\"]


# Text in markup.


@pytest.mark.parametrize("text", HOSTILE)
def test_data_never_becomes_markup(text):
    written = [table(Cells(["", text], [[text, text]]), text), figure("x.png", text, "wide"), f"Ends: {escaped(text)}."]
    tree = publish_doctree(
        "\n\n".join(written), settings_overrides={"report_level": 1, "halt_level": 1, "traceback": True}
    )
    assert [entry.astext() for entry in tree.findall(nodes.entry)] == ["", text, text, text]
    assert tree.next_node(nodes.title).astext() == tree.next_node(nodes.caption).astext() == text
    assert tree.next_node(nodes.image)["alt"] == text
    assert tree.astext().endswith(f"Ends: {text}.")
    markup = (nodes.Inline, nodes.Sequential, nodes.literal_block, nodes.Invisible)
    assert [type(node) for node in tree.findall() if isinstance(node, markup)] == [nodes.image]


def test_markup_passes_and_all_else_is_escaped():
    assert in_template(Markup("**x**")) == "**x**"
    assert in_template("**x**") == r"\*\*x\*\*"
    assert in_template(3) == "3"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("", ""),
        ("0.651 [0.630, 0.672]", r"\ 0.651\ :interval:`[0.630, 0.672]`"),
        ("+0.012 [+0.003, +0.021]†", r"\ +0.012†\ :interval:`[+0.003, +0.021]`"),
        ("a [b] c [d]", r"\ a [b] c [d]"),
    ],
)
def test_an_interval_stands_on_a_line_of_its_own_and_the_mark_with_its_value(text, made):
    assert cell(text) == made


def test_a_docstring_keeps_its_code():
    assert prose("Every `a_b` of *it*.") == r"Every ``a_b`` of \*it\*."
    assert prose("One ` alone") == r"One \` alone"


def test_details_fold():
    page = html(str(details("More", "| a\n| b")))
    assert "<details" in page and "<summary" in page


# Numbers in words.


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("score", 0.7516, "0.752"),
        ("signed", -0.0121, "\N{MINUS SIGN}0.012"),
        ("percent", 0.943, "94 %"),
        ("times", 2.0, "2\N{MULTIPLICATION SIGN}"),
        ("count", 4668, "4,668"),
        ("p_value", 0.0121, ".012"),
        ("p_value", 0.0001, "< .001"),
        ("words", 3, "three"),
        ("words", 40, "40"),
        ("listed", [1, 2, 3], "1, 2 and 3"),
        ("listed", [], ""),
    ],
)
def test_numbers_in_words(name, value, told):
    assert formats.FILTERS[name](value) == told


def test_a_fraction_stays_in_a_ratio():
    assert formats.times(3.5, 1) == "3.5\N{MULTIPLICATION SIGN}"
    assert formats.times(4, 1) == "4\N{MULTIPLICATION SIGN}"


@pytest.mark.parametrize("value", ["0.5", None, True])
def test_a_text_is_not_written_as_a_number(value):
    with pytest.raises(SmecError, match="as a number, which it is not"):
        formats.score(value)
