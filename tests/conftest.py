"""What many tests share: small planted data, and the guard against the network."""

import ipaddress
import os
import socket

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when numpy and torch load; on tiny data threads only wait

import numpy as np
import pytest

from smec.judgements import Judgements
from smec.training_data import TrainingData


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def planted(queries=96, documents=160, width=32, signal=8, noise=1.0, negatives=6, seed=0):
    """Queries and documents that agree in `signal` hidden dimensions and differ in the others."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    topics = rng.normal(size=(documents, signal))
    relevant = rng.permutation(documents)[:queries] if queries <= documents else rng.integers(0, documents, queries)

    def vectors(meaning):
        other = noise * rng.normal(size=(len(meaning), width - signal))
        return unit(np.concatenate([meaning, other], axis=1) @ rotation)

    corpus = vectors(topics)
    asked = vectors(topics[relevant] + 0.1 * rng.normal(size=(queries, signal)))
    mined = np.argsort(-(asked @ corpus.T), axis=1)[:, : negatives + 1]
    hard = np.array([[d for d in row if d != r][:negatives] for row, r in zip(mined, relevant, strict=True)])
    cut = queries * 3 // 4
    rows = np.arange(queries)
    return TrainingData(
        queries=asked[:cut],
        documents=corpus,
        positives=Judgements.from_triples(rows[:cut], relevant[:cut], np.ones(cut)),
        hard_negatives=hard[:cut].astype(np.int64),
        validation_queries=asked[cut:],
        validation=Judgements.from_triples(rows[: queries - cut], relevant[cut:], np.ones(queries - cut)),
        validation_negatives=hard[cut:].astype(np.int64),
    )


def is_local(family, address):
    """Whether a socket of that family and address stays on this machine."""
    if family not in (socket.AF_INET, socket.AF_INET6):
        return family == socket.AF_UNIX
    host = address[0].partition("%")[0]
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def guarded(connect):
    def connect_locally(self, address, *others):
        if not is_local(self.family, address):
            raise RuntimeError(f"a test may not use the network, and this one connects to {address!r}")
        return connect(self, address, *others)

    return connect_locally


@pytest.fixture(scope="session", autouse=True)
def no_network():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
        yield


@pytest.fixture(scope="session")
def planted_data():
    return planted()


@pytest.fixture(scope="session")
def workbench(tmp_path_factory):
    from tests.workbench import build

    return build(tmp_path_factory.mktemp("workbench"))
