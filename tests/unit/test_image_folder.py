"""Local images with labels and captions: the layouts, the tasks, and each fault by name."""

import csv

import numpy as np
import pytest

from smec import datasets
from smec.datasets import reading
from smec.embedding import embed
from smec.errors import SmecError
from smec.store import EmbeddingStore
from tests.tiny_clip import picture

LABELS = [f"label{i}" for i in range(20)]


def rows(per_label=3):
    return [
        {"file": f"{label}_{view}.png", "label": label, "maker": "AB"[view % 2], "name": f"the {label}", "words": "x y"}
        for label in LABELS
        for view in range(per_label)
    ]


def lay_out(folder, listed, **changes):
    """Write the images and the list of them; `changes` replaces cells of the first row."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    for seed, row in enumerate(listed):
        (images / row["file"]).write_bytes(picture(seed, (8, 8)))
    listed = [{**listed[0], **changes}, *listed[1:]]
    with (folder / "images.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, listed[0])
        writer.writeheader()
        writer.writerows(listed)
    return {"kind": "image_folder", "path": str(images), "csv": str(folder / "images.csv")}


def prepared(settings, folder):
    datasets.prepare(settings, folder)
    return reading.manifest(folder)


def judged(folder):
    """Query id -> relevant ids, over all splits."""
    queries, corpus = reading.ids(folder, "queries"), reading.ids(folder, "corpus")
    found = {}
    for split in ("train", "validation", "test"):
        judgements = reading.judgements(folder, split).expanded()
        for place, row in enumerate(judgements.query_rows):
            start, stop = judgements.offsets[place : place + 2]
            found[queries[row]] = {corpus[i] for i in judgements.corpus_rows[start:stop]}
    return found


def test_images_of_a_class_find_one_another(tmp_path):
    manifest = prepared(lay_out(tmp_path, rows()), tmp_path / "set")
    assert manifest["exclude_self"] and manifest["counts"]["corpus"] == 60
    found = judged(tmp_path / "set")
    assert found["label3_1.png"] == {"label3_0.png", "label3_2.png"} and len(found) == 60
    assert reading.modality(tmp_path / "set", "queries") == "image"
    assert reading.images(tmp_path / "set", "corpus", 0, 1)[0].read() == picture(0, (8, 8))
    assert "faults" not in manifest


def test_test_classes_are_not_trained_on(tmp_path):
    prepared(lay_out(tmp_path, rows()), tmp_path / "set")
    ids = reading.ids(tmp_path / "set", "queries")
    of = {name: reading.judgements(tmp_path / "set", name).query_rows for name in ("train", "validation", "test")}
    classes = [{ids[row].split("_")[0] for row in rows} for rows in of.values()]
    assert sum(map(len, classes)) == len(set.union(*classes)) == len(LABELS)


def test_folders_are_labels(tmp_path):
    for seed, label in enumerate(LABELS):
        for view in ("a.png", "deep/b.JPG"):
            file = tmp_path / "images" / label / view
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture(seed, (8, 8), "PNG" if view == "a.png" else "JPEG"))
    (tmp_path / "images" / LABELS[0] / "notes.txt").write_text("no image")
    prepared({"kind": "image_folder", "path": str(tmp_path / "images")}, tmp_path / "set")
    assert judged(tmp_path / "set")["label7/a.png"] == {"label7/deep/b.JPG"}
    (tmp_path / "images" / "stray.png").write_bytes(picture())
    with pytest.raises(SmecError, match=r"stray\.png lies in no folder of a label\. Expected .*/LABEL/image"):
        prepared({"kind": "image_folder", "path": str(tmp_path / "images")}, tmp_path / "set")


def test_folders_are_splits(tmp_path):
    for split in ("train", "val", "test"):
        for label in "ab":
            for view in range(2):
                file = tmp_path / split / label / f"{view}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(picture(size=(8, 8)))
    where = {"split_folders": True, "corpus_where": {"split": ["train", "val"]}}
    manifest = prepared({"kind": "image_folder", "path": str(tmp_path), **where}, tmp_path / "set")
    assert manifest["counts"]["queries"] == {"train": 4, "validation": 4, "test": 4}
    assert judged(tmp_path / "set")["test/a/0.png"] == {f"{s}/a/{v}.png" for s in ("train", "val") for v in (0, 1)}
    assert judged(tmp_path / "set")["train/a/0.png"] == {"train/a/1.png", "val/a/0.png", "val/a/1.png"}


def test_one_makers_images_find_the_others(tmp_path):
    where = {"query_where": {"maker": ["A"]}, "corpus_where": {"maker": ["B"]}}
    prepared(lay_out(tmp_path, rows()) | where, tmp_path / "set")
    assert judged(tmp_path / "set")["label5_2.png"] == {"label5_1.png"}
    assert len(reading.ids(tmp_path / "set", "corpus")) == 20 and len(reading.ids(tmp_path / "set", "queries")) == 40


def test_captions_find_images_and_images_captions(tmp_path):
    captioned = lay_out(tmp_path, rows()) | {"caption": "{name}: {words}"}
    manifest = prepared(captioned | {"task": "text_to_image"}, tmp_path / "t2i")
    assert manifest["images"] == {"corpus": str(tmp_path / "images")}
    assert judged(tmp_path / "t2i")["caption:label4"] == {f"label4_{view}.png" for view in range(3)}
    assert reading.texts(tmp_path / "t2i", "queries", 0, 1) == ["the label0: x y"]
    assert reading.modality(tmp_path / "t2i", "corpus") == "image"
    prepared(captioned | {"task": "image_to_text"}, tmp_path / "i2t")
    assert judged(tmp_path / "i2t")["label4_2.png"] == {"caption:label4"}
    assert reading.modality(tmp_path / "i2t", "corpus") == "text"


def test_captions_may_come_with_the_label_or_be_the_label(tmp_path):
    (tmp_path / "labels.csv").write_text("label,about\n" + "".join(f"{label},all of {label}\n" for label in LABELS))
    settings = lay_out(tmp_path, rows()) | {"task": "text_to_image", "label_csv": str(tmp_path / "labels.csv")}
    prepared(settings | {"caption": "{about}"}, tmp_path / "set")
    assert "all of label9" in reading.texts(tmp_path / "set", "queries")
    settings = lay_out(tmp_path, rows()) | {"task": "text_to_image", "caption": "{words}", "label_column": None}
    with pytest.raises(SmecError, match=r"split 'validation' of .* is empty"):
        prepared(settings, tmp_path / "set")  # one caption for all images: one query


@pytest.fixture
def labelled(tmp_path):
    """A folder per label with two images each, and a csv that says something about each label but one."""
    for seed, label in enumerate(LABELS):
        for view in range(2):
            file = tmp_path / "images" / label / f"{view}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture(seed, (8, 8)))
    lines = [f"{label},all of {label},{'AB'[place % 2]}" for place, label in enumerate(LABELS)]
    (tmp_path / "labels.csv").write_text("\n".join(["label,about,maker", *lines[1:]]) + "\n")
    return {"kind": "image_folder", "path": str(tmp_path / "images"), "label_csv": str(tmp_path / "labels.csv")}


def test_captions_of_labels_are_for_folders_too(labelled, tmp_path):
    captioned = labelled | {"task": "text_to_image", "caption": "{label}: {about}"}
    with pytest.raises(SmecError, match=r"2 of the images of .*: label0/0\.png \(no caption\); label0/1\.png \(no"):
        prepared(captioned, tmp_path / "set")
    prepared(captioned | {"faults": "skip"}, tmp_path / "set")
    assert "label9: all of label9" in reading.texts(tmp_path / "set", "queries")
    assert judged(tmp_path / "set")["caption:label9"] == {"label9/0.png", "label9/1.png"}
    prepared(
        labelled | {"corpus_where": {"maker": ["A"]}, "faults": "skip", "validation_fraction": 0.4}, tmp_path / "some"
    )
    assert {name.split("/")[0] for name in reading.ids(tmp_path / "some", "corpus")} == set(LABELS[2::2])


def test_the_column_that_holds_the_label_of_folders_may_have_another_name(labelled, tmp_path):
    lines = (tmp_path / "labels.csv").read_text().replace("label,", "sort,", 1)
    (tmp_path / "labels.csv").write_text(lines)
    captioned = labelled | {"task": "text_to_image", "caption": "{about}", "faults": "skip"}
    prepared(captioned | {"label_column": "sort"}, tmp_path / "set")
    assert "all of label9" in reading.texts(tmp_path / "set", "queries")
    with pytest.raises(SmecError, match=r"labels\.csv has no column 'label', which `label_column` names"):
        prepared(captioned, tmp_path / "set")


def test_a_label_without_a_line_is_no_missing_column(labelled, tmp_path):
    """The first image has a label that `label_csv` lacks: that image has no caption, and the column is there."""
    settings = lay_out(tmp_path, rows()) | {"label_csv": labelled["label_csv"], "task": "text_to_image"}
    with pytest.raises(SmecError, match=r"3 of the images of .*: label0_0\.png \(no caption\)"):
        prepared(settings | {"caption": "{about}"}, tmp_path / "set")
    manifest = prepared(settings | {"caption": "{about}", "faults": "skip"}, tmp_path / "set")
    assert manifest["images_left_out"] == {"without_caption": 3}
    with pytest.raises(
        SmecError, match=r"images\.csv with .*labels\.csv has no column 'abuot', which `caption` names.*'about'"
    ):
        prepared(settings | {"caption": "{abuot}"}, tmp_path / "set")


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


def test_a_caption_may_be_cut_and_hold_braces(tmp_path):
    settings = lay_out(tmp_path, rows()) | {"caption": "{{{name}}} {words:.1}", "task": "text_to_image"}
    prepared(settings, tmp_path / "set")
    assert reading.texts(tmp_path / "set", "queries", 0, 1) == ["{the label0} x"]


def test_a_caption_of_two_splits_is_not_trained_on(tmp_path):
    """Images of label0 lie in train and in test; as a caption it is asked in test, its training image asks nothing."""
    listed = [{**row, "split": ("train", "val", "test")[place % 3]} for place, row in enumerate(rows(1))]
    listed += [{**listed[0], "file": "again.png", "split": "test"}]
    captioned = lay_out(tmp_path, listed) | {"caption": "{name}", "split_column": "split"}
    prepared(captioned | {"task": "text_to_image"}, tmp_path / "t2i")
    test = reading.judgements(tmp_path / "t2i", "test")
    asked = [reading.ids(tmp_path / "t2i", "queries")[row] for row in test.query_rows]
    assert "caption:label0" in asked and judged(tmp_path / "t2i")["caption:label0"] == {"label0_0.png", "again.png"}
    manifest = prepared(captioned | {"task": "image_to_text"}, tmp_path / "i2t")
    assert manifest["queries_left_out_for_their_captions_split"] == 1
    assert "label0_0.png" not in judged(tmp_path / "i2t") and "again.png" in judged(tmp_path / "i2t")


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


def test_cells_and_values_are_compared_without_spaces_and_one_value_needs_no_list(tmp_path):
    listed = [{**row, "maker": f" {row['maker']} "} for row in rows()]
    where = {"query_where": {"maker": "A"}, "corpus_where": {"maker": "B"}}
    prepared(lay_out(tmp_path, listed) | where, tmp_path / "set")
    assert judged(tmp_path / "set")["label5_2.png"] == {"label5_1.png"}


def test_a_label_on_two_lines_is_told(labelled, tmp_path):
    with (tmp_path / "labels.csv").open("a") as stream:
        stream.write("\nlabel3,again,A\n")
    told = r"Line 22 of .*labels\.csv has 'label3', which line 4 of .*labels\.csv has already"
    with pytest.raises(SmecError, match=told):
        prepared(labelled | {"task": "text_to_image", "caption": "{about}"}, tmp_path / "set")


def test_an_empty_cell_of_an_image_leaves_what_is_said_of_its_label(tmp_path):
    (tmp_path / "labels.csv").write_text("label,words\n" + "".join(f"{label},of {label}\n" for label in LABELS))
    listed = [{**row, "words": "its own" if row["label"] == "label4" else " "} for row in rows()]
    settings = lay_out(tmp_path, listed) | {"label_csv": str(tmp_path / "labels.csv"), "caption": "{label}: {words}"}
    prepared(settings | {"task": "text_to_image"}, tmp_path / "set")
    texts = reading.texts(tmp_path / "set", "queries")
    assert {"label4: its own", "label5: of label5"} < set(texts) and len(texts) == len(LABELS)


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


def published(folder, names):
    listed = [{**row, "split": names[place % len(names)]} for place, row in enumerate(rows())]
    return lay_out(folder, listed) | {"split_column": "split"}


@pytest.mark.parametrize("names", [["train", "val", "train"], ["test"], ["train"]])
def test_whole_classes_complete_published_splits_without_a_test(tmp_path, names):
    manifest = prepared(published(tmp_path, names), tmp_path / "set")
    ids = reading.ids(tmp_path / "set", "queries")
    classes = {
        split: {ids[row].split("_")[0] for row in reading.judgements(tmp_path / "set", split).query_rows}
        for split in ("train", "validation", "test")
    }
    assert classes["train"] and classes["test"] and not classes["train"] & classes["test"]
    assert "whole classes" in manifest["split_rule"]
    if "val" in names:
        assert manifest["counts"]["queries"]["validation"] == 20, "as published"


def test_labels_that_share_a_caption_are_of_one_split(tmp_path):
    """Each caption is that of two labels, so no caption of the test may be trained on under the other label."""
    listed = [{**row, "name": f"pair {LABELS.index(row['label']) // 2}"} for row in rows()]
    for task, role in (("text_to_image", "queries"), ("image_to_text", "corpus")):
        settings = lay_out(tmp_path, listed) | {"task": task, "caption": "{name}", "test_fraction": 0.4}
        manifest = prepared(settings, tmp_path / task)
        assert "share a caption" in manifest["split_rule"]
        captions = dict(zip(reading.ids(tmp_path / task, role), reading.texts(tmp_path / task, role), strict=True))
        of_split = []
        for split in ("train", "validation", "test"):
            asked = [
                reading.ids(tmp_path / task, "queries")[r]
                for r in reading.judgements(tmp_path / task, split).query_rows
            ]
            labels = {captions.get(query) or captions[f"caption:{query.split('_')[0]}"] for query in asked}
            of_split.append(labels)
        assert sum(map(len, of_split)) == len(set.union(*of_split)) == 10


def test_home_is_found_in_every_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "labels.csv").write_text("label,about\n" + "".join(f"{label},{label}\n" for label in LABELS))
    lay_out(tmp_path, rows())
    paths = {"path": "~/images", "csv": "~/images.csv", "label_csv": "~/labels.csv"}
    prepared({"kind": "image_folder", "task": "text_to_image", "caption": "{about}"} | paths, tmp_path / "set")
    _, given = with_vectors(tmp_path)
    at_home = {"path": "~/images", "csv": "~/images.csv", "vectors": ["~/0.npy", "~/1.npy"]}
    settings = datasets.parse({"kind": "image_folder"} | at_home)
    assert [str(path) for path in settings.vectors] == given["vectors"]
    assert settings.sources() == (tmp_path / "images.csv", *settings.vectors)


def test_files_that_are_no_list(tmp_path):
    settings = lay_out(tmp_path, rows())
    (tmp_path / "images.csv").write_text("file,label\na.png,one,two\n")
    with pytest.raises(SmecError, match=r"Line 2 of .* has more cells than the header"):
        prepared(settings, tmp_path / "set")
    (tmp_path / "images.csv").write_bytes(b"file,label\n\xff\xfe,x\n")
    with pytest.raises(
        SmecError, match=r"Line 2 of .*images\.csv is not in UTF-8 \(invalid start byte\)\. Save the file"
    ):
        prepared(settings, tmp_path / "set")
    (tmp_path / "images.csv").write_text('file,label\n"a.png"b,x\n')
    with pytest.raises(SmecError, match=r"images\.csv is not a csv file \("):
        prepared(settings, tmp_path / "set")
    (tmp_path / "images.csv").write_text('file,label,about\n\na.png,x,"two\nlines"\n\n,x,\n')
    with pytest.raises(SmecError, match=r"Line 6 of .*images\.csv has nothing in the column 'file'"):
        prepared(settings, tmp_path / "set")
    (tmp_path / "images.csv").write_text("file,label\n\na.png,x\nb.png,x,y\n")
    with pytest.raises(SmecError, match=r"Line 4 of .* has more cells than the header"):
        prepared(settings, tmp_path / "set")
    (tmp_path / "images.csv").write_bytes(b"file,label\na.png,x\nb\0.png,x\n")
    with pytest.raises(SmecError, match=r"Line 3 of .*images\.csv has a NUL character"):
        prepared(settings, tmp_path / "set")
    (tmp_path / "images.csv").write_text("file,label,label\na.png,x,y\n")
    with pytest.raises(SmecError, match=r"header of .*images\.csv names the column 'label' more than once"):
        prepared(settings, tmp_path / "set")
    (tmp_path / "images.csv").write_text("file,label\n")
    with pytest.raises(SmecError, match=r"lists nothing"):
        prepared(settings, tmp_path / "set")
    with pytest.raises(SmecError, match=r"image folder .*nowhere does not exist"):
        prepared(settings | {"path": str(tmp_path / "nowhere")}, tmp_path / "set")
    (tmp_path / "bare").mkdir()
    with pytest.raises(SmecError, match=r"bare holds no images"):
        prepared({"kind": "image_folder", "path": str(tmp_path / "bare")}, tmp_path / "set")


def test_the_same_files_give_the_same_bytes(tmp_path):
    settings = lay_out(tmp_path, rows())
    manifests = [prepared(settings, tmp_path / name) for name in ("a", "b")]
    assert manifests[0] == manifests[1]


def with_vectors(folder, count=60, scale=3.0):
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(count, width)).astype(np.float16) * np.float16(scale) for width in (4, 6)]
    for place, part in enumerate(parts):
        np.save(folder / f"{place}.npy", part)
    return parts, {"vectors": [str(folder / "0.npy"), str(folder / "1.npy")]}


def test_vectors_stand_in_for_images(tmp_path):
    """Two networks side by side, each at unit length; the images are gone."""
    settings = lay_out(tmp_path, rows())
    for image in (tmp_path / "images").iterdir():
        image.unlink()
    parts, given = with_vectors(tmp_path)
    where = {"query_where": {"maker": ["A"]}, "corpus_where": {"maker": ["B"]}}
    prepared(settings | where | given, tmp_path / "set")
    assert datasets.parse(settings | given).modality("corpus") == "vectors"
    embed(tmp_path / "set", {"kind": "precomputed", "dim": 10}, "queries", tmp_path / "store")
    joined = np.concatenate([p / np.linalg.norm(p.astype(np.float32), axis=1, keepdims=True) for p in parts], axis=1)
    listed = [row["file"] for row in rows()]
    expected = joined[[listed.index(name) for name in reading.ids(tmp_path / "set", "queries")]] / np.sqrt(2)
    np.testing.assert_allclose(EmbeddingStore.open(tmp_path / "store")[:], expected, atol=1e-3)
    assert judged(tmp_path / "set")["label5_2.png"] == {"label5_1.png"}


@pytest.mark.parametrize(
    ("counts", "zero", "told"),
    [
        ((60, 59), None, r"1\.npy has 59 rows, but .*0\.npy has 60"),
        ((59, 59), None, r"0\.npy has 59 rows, but .*images\.csv lists 60 images"),
        ((60, 60), 7, r"The vector of 'label2_1\.png' for .*1\.npy is all zeros"),
    ],
)
def test_vectors_that_do_not_fit(tmp_path, counts, zero, told):
    settings = lay_out(tmp_path, rows())
    parts, given = with_vectors(tmp_path)
    if zero is not None:
        parts[1][zero] = 0
    for place, count in enumerate(counts):
        np.save(tmp_path / f"{place}.npy", parts[place][:count])
    with pytest.raises(SmecError, match=told):
        prepared(settings | given, tmp_path / "set")
    with pytest.raises(SmecError, match=r"`vectors` need a `csv`"):
        datasets.parse(settings | given | {"task": "text_to_image", "caption": "{name}"})
