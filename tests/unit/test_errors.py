"""The nearest known name: the case does not matter, and a long list is cut."""

import pytest

from smec.errors import LISTED_OF_MANY, MOST_LISTED, nearest_name

MANY = [
    f"ViT-{size}-{patch}{kind}"
    for size in "BLH"
    for patch in (14, 16, 32)
    for kind in ("", "-SigLIP", "-a", "-b", "-c")
]


@pytest.mark.parametrize(
    ("given", "known", "told"),
    [
        ("smecc", ["smec", "pca"], "Did you mean 'smec'?"),
        ("PCA", ["smec", "pca"], "Did you mean 'pca'?"),
        ("vit-b-32", MANY, "Did you mean 'ViT-B-32'?"),
        ("xyz", ["smec", "pca"], "Known names: pca, smec."),
        ("", ["smec", "pca"], "Known names: pca, smec."),
        ("m", ["smec", "pca"], "Known names: pca, smec."),
        ("a", ["A"], "Did you mean 'A'?"),
        ("x", [], "Known names: ."),
    ],
)
def test_the_nearest_name_or_all_of_a_short_list(given, known, told):
    assert nearest_name(given, known) == told


def test_names_that_contain_the_word_are_listed_of_a_long_list():
    assert len(MANY) > MOST_LISTED
    assert nearest_name("siglip", MANY) == nearest_name("SigLIP", MANY)
    assert nearest_name("siglip", MANY).startswith("Known names with it: ViT-B-14-SigLIP, ViT-B-16-SigLIP,")
    assert nearest_name("SigLIP", [*MANY, "ViT-X-14-SigLIP", "ViT-X-16-SigLIP"]).endswith("X-14-SigLIP and 1 other.")


def test_a_long_list_is_cut_to_the_most_similar():
    told = nearest_name("openai/clip-vit-large-patch32", MANY)
    assert told.startswith("Known names: ") and told.endswith(f" and {len(MANY) - LISTED_OF_MANY} others.")
    assert "ViT-L-32" in told
