"""Local images with labels and captions: the layouts, the tasks and the splits."""

import pytest

from smec import datasets
from smec.datasets import reading
from smec.errors import SmecError
from tests.image_sets import LABELS, judged, lay_out, prepared, rows, with_list_of_labels, with_vectors
from tests.tiny_clip import picture


@pytest.fixture
def labelled(tmp_path):
    return with_list_of_labels(tmp_path)


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


def test_cells_and_values_are_compared_without_spaces_and_one_value_needs_no_list(tmp_path):
    listed = [{**row, "maker": f" {row['maker']} "} for row in rows()]
    where = {"query_where": {"maker": "A"}, "corpus_where": {"maker": "B"}}
    prepared(lay_out(tmp_path, listed) | where, tmp_path / "set")
    assert judged(tmp_path / "set")["label5_2.png"] == {"label5_1.png"}


def test_an_empty_cell_of_an_image_leaves_what_is_said_of_its_label(tmp_path):
    (tmp_path / "labels.csv").write_text("label,words\n" + "".join(f"{label},of {label}\n" for label in LABELS))
    listed = [{**row, "words": "its own" if row["label"] == "label4" else " "} for row in rows()]
    settings = lay_out(tmp_path, listed) | {"label_csv": str(tmp_path / "labels.csv"), "caption": "{label}: {words}"}
    prepared(settings | {"task": "text_to_image"}, tmp_path / "set")
    texts = reading.texts(tmp_path / "set", "queries")
    assert {"label4: its own", "label5: of label5"} < set(texts) and len(texts) == len(LABELS)


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


def test_the_same_files_give_the_same_bytes(tmp_path):
    settings = lay_out(tmp_path, rows())
    manifests = [prepared(settings, tmp_path / name) for name in ("a", "b")]
    assert manifests[0] == manifests[1]
