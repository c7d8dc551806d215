"""Local images whose list, options or files have a fault: each is told by name, most before an image is read."""

import pytest

from smec import datasets
from smec.datasets import reading
from smec.errors import SmecError
from tests.image_sets import lay_out, prepared, rows, with_list_of_labels, with_vectors


@pytest.fixture
def labelled(tmp_path):
    return with_list_of_labels(tmp_path)


@pytest.mark.parametrize(
    "caption", ["{name", "name}", "{name!z}", "{name:d}", "{}", "{0}", "{name[0]}", "{name.upper}"]
)
def test_a_caption_that_cannot_be_filled_in_is_told(caption):
    with pytest.raises(SmecError) as fault:
        datasets.parse({"kind": "image_folder", "path": "images", "caption": caption})
    told = f"{caption!r} cannot be filled in ("
    assert told in str(fault.value) and "put columns in braces, such as '{name}: {keywords}'" in str(fault.value)


def test_a_caption_without_a_column_is_told():
    for caption in ("", "name", "{{name}}"):
        with pytest.raises(SmecError, match=r"names no column; put columns in braces"):
            datasets.parse({"kind": "image_folder", "path": "images", "caption": caption})


def broken(folder):
    settings = lay_out(folder, rows())
    (folder / "images" / "label1_0.png").write_text("no image")
    (folder / "images" / "label2_0.png").unlink()
    return settings, {}, r"label1_0\.png \(not an image of a known format\); label2_0\.png \(No such file"


def alone(folder):
    """A query of a class that has no document."""
    listed = [*rows(), {**rows()[0], "file": "one.png", "label": "alone", "maker": "C"}]
    return (
        lay_out(folder, listed),
        {"corpus_where": {"maker": ["A", "B"]}},
        r"one\.png \(no other image of the class 'alone' to find\)",
    )


def silent(folder):
    settings = lay_out(folder, rows(), words="")
    return settings, {"task": "image_to_text", "caption": "{name}: {words}"}, r"label0_0\.png \(no caption\)"


@pytest.mark.parametrize(("case", "left_out"), [(broken, 2), (alone, 1), (silent, 1)])
def test_images_that_cannot_be_used_are_named_or_skipped_and_counted(tmp_path, case, left_out, caplog):
    settings, task, told = case(tmp_path)
    with pytest.raises(
        SmecError, match=rf"{left_out} of the images of .*images\.csv cannot be used: {told}.*faults: skip"
    ):
        prepared(settings | task, tmp_path / "set")
    manifest = prepared(settings | task | {"faults": "skip"}, tmp_path / "set")
    assert sum(manifest["images_left_out"].values()) == left_out == sum(map(len, manifest["faults"].values()))
    assert manifest["counts"]["queries_without_judgements_dropped"] == 0
    assert "left out" in caplog.text


