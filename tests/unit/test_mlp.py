"""Matryoshka-Adaptor: the numpy transform of users is the torch forward of training."""

import dataclasses

import numpy as np
import pytest
import torch

from smec.compressors.matryoshka_adaptor import ResidualMlp
from smec.linear import normalized
from smec.matryoshka_adaptor import _Adapter
from tests.fitting import compressor_of, fit_run


def random_adapter(width=32, hidden=11):
    adapter = _Adapter(width, hidden, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return adapter


@pytest.mark.parametrize("size", [32, 8, 1])
def test_numpy_equals_torch(planted_data, size):
    adapter = random_adapter()
    tensors = {name: value.detach().numpy() for name, value in adapter.named_parameters()}
    served = ResidualMlp(**tensors, sizes=(32, 8, 1)).transform(planted_data.documents, size)
    with torch.no_grad():
        expected = adapter(torch.from_numpy(planted_data.documents))[:, :size].numpy()
    assert served == pytest.approx(normalized(expected), abs=1e-5) and served.dtype == np.float32


def test_training_starts_at_the_frozen_space(planted_data):
    adapter, vectors = _Adapter(32, 7, seed=0), torch.from_numpy(planted_data.documents)
    with torch.no_grad():
        assert torch.equal(adapter(vectors), vectors)


@pytest.mark.parametrize(("share", "phases"), [(0.0, {"supervised"}), (1.0, {"unsupervised"})])
def test_one_phase_alone(planted_data, share, phases):
    (fitted,) = fit_run("matryoshka_adaptor", planted_data, unsupervised_share=share)
    assert fitted.record["phases"].keys() == phases
    assert fitted.record["warnings"] == []


def test_both_phases_share_the_steps(planted_data):
    (fitted,) = fit_run("matryoshka_adaptor", planted_data, sizes=(16, 8), epochs=4, unsupervised_share=0.25)
    steps = [fitted.record["phases"][phase]["steps"] for phase in ("unsupervised", "supervised")]
    assert steps == [2 * 3, 6 * 3], "8 epochs of 3 batches, a quarter of them without labels"


def test_the_phase_without_labels_looks_at_no_label(planted_data):
    """With no supervised phase, other labels give the same adapter."""
    other = dataclasses.replace(
        planted_data,
        positives=dataclasses.replace(
            planted_data.positives, corpus_rows=planted_data.positives.corpus_rows[::-1].copy()
        ),
    )
    maps = [
        compressor_of("matryoshka_adaptor", fit_run("matryoshka_adaptor", data, unsupervised_share=1.0, keep="last"))
        for data in (planted_data, other)
    ]
    assert np.array_equal(maps[0].output_weight, maps[1].output_weight)
