"""Small sets of images with lists and labels, for the tests of datasets."""

import csv

import numpy as np

from smec import datasets
from smec.datasets import reading
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


def label_folders(folder):
    """A folder per label, two images each."""
    for seed, label in enumerate(LABELS):
        for view in range(2):
            file = folder / label / f"{view}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture(seed, (8, 8)))
    return folder


def with_list_of_labels(folder):
    """A folder per label with two images each, and a csv that says something about each label but one."""
    images = label_folders(folder / "images")
    lines = [f"{label},all of {label},{'AB'[place % 2]}" for place, label in enumerate(LABELS)]
    (folder / "labels.csv").write_text("\n".join(["label,about,maker", *lines[1:]]) + "\n")
    return {"kind": "image_folder", "path": str(images), "label_csv": str(folder / "labels.csv")}


def with_vectors(folder, count=60, scale=3.0):
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(count, width)).astype(np.float16) * np.float16(scale) for width in (4, 6)]
    for place, part in enumerate(parts):
        np.save(folder / f"{place}.npy", part)
    return parts, {"vectors": [str(folder / "0.npy"), str(folder / "1.npy")]}