@pytest.mark.parametrize(
    ("values", "cells", "told"),
    [
        ({"label_column": "lable"}, {}, r"no column 'lable', which `label_column` names\. Did you mean 'label'\?"),
        ({"caption": "{nmae}", "task": "text_to_image"}, {}, r"no column 'nmae', which `caption`.*'name'"),
        ({"query_where": {"mkaer": ["A"]}}, {}, r"no column 'mkaer', which `query_where`.*'maker'"),
        ({"split_column": "maker"}, {}, r"unknown split 'A'"),
        ({}, {"label": " "}, r"Line 2 of .*images\.csv has nothing in the column 'label'"),
        ({"task": "text_to_image"}, {}, r"needs `caption`, such as '\{label\}'"),
        ({"label_column": None}, {}, r"`label_column: null` needs"),
        ({"split_folders": True}, {}, r"use `split_column`"),
        (
            {"corpus_where": {"maker": ["A", "C"]}},
            {},
            r"No image of .*images\.csv has 'C' in the column 'maker', which `corpus_where` asks for\..*: A, B\.",
        ),
        ({"query_where": {"name": ["the labell9"]}}, {}, r"`query_where` asks for\. Did you mean 'the label9'\?"),
        (
            {"query_where": {"maker": ["A"], "label": ["odd"]}},
            {"label": "odd", "maker": "B"},
            r"`query_where: \{'maker': \['A'\], 'label': \['odd'\]\}` fits none of the 60 images",
        ),
        ({"corpus_where": {"maker": []}}, {}, r"`corpus_where: \{'maker': \[\]\}` fits none of the 60 images"),
        ({"query_where": {"maker": 1}}, {}, r"query_where\.maker: Input should be a valid (tuple|array)"),
        ({}, {"file": "label0_1.png"}, r"Line 3 of .*images\.csv has 'label0_1\.png', which line 2 of .* has already"),
        ({"path": "~nobody-has-this-name/photos"}, {}, r"path: `~` stands for no folder here"),
    ],
)
def test_a_wrong_list_is_told(tmp_path, values, cells, told):
    settings = lay_out(tmp_path, rows(), **cells)
    with pytest.raises(SmecError, match=told):
        prepared(settings | values, tmp_path / "set")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"csv": "a.csv", "task": "text_to_image", "caption": "{a}", "query_where": {"a": ["b"]}},
            r"`query_where` chooses images, but the queries of 'text_to_image' are captions; use `corpus_where`",
        ),
        (
            {"csv": "a.csv", "task": "image_to_text", "caption": "{a}", "corpus_where": {"a": ["b"]}},
            r"`corpus_where` chooses images, but the documents of 'image_to_text' are captions; use `query_where`",
        ),
        ({"file_column": "photo"}, r"`file_column` names a column of a `csv`, and there is none: folders are labels"),
        ({"split_column": "split"}, r"`split_column` names a column of a `csv`, and there is none"),
        ({"label_column": "sort"}, r"`label_column` names a column of a `csv`, and there is none"),
        ({"label_csv": "labels.csv"}, r"`label_csv` has columns for `caption`, .* and none of these is given"),
    ],
)
def test_an_option_without_effect_is_refused(values, told):
    with pytest.raises(SmecError, match=told):
        datasets.parse({"kind": "image_folder", "path": "images"} | values)


def test_a_list_of_labels_that_nothing_uses_is_refused(labelled, tmp_path):
    told = r"use no column of .*labels\.csv, which `label_csv` names\. Use one of \['about', 'maker'\]"
    with pytest.raises(SmecError, match=told):
        prepared(labelled | {"task": "text_to_image", "caption": "{label}"}, tmp_path / "set")


def test_a_label_on_two_lines_is_told(labelled, tmp_path):
    with (tmp_path / "labels.csv").open("a") as stream:
        stream.write("\nlabel3,again,A\n")
    told = r"Line 22 of .*labels\.csv has 'label3', which line 4 of .*labels\.csv has already"
    with pytest.raises(SmecError, match=told):
        prepared(labelled | {"task": "text_to_image", "caption": "{about}"}, tmp_path / "set")


@pytest.mark.parametrize("faults", ["error", "skip"])
@pytest.mark.parametrize(
    ("values", "cells", "told"),
    [
        ({}, {"file": "label0_1.png"}, r"has already"),
        ({"caption": "{words}", "task": "text_to_image"}, {}, r"split 'train' of .* is empty.*share a caption"),
        ({"caption": "{gone}", "task": "text_to_image"}, {}, r"no column 'gone'"),
        ({"corpus_where": {"maker": "C"}}, {}, r"`corpus_where`"),
        ({"split_column": "name"}, {"name": "tset"}, r"unknown split"),
        ({"test_fraction": 1e-9}, {}, r"split 'test' of .* is empty"),
    ],
)
def test_a_list_is_judged_before_an_image_is_decoded(tmp_path, monkeypatch, values, cells, told, faults):
    settings = lay_out(tmp_path, rows(), **cells) | values | {"faults": faults}
    monkeypatch.setattr("smec.datasets.image_sets.inspect", lambda *_: pytest.fail("an image was read"))
    with pytest.raises(SmecError, match=told):
        prepared(settings, tmp_path / "set")


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ({"label": "alone"}, r"label0_0\.png \(no other image of the class 'alone'"),
        ({"name": ""}, r"label0_0\.png \(no caption\)"),
    ],
)
def test_images_that_the_list_leaves_without_use_are_told_before_an_image_is_decoded(tmp_path, monkeypatch, case, told):
    settings = lay_out(tmp_path, rows(), **case)
    task = {"task": "text_to_image", "caption": "{name}"} if "name" in case else {}
    monkeypatch.setattr("smec.datasets.image_sets.inspect", lambda *_: pytest.fail("an image was read"))
    with pytest.raises(SmecError, match=told):
        prepared(settings | task, tmp_path / "set")


