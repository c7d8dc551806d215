"""Products-10K and Fashion-200K, in small folders of exactly the layouts that their owners distribute."""

import pytest

from smec import datasets
from smec.datasets import reading
from smec.errors import SmecError
from tests.image_sets import judged, prepared
from tests.tiny_clip import picture


@pytest.fixture
def products(tmp_path):
    """Twenty products, three training photos each and one of the test."""
    root = tmp_path / "products10k"
    train = [(f"{i}.jpg", str(i // 3), str(i // 30)) for i in range(60)]
    test = [(f"{i}.jpg", str(i), "Public") for i in range(20)]
    for name, header, listed in (
        ("train", "name,class,group", train),
        ("test_kaggletest", "name,class,Usage", test),
    ):
        folder = root / name.split("_")[0]
        folder.mkdir(parents=True)
        (root / f"{name}.csv").write_text("\n".join([header, *map(",".join, listed)]) + "\n")
        for seed, (photo, *_) in enumerate(listed):
            (folder / photo).write_bytes(picture(seed, (8, 8), "JPEG"))
    return root


def test_test_photos_find_training_photos_of_their_product(products, tmp_path):
    manifest = prepared({"kind": "products10k", "path": str(products)}, tmp_path / "set")
    found = judged(tmp_path / "set")
    assert found["test/4.jpg"] == {"train/12.jpg", "train/13.jpg", "train/14.jpg"}
    assert found["train/13.jpg"] == {"train/12.jpg", "train/14.jpg"}
    assert manifest["counts"]["corpus"] == 60 and manifest["counts"]["queries"]["test"] == 20
    assert manifest["exclude_self"] and manifest["images"]["queries"] == str(products)


@pytest.mark.parametrize(
    ("gallery", "found"), [("test", set()), ("all", {"train/12.jpg", "train/13.jpg", "train/14.jpg"})]
)
def test_the_gallery_is_a_choice(products, tmp_path, gallery, found):
    settings = {"kind": "products10k", "path": str(products), "gallery": gallery}
    if not found:
        with pytest.raises(SmecError, match=r"test/0\.jpg \(no other image of the class '0' to find\)"):
            prepared(settings, tmp_path / "set")
        return
    prepared(settings, tmp_path / "set")
    assert judged(tmp_path / "set")["test/4.jpg"] == found


def test_what_is_missing_of_products10k_is_named_with_its_source(products, tmp_path):
    (products / "test_kaggletest.csv").unlink()
    for photo in (products / "test").iterdir():
        photo.unlink()
    told = datasets.parse({"kind": "products10k", "path": str(products)}).missing()
    assert "lacks test_kaggletest.csv, test/." in told and "products-10k.github.io" in told
    with pytest.raises(SmecError, match=r"lacks test_kaggletest\.csv, test/"):
        prepared({"kind": "products10k", "path": str(products)}, tmp_path / "set")


def test_a_list_of_another_set_is_told(products, tmp_path):
    (products / "train.csv").write_text("image,label\n1.jpg,2\n")
    with pytest.raises(SmecError, match=r"train\.csv has the columns \['image', 'label'\]; Products-10K's has name"):
        prepared({"kind": "products10k", "path": str(products)}, tmp_path / "set")
    with pytest.raises(SmecError, match=r"task: Input should be 'image' \(given: 'text_to_image'\)"):
        prepared({"kind": "products10k", "path": str(products), "task": "text_to_image"}, tmp_path / "set")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (b"0.jpg,0,0\n1.jpg,\xe9t\xe9,0\n", r"Line 3 of .*train\.csv is not in UTF-8 \(.*\)\. Save the file as UTF-8"),
        (b"0.jpg,0,0\n1.jpg,,0\n2.jpg\n", r"Line 3 of .*train\.csv has nothing in the column 'class'"),
        (b"0.jpg\n", r"Line 2 of .*train\.csv has nothing in the column 'class'"),
        (b",1,0\n", r"Line 2 of .*train\.csv has nothing in the column 'name'"),
        (b"0.jpg,0,0,0\n", r"Line 2 of .*train\.csv has more cells than the header"),
        (b"", r"train\.csv lists no photos\. Get it again from https://products-10k"),
    ],
)
def test_a_line_of_products10k_that_cannot_be_read_is_told(products, tmp_path, lines, told):
    (products / "train.csv").write_bytes(b"name,class,group\n" + lines)
    with pytest.raises(SmecError, match=told):
        prepared({"kind": "products10k", "path": str(products)}, tmp_path / "set")


CATEGORIES = {"dress": "dresses", "jacket": "jackets", "pants": "pants", "skirt": "skirts", "top": "tops"}


@pytest.fixture
def fashion(tmp_path):
    """Per category and split six products, two photos each; the two red dresses of test share a description."""
    root = tmp_path / "fashion200k"
    (root / "labels").mkdir(parents=True)
    for category, place in CATEGORIES.items():
        for split, first in (("train", 0), ("test", 6)):
            lines = []
            for product in range(first, first + 6):
                photos = [f"women/{place}/casual/{product}/{product}_{view}.jpeg" for view in range(2)]
                caption = (
                    "red dress" if (category, product) in (("dress", 6), ("dress", 7)) else f"{category} {product}"
                )
                for photo in photos:
                    (root / photo).parent.mkdir(parents=True, exist_ok=True)
                    (root / photo).write_bytes(picture(product, (8, 8), "JPEG"))
                    lines.append(f"{photo}\t0.694\t{caption}\n")
            (root / "labels" / f"{category}_{split}_detect_all.txt").write_text("".join(lines))
    return root


def test_descriptions_find_photos(fashion, tmp_path):
    manifest = prepared({"kind": "fashion200k", "path": str(fashion)}, tmp_path / "set")
    found = judged(tmp_path / "set")
    assert found["caption:skirt 3"] == {f"women/skirts/casual/3/3_{view}.jpeg" for view in range(2)}
    assert len(found["caption:red dress"]) == 4
    assert manifest["counts"]["corpus"] == 120 and manifest["counts"]["queries"]["test"] == 29
    assert "red dress" in reading.texts(tmp_path / "set", "queries")


def test_photos_find_descriptions(fashion, tmp_path):
    manifest = prepared({"kind": "fashion200k", "path": str(fashion), "task": "image_to_text"}, tmp_path / "set")
    assert judged(tmp_path / "set")["women/dresses/casual/7/7_1.jpeg"] == {"caption:red dress"}
    assert manifest["counts"]["corpus"] == 59 and manifest["counts"]["queries"]["test"] == 60


def test_what_is_missing_of_fashion200k_is_named_with_its_source(fashion, tmp_path):
    (fashion / "labels" / "top_test_detect_all.txt").unlink()
    told = datasets.parse({"kind": "fashion200k", "path": str(fashion)}).missing()
    assert "lacks labels/top_test_detect_all.txt." in told and "xthan/fashion-200k" in told
    with pytest.raises(SmecError, match="lacks labels/top_test"):
        prepared({"kind": "fashion200k", "path": str(fashion)}, tmp_path / "set")
    everything = datasets.parse({"kind": "fashion200k", "path": str(tmp_path / "nowhere")}).missing()
    assert "women/dresses/, women/jackets/, women/pants/, women/skirts/, women/tops/." in everything


def test_a_category_that_was_not_unpacked_is_told(fashion, tmp_path):
    (fashion / "women" / "skirts").rename(tmp_path / "skirts")
    with pytest.raises(SmecError, match=r"it lacks women/skirts/\. Put there what .*xthan/fashion-200k"):
        prepared({"kind": "fashion200k", "path": str(fashion)}, tmp_path / "set")


@pytest.mark.parametrize("faults", ["error", "skip"])
@pytest.mark.parametrize(
    ("kind", "gone", "told"),
    [
        ("fashion200k", 8, r"of the 120 photos that its lists name it lacks 8, such as women/.*xthan/fashion-200k"),
        ("products10k", 5, r"of the 80 photos that its lists name it lacks 5, such as test/0\.jpg.*products-10k\."),
    ],
)
def test_a_set_that_is_unpacked_in_part_is_told_before_a_photo_is_read(
    request, tmp_path, monkeypatch, kind, gone, told, faults
):
    root = request.getfixturevalue(kind.rstrip("0123456789k"))
    for photo in sorted(root.rglob("*.jp*g"))[:gone]:
        photo.unlink()
    monkeypatch.setattr("smec.datasets.image_sets.inspect", lambda *_: pytest.fail("an image was read"))
    with pytest.raises(SmecError, match=told):
        prepared({"kind": kind, "path": str(root), "faults": faults}, tmp_path / "set")


def test_a_few_missing_photos_are_faults(products, tmp_path):
    (products / "train" / "7.jpg").unlink()
    settings = {"kind": "products10k", "path": str(products)}
    with pytest.raises(SmecError, match=r"1 of the images of .*train/7\.jpg \(No such file"):
        prepared(settings, tmp_path / "set")
    assert prepared(settings | {"faults": "skip"}, tmp_path / "set")["images_left_out"] == {"unreadable": 1}


def test_a_folder_in_a_folder_of_its_name_is_told(products, tmp_path):
    inner = products / "train" / "train"
    (products / "train").rename(tmp_path / "train")
    (products / "train").mkdir()
    (tmp_path / "train").rename(inner)
    (products / "train" / ".DS_Store").touch()
    with pytest.raises(SmecError, match=r"products10k/train holds another folder train, .*Move them up"):
        prepared({"kind": "products10k", "path": str(products)}, tmp_path / "set")


def test_a_photo_that_is_listed_twice_is_told(products, fashion, tmp_path):
    with (products / "train.csv").open("a") as stream:
        stream.write("\n3.jpg,7,0\n")
    with pytest.raises(SmecError, match=r"Line 63 of .*train\.csv has '3\.jpg', which line 5 of .*train\.csv has alr"):
        prepared({"kind": "products10k", "path": str(products)}, tmp_path / "set")
    first = (fashion / "labels" / "top_train_detect_all.txt").read_text().splitlines()[2]
    with (fashion / "labels" / "top_test_detect_all.txt").open("a") as stream:
        stream.write(first + "\n")
    with pytest.raises(SmecError, match=r"Line 13 of .*top_test_\S+ has '.*/1_0\.jpeg', which line 3 of .*top_train_"):
        prepared({"kind": "fashion200k", "path": str(fashion)}, tmp_path / "set")


def test_empty_lines_at_the_end_of_a_list_are_none(fashion, tmp_path):
    file = fashion / "labels" / "pants_train_detect_all.txt"
    file.write_text(file.read_text() + "\n\n")
    assert prepared({"kind": "fashion200k", "path": str(fashion)}, tmp_path / "set")["counts"]["corpus"] == 120
    file.write_text("\n")
    with pytest.raises(SmecError, match=r"pants_train_detect_all\.txt lists no photos\. Get it again"):
        prepared({"kind": "fashion200k", "path": str(fashion)}, tmp_path / "set")


def test_a_list_cut_short_is_told(fashion, tmp_path):
    file = fashion / "labels" / "pants_train_detect_all.txt"
    file.write_text(file.read_text()[:-20])
    with pytest.raises(SmecError, match=r"Line 12 of .*pants_train_detect_all\.txt has 1 cells instead of 3"):
        prepared({"kind": "fashion200k", "path": str(fashion)}, tmp_path / "set")
    file.write_bytes(b"women/a.jpeg\t0.6\tred\nwomen/b.jpeg\t0.6\tcaf\xe9\n")
    with pytest.raises(SmecError, match=r"Line 2 of .*pants_train_detect_all\.txt is not in UTF-8"):
        prepared({"kind": "fashion200k", "path": str(fashion)}, tmp_path / "set")
    file.write_text("women/a.jpeg\t0.6\tred\n \t0.6\tred\n")
    with pytest.raises(SmecError, match=r"Line 2 of .*pants_train_detect_all\.txt names no photo"):
        prepared({"kind": "fashion200k", "path": str(fashion)}, tmp_path / "set")


def test_photos_without_a_description_do_not_find_one_another(fashion, tmp_path):
    file = fashion / "labels" / "skirt_test_detect_all.txt"
    file.write_text(file.read_text().replace("skirt 6", " ").replace("skirt 7", ""))
    settings = {"kind": "fashion200k", "path": str(fashion), "task": "image"}
    with pytest.raises(SmecError, match=r"4 of the images of .*women/skirts/casual/6/6_0\.jpeg \(no other image"):
        prepared(settings, tmp_path / "set")
    manifest = prepared(settings | {"faults": "skip"}, tmp_path / "set")
    assert manifest["queries_not_asked"] == {"alone": 4} and "images_left_out" not in manifest
    assert manifest["counts"]["corpus"] == 120
