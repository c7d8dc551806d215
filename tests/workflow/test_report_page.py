"""The report in a browser, on a phone, on a desktop and on paper: nothing overlaps, nothing is fetched, tables sort."""

import itertools
import shutil

import pytest
from playwright.sync_api import sync_playwright

from smec.jobs import report
from tests.page_material import build

pytestmark = pytest.mark.workflow

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIZES = {"phone": (390, 844), "desktop": (1280, 900), "wide": (1920, 1080)}
PAPER = (680, 1000)
"""Of A4 between the margins, in CSS pixels."""
BOXES = """() => [...document.querySelectorAll(
    'main > h1, main > p, main > ul, section > h2, section > h3, section > p, section > ul, section > .scroll, ' +
    'section > details, figure img, figcaption, nav.contents')].map((element) => {
  const box = element.getBoundingClientRect();
  const name = element.tagName + ' ' + (element.alt ?? element.textContent).trim().slice(0, 40);
  const edge = element.closest('figure')?.getBoundingClientRect().right ?? Infinity;  // it scrolls
  return {name, left: box.left, top: box.top + scrollY, right: Math.min(box.right, edge), bottom: box.bottom + scrollY};
})"""
COLUMN = "(table, column) => [...table.tBodies[0].rows].map((row) => row.cells[column].innerText.split('\\n')[0])"
ROUNDING = 0.5
PATIENCE = 180_000
"""Milliseconds; a page is there in one second, and on a machine with other work in many."""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    report.run(build(folder / "results"), folder / "results", folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser():
    found = [path for path in map(shutil.which, BROWSERS) if path]
    if not found:
        pytest.skip("there is no browser: `make browser` installs Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found[0], timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def said():
    """What pages say in the console, and what they ask of the network: nothing."""
    return []


@pytest.fixture(scope="module")
def opened(browser, page_file, said):
    """Returns a report at a size, opened once and with its tables sortable."""
    pages = {}

    def open_at(size, file=page_file, **settings):
        key = (file, size, *settings)
        if key not in pages:
            context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **settings)
            context.set_default_timeout(PATIENCE)
            pages[key] = page = context.new_page()
            page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda request: said.append(request.url) if _is_outside(request.url) else None)
            page.goto(file.as_uri())
            if not settings:
                page.wait_for_function("document.querySelectorAll('table.sortable:not(.dataTable)').length === 0")
        return pages[key]

    return open_at


@pytest.fixture(autouse=True)
def quiet(said):
    yield
    assert said == [], "no error, no warning, nothing fetched"


def _is_outside(url):
    return not url.startswith(("data:", "blob:", "file:"))


def click_until(head, order):
    """Click, and wait for the order: `descending`, `ascending` or `` for that of the page."""
    head.click()
    head.locator(f"xpath=self::*[@aria-sort='{order}']" if order else "xpath=self::*[not(@aria-sort)]").wait_for()


def overlapping(boxes):
    def share(one, other):
        wide = min(one["right"], other["right"]) - max(one["left"], other["left"])
        high = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
        return min(wide, high)

    return [(a["name"], b["name"]) for a, b in itertools.combinations(boxes, 2) if share(a, b) > ROUNDING]


def test_the_checks_see_a_bad_page(browser):
    asked = []
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.route("**", lambda route: route.abort())
    page.set_content(
        "<main><h1>One</h1><section><h2 style='margin-top: -40px'>Two</h2><figure><img src='http://192.0.2.1/x.png'>"
        "</figure></section></main>"
    )
    boxes = page.evaluate(BOXES)
    page.close()
    assert ("H1 One", "H2 Two") in overlapping(boxes)
    assert [url for url in asked if _is_outside(url)] == ["http://192.0.2.1/x.png"]


@pytest.mark.parametrize("name", SIZES)
def test_nothing_overflows_and_nothing_overlaps(opened, name):
    page = opened(SIZES[name])
    assert page.evaluate("document.documentElement.scrollWidth") == SIZES[name][0]
    boxes = page.evaluate(BOXES)
    assert len(boxes) > 30
    assert [box["name"] for box in boxes if box["left"] < 0 or box["right"] > SIZES[name][0] + ROUNDING] == []
    assert overlapping(boxes) == []


@pytest.mark.parametrize("name", SIZES)
def test_the_page_of_a_run_is_whole_with_all_its_figures(opened, smoke, name):
    page = opened(SIZES[name], smoke / "results/report.html")
    assert page.evaluate("document.documentElement.scrollWidth") == SIZES[name][0]
    boxes = page.evaluate(BOXES)
    assert [box["name"] for box in boxes if box["left"] < 0 or box["right"] > SIZES[name][0] + ROUNDING] == []
    assert overlapping(boxes) == []
    shown = page.eval_on_selector_all("img", "all => all.map(image => image.naturalWidth)")
    assert len(shown) == len(list((smoke / "results/figures").glob("[!.]*.png"))) > 3 and min(shown) > 0