def test_a_list_is_judged_before_vectors_are_read(tmp_path, monkeypatch):
    settings = lay_out(tmp_path, rows(), label="alone")
    _, given = with_vectors(tmp_path)
    monkeypatch.setattr("smec.datasets.image_folder.side_by_side", lambda *_: pytest.fail("vectors were read"))
    with pytest.raises(SmecError, match=r"no other image of the class 'alone'"):
        prepared(settings | given, tmp_path / "set")


def test_what_is_skipped_is_logged_once(tmp_path, caplog):
    settings, values, _ = alone(tmp_path)
    prepared(settings | values | {"faults": "skip"}, tmp_path / "set")
    assert caplog.text.count("1 images are left out: one.png") == 1


def test_an_unreadable_image_that_leaves_another_alone_is_judged_after_reading(tmp_path):
    settings = lay_out(tmp_path, rows(2)) | {"faults": "skip"}
    (tmp_path / "images" / "label3_0.png").write_text("no image")
    manifest = prepared(settings, tmp_path / "set")
    assert manifest["images_left_out"] == {"unreadable": 1} and manifest["queries_not_asked"] == {"alone": 1}
    assert list(manifest["faults"]["alone"]) == ["label3_1.png"]


def test_a_document_that_has_nothing_to_find_remains_a_document(tmp_path):
    listed = [*rows(), {**rows()[0], "file": "one.png", "label": "alone"}]
    settings = lay_out(tmp_path, listed)
    with pytest.raises(
        SmecError, match=r"to be queries and have nothing to find: one\.png .*are then documents"
    ) as told:
        prepared(settings, tmp_path / "set")
    assert "emove" not in str(told.value)
    manifest = prepared(settings | {"faults": "skip"}, tmp_path / "set")
    assert manifest["queries_not_asked"] == {"alone": 1} and "images_left_out" not in manifest
    assert "one.png" in reading.ids(tmp_path / "set", "corpus")
    assert "one.png" not in reading.ids(tmp_path / "set", "queries")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"file,label\na.png,one,two\n", r"Line 2 of .* has more cells than the header"),
        (
            b"file,label\n\xff\xfe,x\n",
            r"Line 2 of .*images\.csv is not in UTF-8 \(invalid start byte\)\. Save the file",
        ),
        (b'file,label\n"a.png"b,x\n', r"images\.csv is not a csv file \("),
        (b'file,label,about\n\na.png,x,"two\nlines"\n\n,x,\n', r"Line 6 of .*csv has nothing in the column 'file'"),
        (b"file,label\n\na.png,x\nb.png,x,y\n", r"Line 4 of .* has more cells than the header"),
        (b"file,label\na.png,x\nb\0.png,x\n", r"Line 3 of .*images\.csv has a NUL character"),
        (b"file,label,label\na.png,x,y\n", r"header of .*images\.csv names the column 'label' more than once"),
        (b"file,label\n", r"lists nothing"),
    ],
)
def test_files_that_are_no_list(tmp_path, content, told):
    settings = lay_out(tmp_path, rows())
    (tmp_path / "images.csv").write_bytes(content)
    with pytest.raises(SmecError, match=told):
        prepared(settings, tmp_path / "set")


def test_folders_that_are_missing_or_empty(tmp_path):
    settings = lay_out(tmp_path, rows())
    with pytest.raises(SmecError, match=r"image folder .*nowhere does not exist"):
        prepared(settings | {"path": str(tmp_path / "nowhere")}, tmp_path / "set")
    (tmp_path / "bare").mkdir()
    with pytest.raises(SmecError, match=r"bare holds no images"):
        prepared({"kind": "image_folder", "path": str(tmp_path / "bare")}, tmp_path / "set")
