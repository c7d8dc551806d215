"""Vectors that stand in for the images of a list."""

import numpy as np
import pytest

from smec import datasets
from smec.datasets import reading
from smec.embedding import embed
from smec.errors import SmecError
from smec.store import EmbeddingStore
from tests.image_sets import judged, lay_out, prepared, rows, with_vectors


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
