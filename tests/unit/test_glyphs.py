"""Drawings of characters: each the same whenever it is drawn, no two alike, pairs as the task wants them."""

import io

import numpy as np
import pytest
from PIL import Image

from smec import datasets
from smec.datasets import reading
from smec.datasets.glyph_drawing import FONTS, characters, drawing, font_folder, font_of
from smec.datasets.glyphs import GlyphsSettings, select
from smec.errors import SmecError
from tests.image_sets import judged, prepared


@pytest.fixture(scope="module")
def known():
    return characters(6)


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)), dtype=np.int64)


def test_characters_are_named_distinct_and_in_enough_fonts(known):
    assert len(known) > 3000
    assert all(len(character.fonts) >= 6 and character.name == character.name.lower() for character in known)
    names = {character.text: character.name for character in known}
    assert names["A"] == "latin capital letter a"
    assert "\u0391" not in names, "Alpha looks like A"
    assert "\u03b1" in names and not {" ", "\u0301", "\u00ad"} & names.keys()


def test_a_drawing_depends_on_nothing_but_its_arguments(known):
    letter = next(character for character in known if character.text == "g")
    first = [drawing(letter, number, 0, 32) for number in range(6)]
    assert first == [drawing(letter, number, 0, 32) for number in range(6)]
    assert len(set(first)) == 6
    assert drawing(letter, 0, 1, 32) != first[0]
    assert pixels(first[0]).shape == (32, 32) and pixels(drawing(letter, 0, 0, 48)).shape == (48, 48)


def test_every_drawing_shows_its_character_dark_on_light(known):
    for character in known[:: len(known) // 60]:
        ink = 255 - pixels(drawing(character, 0, 0, 32))
        assert np.median(ink) < 100 and ink.max() > 60, character.name


def test_fonts_take_turns(known):
    letter = next(character for character in known if character.text == "g")
    drawn = [font_of(letter, number, 0) for number in range(len(letter.fonts))]
    assert sorted(drawn) == sorted(letter.fonts) and set(letter.fonts) <= set(FONTS)
    assert font_of(letter, len(letter.fonts), 0) == drawn[0]


def test_the_parts_share_no_character(known):
    parts = [select(known, GlyphsSettings(part=part, max_characters=9999)) for part in ("retrieval", "pretraining")]
    texts = [{character.text for character in part} for part in parts]
    assert not texts[0] & texts[1] and len(texts[0] | texts[1]) == len(known)
    fewer = select(known, GlyphsSettings(max_characters=100))
    assert {character.text for character in fewer} < texts[0] and len(fewer) == 100


SMALL = {"kind": "glyphs", "max_characters": 30, "queries_per_character": 2, "documents_per_character": 3}


def test_drawings_find_other_drawings(tmp_path):
    manifest = prepared(SMALL, tmp_path)
    assert manifest["characters"] == 30 and manifest["counts"]["corpus"] == 90
    assert sum(manifest["counts"]["queries"].values()) == 60
    query, found = next(iter(judged(tmp_path).items()))
    character = query.split("/")[0]
    assert found == {f"{character}/{number:02d}" for number in (2, 3, 4)}
    assert reading.modality(tmp_path, "queries") == "image"
    assert pixels(reading.images(tmp_path, "corpus", 0, 1)[0].read()).shape == (32, 32)


@pytest.mark.parametrize(("task", "queries", "documents"), [("text_to_image", 30, 90), ("image_to_text", 60, 30)])
def test_drawings_and_names_find_each_other(tmp_path, task, queries, documents):
    counts = prepared(SMALL | {"task": task}, tmp_path)["counts"]
    assert sum(counts["queries"].values()) == queries and counts["corpus"] == documents
    texts = reading.texts(tmp_path, "queries" if task == "text_to_image" else "corpus")
    assert len(texts) == 30 and all(text == text.lower() for text in texts)


def test_characters_of_the_test_are_not_trained_on(tmp_path):
    prepared(SMALL | {"task": "image_to_text"}, tmp_path)
    ids, groups = reading.ids(tmp_path, "queries"), []
    for split in ("train", "validation", "test"):
        groups.append({ids[row].split("/")[0] for row in reading.judgements(tmp_path, split).query_rows})
    assert sum(map(len, groups)) == len(set.union(*groups)) == 30


def test_the_same_settings_give_the_same_bytes(tmp_path):
    manifests = [prepared(SMALL, tmp_path / name) for name in "ab"]
    assert manifests[0] == manifests[1]


def test_fonts_that_are_not_there_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SmecError, match=r"font DejaVuSans\.ttf of matplotlib was not found\. Install matplotlib again"):
        font_folder()


def test_nothing_to_draw_is_told(tmp_path):
    with pytest.raises(SmecError, match="nothing to draw: 30 characters, 0 times"):
        prepared(SMALL | {"queries_per_character": 0, "documents_per_character": 0}, tmp_path)
    with pytest.raises(SmecError, match="nothing to draw: 0 characters"):
        prepared(SMALL | {"min_fonts": 99}, tmp_path)
    with pytest.raises(SmecError, match="no other image of the class"):
        prepared(SMALL | {"documents_per_character": 0}, tmp_path)
    assert datasets.parse(SMALL).modality("corpus") == "image"


def test_without_distortion_only_font_and_thickness_differ():
    character = characters(16)[0]
    numbers = range(4 * len(character.fonts))
    clean = {drawing(character, number, 0, 32, distortion=0.0) for number in numbers}
    assert len(clean) <= 3 * len(character.fonts) < len({drawing(character, number, 0, 32) for number in numbers})
    assert drawing(character, 0, 0, 32, distortion=1.0) == drawing(character, 0, 0, 32)
