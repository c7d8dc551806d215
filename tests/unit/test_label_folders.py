"""Images in folders of labels: links are followed, and what is no image is counted."""

import os

import pytest

from smec import datasets
from smec.datasets.image_faults import Faults
from smec.datasets.label_folders import labelled_images, walk
from smec.errors import SmecError
from tests.image_sets import LABELS, judged, label_folders, prepared


@pytest.fixture
def images(tmp_path):
    return label_folders(tmp_path / "images")


def settings_of(images):
    return {"kind": "image_folder", "path": str(images)}


def found(root, depth=2, policy="error"):
    return labelled_images(root, depth, Faults(policy, str(root)))


def test_a_label_that_is_a_link_is_read(images, tmp_path):
    (images / "label7").rename(tmp_path / "elsewhere")
    (images / "label7").symlink_to(tmp_path / "elsewhere")
    (images / "label8" / "deep").symlink_to(tmp_path / "elsewhere")
    prepared(settings_of(images), tmp_path / "set")
    assert judged(tmp_path / "set")["label7/0.png"] == {"label7/1.png"}
    assert judged(tmp_path / "set")["label8/0.png"] == {"label8/1.png", "label8/deep/0.png", "label8/deep/1.png"}
    linked = (images / "label7", images / "label8" / "deep")
    assert datasets.parse(settings_of(images)).sources() == (images, *linked), "an edit behind a link builds it anew"


def test_the_labels_of_a_list_are_read_beside_the_folders(images, tmp_path):
    (tmp_path / "labels.csv").write_text("label,about\n")
    more = {"label_csv": str(tmp_path / "labels.csv"), "caption": "{about}"}
    assert datasets.parse(settings_of(images) | more).sources() == (images, tmp_path / "labels.csv")
    assert datasets.parse(settings_of(tmp_path / "nowhere")).sources() == (tmp_path / "nowhere",)


def test_a_link_to_an_outer_folder_is_not_followed_and_told(images, caplog):
    (images / "label3" / "all").symlink_to(images)
    (images / "label4" / "outside").symlink_to(images.parent)
    files = found(images).files
    assert ("label3", "0.png") in files and not any("all" in parts for parts in files)
    assert not any(parts.count("images") > 0 for parts in files)
    assert "label3/all links to a folder that it is in" in caplog.text


def test_the_order_is_that_of_the_names(images):
    walked = walk(images)
    assert walked.images == sorted(walked.images) and walked.folders == sorted(walked.folders)
    assert found(images).files == sorted((label, f"{view}.png") for label in LABELS for view in range(2))


def test_files_of_other_suffixes_are_counted(images, tmp_path, caplog):
    for name in ("0.heic", "1.HEIC", "note", ".hidden", "deep/2.avif"):
        (images / "label5" / name).parent.mkdir(exist_ok=True)
        (images / "label5" / name).touch()
    (images / "README.md").touch()
    (images / ".cache").mkdir()
    (images / ".cache" / "x.txt").touch()
    manifest = prepared(settings_of(images), tmp_path / "set")
    assert manifest["files_of_other_suffixes"] == {"": 1, ".avif": 1, ".heic": 2}
    assert "4 files are not used, such as " in caplog.text and "label5/0.heic. Images end in .bmp, .gif" in caplog.text


def test_nothing_is_said_of_folders_with_images_only(images, tmp_path, caplog):
    assert "files_of_other_suffixes" not in prepared(settings_of(images), tmp_path / "set")
    assert "not used" not in caplog.text


def test_a_label_without_an_image_is_told(images, tmp_path):
    (images / "bare").mkdir()
    (images / "phone").mkdir()
    for name in "ba":
        (images / "phone" / f"{name}.heic").touch()
    (images / "gone").symlink_to(tmp_path / "gone")
    told = (
        r"3 of the label folders of .*/images hold no image: bare \(it is empty\); gone \(it is a link to nothing\); "
    )
    with pytest.raises(SmecError, match=told + r"phone \(only other files, such as .*phone/a\.heic\)\. Fill or remove"):
        prepared(settings_of(images), tmp_path / "set")
    manifest = prepared(settings_of(images) | {"faults": "skip"}, tmp_path / "set")
    assert manifest["labels_left_out"] == {"label_without_images": 3}
    assert list(manifest["faults"]["label_without_images"]) == ["bare", "gone", "phone"]


def test_a_label_of_a_split_without_an_image_is_told(tmp_path):
    for place in ("train/a", "train/b", "test/a"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "x.png").touch()
    assert found(tmp_path, 3).files == [("test", "a", "x.png"), ("train", "a", "x.png"), ("train", "b", "x.png")]
    (tmp_path / "test" / "b" / "deep").mkdir(parents=True)
    with pytest.raises(SmecError, match=r"hold no image: test/b \(it is empty\)"):
        found(tmp_path, 3)


def test_other_files_alone_are_no_images(tmp_path):
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "a.heic").touch()
    with pytest.raises(
        SmecError, match=r"holds no images \(.*\)\. It has other files, such as .*a\.heic; convert them"
    ):
        found(tmp_path)


def test_a_link_to_an_image_that_is_gone_is_a_fault(images, tmp_path):
    (images / "label2" / "2.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(SmecError, match=r"label2/2\.png \(No such file"):
        prepared(settings_of(images), tmp_path / "set")


def test_links_in_a_circle_are_no_folders(images):
    (images / "label2" / "one").symlink_to(images / "label2" / "two")
    (images / "label2" / "two").symlink_to(images / "label2" / "one")
    assert found(images).others == {"": 2}


def test_a_name_that_is_no_text_is_told(images):
    with open(os.fsencode(images / "label2") + b"/\xff.png", "wb"):  # noqa: PTH123
        pass
    with pytest.raises(SmecError, match=r"The name '\\udcff\.png' in .*label2 is not in UTF-8\. Rename it"):
        found(images)
