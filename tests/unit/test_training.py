"""The training loop: bitwise repeatable, bitwise resumable, honest about divergence."""

import pytest
import torch
from torch import nn

from smec import training
from smec.batches import BatchSampler
from smec.errors import SmecError
from smec.history import History
from smec.memory import SelectiveMemory
from smec.objective import MatryoshkaObjective
from smec.options import SimilarityOptions
from smec.sides import Sides
from smec.training import Plan, Trainer
from smec.validation import ValidationSet, linear

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
        loss or (lambda batch, done: objective(batch, Sides.shared(module.weight), [8])),
        BatchSampler(data, options, 0, CPU),
        Plan(epochs, 1e-2, final_learning_rate=final, averaging=averaging, keep=keep),
        lambda: dict(zip((8, 4), validation.ndcg(linear(Sides.shared(module.weight)), (8, 4)), strict=True)),
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
    assert history.validation_by_size == expected.validation_by_size
    assert len(history.epoch_seconds) == 6
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
    harmful.validate = lambda: {8: next(scores)}
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
    moved = Trainer(module, lambda batch, done: sum(module.values()).sum(), run.sampler, plan, None)
    moved._train_epoch(1)
    assert (1 - module["fast"].item()) == pytest.approx(100 * (1 - module["slow"].item()), rel=1e-2)


def test_scores_of_all_sizes_are_kept_and_their_mean_chooses(planted_data):
    run = trainer(planted_data, epochs=2)
    scores = iter([{8: 0.5, 4: 0.3}, {8: 0.4, 4: 0.5}, {8: 0.6, 4: 0.1}])
    run.validate = lambda: next(scores)
    record = run.run().record()
    assert record["validation_ndcg@10_by_size"] == {"8": [0.5, 0.4, 0.6], "4": [0.3, 0.5, 0.1]}
    assert record["validation_ndcg@10"] == pytest.approx([0.4, 0.45, 0.35])
    assert record["kept_epoch"] == 1


def test_time_is_told_per_epoch_and_apart_from_validation(planted_data, monkeypatch):
    """A clock that only the validation moves, by 5 s each time, and each batch, by 1 s."""
    now = [0.0]
    monkeypatch.setattr(training.time, "perf_counter", lambda: now[0])
    run = trainer(planted_data, epochs=2)
    loss = run.loss

    def slow_loss(batch, done):
        now[0] += 1.0
        return loss(batch, done)

    def slow_validation():
        now[0] += 5.0
        return {8: 0.0}

    run.loss, run.validate = slow_loss, slow_validation
    record = run.run().record()
    assert record["seconds_per_epoch"] == [5.0, 5.0], "72 queries in batches of 16"
    assert record["training_seconds"] == 10.0 and record["validation_seconds"] == 15.0


def test_without_validation_the_last_weights_stay(planted_data):
    judged, blind = trainer(planted_data, keep="last"), trainer(planted_data, keep="best")
    blind.validate = None
    judged.run()
    history = blind.run()
    assert torch.equal(blind.module.weight, judged.module.weight)
    assert history.validation == [] and history.kept_epoch == 6


def test_gradients_are_shown_before_the_step(planted_data):
    seen = []
    run = trainer(planted_data, epochs=2)
    run.on_gradient = lambda gradients, epoch: seen.append((epoch, gradients["weight"].norm().item()))
    history = run.run()
    assert [epoch for epoch, _ in seen] == [1] * 5 + [2] * 5
    assert [sum(norm for e, norm in seen if e == epoch) / 5 for epoch in (1, 2)] == pytest.approx(history.gradient_norm)


def test_two_runs_in_a_row_tell_one_story():
    first = History([3.0, 2.0], [0.1, 0.2, 0.15], {"8": [0.1, 0.2, 0.15]}, [1.0, 1.0], 1.5, 1, 10, [1.0, 1.0], 0.5)
    second = History([9.0], [0.2, 0.3], {"8": [0.2, 0.3]}, [2.0], 2.5, 1, 5, [2.0], 0.25)
    whole = first.followed_by(second)
    assert whole.loss == [3.0, 2.0, 9.0] and whole.validation_by_size == {"8": [0.1, 0.2, 0.15, 0.3]}
    assert (whole.kept_epoch, whole.steps, whole.validation_seconds) == (3, 15, 0.75)
    second.kept_epoch = 0
    assert first.followed_by(second).kept_epoch == 1, "the second run only harmed"