def test_nothing_overflows_and_nothing_overlaps_on_paper(opened):
    page = opened(PAPER)
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") == PAPER[0]
    assert overlapping([box for box in page.evaluate(BOXES) if box["bottom"] > box["top"]]) == []
    assert page.evaluate(
        "[...document.querySelectorAll('.scroll')].every((box) => box.scrollHeight <= box.clientHeight + 1)"
    )
    assert page.evaluate("document.querySelector('details pre').getBoundingClientRect().height") > 100


@pytest.mark.parametrize("name", SIZES)
def test_every_figure_is_loaded_and_told_in_words(opened, name):
    images = opened(SIZES[name]).eval_on_selector_all(
        "img", "all => all.map(image => [image.naturalWidth, image.clientWidth, image.alt])"
    )
    assert len(images) == 2
    for natural, shown, told in images:
        assert natural > 0 and shown > 250 and len(told) > 60


def test_a_table_sorts_by_number_and_back(opened):
    page = opened(SIZES["desktop"])
    table = page.locator("table.sortable", has=page.locator("caption", has_text="docs, minilm")).first
    (head,) = (cell for cell in table.locator("thead th").all() if cell.inner_text().strip() == "8")
    column = table.locator("thead th").all_inner_texts().index(head.inner_text())
    before = table.evaluate(COLUMN, column)

    def numbers():
        return [float(text.rstrip("†")) for text in table.evaluate(COLUMN, column) if text]

    click_until(head, "descending")
    assert numbers() == sorted(numbers(), reverse=True) != sorted(numbers())
    click_until(head, "ascending")
    assert numbers() == sorted(numbers())
    click_until(head, "")
    assert table.evaluate(COLUMN, column) == before


def test_signs_and_powers_sort_by_value(opened):
    page = opened(SIZES["desktop"])
    table = page.locator("table.sortable", has=page.locator("th", has_text="paper")).first
    heads = table.locator("thead th").all()
    place = next(i for i, head in enumerate(heads) if head.inner_text().strip() == "difference")
    click_until(heads[place], "descending")
    told = [text.rstrip("†‡").replace("\N{MINUS SIGN}", "-") for text in table.evaluate(COLUMN, place) if text.strip()]
    values = [float(text) for text in told]
    assert values == sorted(values, reverse=True) and min(values) < 0 < max(values)


def test_a_column_of_texts_sorts_as_texts_and_the_keyboard_will_do(opened):
    page = opened(SIZES["phone"])
    table = page.locator("table.sortable", has=page.locator("caption", has_text="docs, minilm")).first
    title = table.locator("thead th").first.locator("[role=button], [tabindex]").first
    title.focus()
    page.keyboard.press("Enter")
    table.locator("th[aria-sort=ascending]").wait_for()
    names = table.evaluate(COLUMN, 0)
    assert names == sorted(names) and len(names) > 5


def test_the_page_reads_without_javascript(opened):
    page = opened(SIZES["phone"], java_script_enabled=False)
    assert page.locator("table.sortable tbody tr").count() > 30
    assert (
        "0." in page.locator("table.sortable tbody td").nth(10).inner_text() or page.get_by_text("docs, minilm").count()
    )
    assert page.locator("figure img").count() == 2


def test_headings_are_in_order_and_each_link_of_the_contents_has_its_place(opened):
    page = opened(SIZES["desktop"])
    levels = page.eval_on_selector_all("h1, h2, h3, h4, h5, h6", "all => all.map(head => Number(head.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    links = page.eval_on_selector_all(
        "nav.contents a", "all => all.map(a => a.hash === '#top' || document.getElementById(a.hash.slice(1)) !== null)"
    )
    assert len(links) > 8 and all(links)
    assert page.get_attribute("html", "lang") == "en" and page.title().startswith("Smaller embeddings")


def test_a_wide_table_scrolls_in_its_own_box(opened):
    page = opened(SIZES["phone"])
    wide = page.eval_on_selector_all(
        ".scroll", "all => all.map(box => [box.scrollWidth, box.clientWidth, box.tabIndex])"
    )
    assert any(inside > box for inside, box, _ in wide)
    assert all(place == 0 for *_, place in wide), "the keyboard reaches it"


def test_text_and_ground_are_far_enough_apart(opened):
    """Dark on light: contrast of at least 4.5, as WCAG asks."""
    page = opened(SIZES["desktop"])
    colours = page.evaluate(
        """() => ['p', 'figcaption', 'td', '.interval', 'p.note', 'nav.contents a', 'a.reference.external']
             .map((name) => getComputedStyle(document.querySelector(name)).color.match(/\\d+/g).map(Number))"""
    )
    assert all(1.05 / (luminance(colour) + 0.05) >= 4.5 for colour in colours)


def luminance(colour):
    parts = (value / 255 for value in colour[:3])
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
