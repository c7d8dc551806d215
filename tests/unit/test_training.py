"""The training loop: bitwise repeatable, bitwise resumable, honest about divergence."""

import pytest
import torch
from torch import nn

from smec import training
from smec.batches import BatchSampler
from smec.errors import SmecError
from smec.memory import SelectiveMemory
from smec.objective import MatryoshkaObjective
from smec.options import SimilarityOptions
from smec.training import History, Plan, Trainer
from smec.validation import ValidationSet

CPU = torch.device("cpu")


def trainer(data, epochs=6, averaging=0.0, keep="best", loss=None, final=0.1):
    options = SimilarityOptions(loss="infonce", temperature=0.1, memory_size=50, batch_size=16, hard_negatives=3)
    module = nn.Module()
    module.weight = nn.Parameter(torch.eye(data.width)[:8].clone())
    objective = MatryoshkaObjective(options, data.width, CPU)
    module.memory = objective.memory
    assert isinstance(module.memory, SelectiveMemory)
    validation = ValidationSet(data, CPU)
    return Trainer(
        module,
        loss or (lambda batch, done: objective(batch, module.weight, [8])),
        BatchSampler(data, options, 0, CPU),
        Plan(epochs, 1e-2, final_learning_rate=final, averaging=averaging, keep=keep),
        lambda: validation.ndcg(lambda x: x @ module.weight.T)[0],
    )


def test_learns_the_planted_structure(planted_data):
    run = trainer(planted_data, epochs=10)
    history = run.run()
    assert history.loss[-1] < 0.5 * history.loss[0]
    assert max(history.validation) > history.validation[0] + 0.2
    assert len(history.validation) == len(history.loss) + 1 == 11


def test_two_runs_are_bitwise_equal(planted_data):
    weights = []
    for _ in range(2):
        run = trainer(planted_data)
        run.run()
        weights.append(run.module.weight)
    assert torch.equal(*weights)


@pytest.mark.parametrize("averaging", [0.0, 0.9])
@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_killed_run_goes_on_bitwise(planted_data, tmp_path, monkeypatch, averaging, keep):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)
    straight = trainer(planted_data, averaging=averaging, keep=keep)
    expected = straight.run()
    killed = trainer(planted_data, averaging=averaging, keep=keep)
    judged = killed.validate
    calls = iter(range(100))

    def dies_in_epoch_four():
        if next(calls) == 4:
            raise KeyboardInterrupt
        return judged()

    killed.validate = dies_in_epoch_four
    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KeyboardInterrupt):
        killed.run(checkpoint)
    assert checkpoint.exists()
    resumed = trainer(planted_data, averaging=averaging, keep=keep)
    history = resumed.run(checkpoint)
    assert history.loss == expected.loss and history.validation == expected.validation
    assert torch.equal(resumed.module.weight, straight.module.weight)
    assert torch.equal(resumed.module.memory.features, straight.module.memory.features)
    assert not checkpoint.exists(), "a finished run leaves no checkpoint"


def test_best_keeps_the_start_when_training_only_harms(planted_data):
    harmful = trainer(planted_data, loss=None)
    start = harmful.module.weight.detach().clone()
    harmful.loss = lambda batch, done: (
        (batch.queries @ harmful.module.weight.T).square().sum() * 0 - (harmful.module.weight[:, 0].sum())
    )
    scores = iter([1.0, *[0.5] * 10])
    harmful.validate = lambda: next(scores)
    history = harmful.run()
    assert history.kept_epoch == 0 and torch.equal(harmful.module.weight, start)


def test_a_loss_that_is_not_finite_is_an_error(planted_data):
    run = trainer(planted_data)
    run.loss = lambda batch, done: run.module.weight.sum() * torch.nan
    with pytest.raises(SmecError, match="loss became nan in epoch 1"):
        run.run()


def test_an_exploding_gradient_is_reported():
    history = History(gradient_norm=[1.0, 1.1, 0.9], largest_gradient_norm=5000.0)
    assert "exploding gradient" in history.warnings()[0]
    assert History(gradient_norm=[1.0, 1.1], largest_gradient_norm=3.0).warnings() == []


def test_rates_decay_and_may_differ_by_parameter(planted_data):
    run = trainer(planted_data, final=0.0)
    assert run._decay(0.0) == pytest.approx(1.0) and run._decay(1.0) == pytest.approx(0.0)
    module = nn.ParameterDict({"slow": nn.Parameter(torch.ones(1)), "fast": nn.Parameter(torch.ones(1))})
    plan = Plan(1, 1e-3, learning_rates={"fast": 1e-1})
    moved = Trainer(module, lambda batch, done: sum(module.values()).sum(), run.sampler, plan, lambda: 0.0)
    moved._train_epoch(1)
    assert (1 - module["fast"].item()) == pytest.approx(100 * (1 - module["slow"].item()), rel=1e-2)
