"""A map per side: a pair that is shared stays one object, and every step takes the map of the right side."""

import dataclasses

import numpy as np
import pytest
import torch

from smec.batches import BatchSampler
from smec.compressors import method_named
from smec.cosines import cosines
from smec.errors import SmecError
from smec.evaluation import evaluate
from smec.fitted import open_compressor, open_compressors
from smec.losses import similarity_loss
from smec.method import FitJob, Stage
from smec.objective import MatryoshkaObjective
from smec.options import SimilarityOptions
from smec.pull_back import PullBack, aligned, baseline_rows
from smec.side_maps import SideMaps, outputs_of
from smec.sides import Sides, combined, named_tensors, starting_at, tensors_named
from smec.validation import ValidationSet
from tests.conftest import planted, unit
from tests.fitting import SIZES, compressors_of, fit_run, options_of, stage_bytes

CPU = torch.device("cpu")
TWO_SIDED = ("mrl", "smec", "smec_plus")
GENERATOR = torch.Generator().manual_seed(0)
APART = Sides(torch.randn(12, 32, generator=GENERATOR), torch.randn(12, 32, generator=GENERATOR))
LEVELS = [12, 4]


def turned(data=None):
    """Planted data whose documents lie in a space of their own: that of the queries, turned by a right angle.

    The meaning fills the whole space, and x'ARx of x and its turned copy Rx is 0 on average for every symmetric A, as
    W'W of a shared map W is: it can tell a relevant document from another by chance alone.
    """
    data = planted(queries=160, signal=32) if data is None else data
    half = data.width // 2
    quarter = np.zeros((data.width, data.width), np.float32)
    quarter[:half, half:], quarter[half:, :half] = -np.eye(half), np.eye(half)
    return dataclasses.replace(data, documents=data.documents @ quarter.T)


def scores(both, data, sizes=SIZES):
    validation = ValidationSet(data, CPU)
    return {
        size: validation.ndcg_of(both.each(lambda one, size=size: torch.from_numpy(one.weights[size])))
        for size in sizes
    }


# The pair itself.


def test_what_is_shared_is_computed_once_and_stays_shared():
    calls = []
    pair = Sides.shared(2).each(lambda value: calls.append(value) or [value])
    assert pair.are_one and calls == [2]
    assert combined(lambda a, b: [a, b], Sides.shared(1), Sides.shared(2)).are_one


def test_sides_of_their_own_are_computed_each():
    pair = combined(lambda a, b: a + b, Sides("q", "c"), Sides.shared("!"))
    assert not pair.are_one and (pair.queries, pair.corpus) == ("q!", "c!")


def test_names_in_a_file_lead_back_to_the_pair():
    left, right = np.eye(2, dtype=np.float32), np.ones((2, 2), np.float32)
    assert set(named_tensors("w", Sides.shared(left))) == {"w"}
    stored = named_tensors("w", Sides(left, right))
    assert set(stored) == {"w_queries", "w_corpus"}
    found = tensors_named("w", stored)
    assert found.queries is left and found.corpus is right
    assert tensors_named("w", {"w": left}).are_one


def test_maps_of_their_own_start_equal_and_move_apart():
    rows = np.eye(3, dtype=np.float32)
    start = starting_at(rows, "per_side")
    assert not start.are_one and np.array_equal(start.queries, start.corpus)
    maps = SideMaps(start.each(torch.from_numpy))
    with torch.no_grad():
        maps.corpus += 1
    assert torch.equal(maps.queries, torch.eye(3)) and (rows == np.eye(3)).all()
    assert len(list(maps.parameters())) == 2
    one = SideMaps(starting_at(rows, "shared").each(torch.from_numpy))
    assert len(list(one.parameters())) == 1 and one().are_one
    assert one.to(torch.float64)().are_one, "nor does a move to another device or format part them"


def test_each_vector_passes_through_the_map_of_its_side_by_hand():
    weight = Sides(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 10.0]]))
    vectors, sides = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), torch.tensor([1, 0, 1], dtype=torch.int8)
    assert outputs_of(vectors, sides, weight).flatten().tolist() == [20.0, 3.0, 60.0]
    assert outputs_of(vectors, sides, Sides.shared(weight.queries)).flatten().tolist() == [1.0, 3.0, 5.0]


# The loss.


def options(**own):
    return SimilarityOptions(**{"batch_size": 24, "hard_negatives": 3, "memory_size": 40, "neighbours": 5} | own)


@pytest.mark.parametrize("memory_sides", ["both", "other"])
@pytest.mark.parametrize("size", [0, 100])
def test_neighbours_pass_through_the_map_of_their_own_side(planted_data, size, memory_sides):
    """All cosines by hand: supervised ones, and those of every vector with its neighbours of either side."""
    chosen = options(alpha=1.0, memory_size=size, memory_sides=memory_sides)
    objective = MatryoshkaObjective(chosen, 32, CPU)
    first, batch = list(BatchSampler(planted_data, chosen, 0, CPU).epoch())[:2]
    if size:
        objective(first, APART, LEVELS)
    total = objective(batch, APART, LEVELS).item()
    plain = MatryoshkaObjective(options(alpha=0.0), 32, CPU)(batch, APART, LEVELS).item()

    def rows(one):
        documents = one.documents[one.positive]
        frozen = torch.cat([one.queries, documents])
        return frozen, torch.cat([one.queries @ APART.queries.T, documents @ APART.corpus.T])

    (asking, outputs), (stored, stored_outputs) = rows(batch), rows(first if size else batch)
    near = asking @ stored.T
    if not size:
        near.fill_diagonal_(-torch.inf)
    if memory_sides == "other":
        side, stored_side = (torch.arange(len(one)) >= len(one) // 2 for one in (asking, stored))
        near[side[:, None] == stored_side[None, :]] = -torch.inf
    frozen, place = near.topk(5, dim=1)
    expected = sum(
        similarity_loss(frozen, cosines(outputs[:, :m], stored_outputs[:, :m]).gather(1, place)).item() for m in LEVELS
    )
    assert total - plain == pytest.approx(expected, rel=1e-4)


def test_queries_are_scored_by_their_map_and_documents_by_theirs(planted_data):
    chosen = options(alpha=0.0, loss="infonce", temperature=0.1)
    (batch, *_) = BatchSampler(planted_data, chosen, 0, CPU).epoch()
    swapped = dataclasses.replace(
        batch, queries=batch.queries @ APART.queries.T, documents=batch.documents @ APART.corpus.T
    )
    eye = Sides.shared(torch.eye(12))
    objective = MatryoshkaObjective(chosen, 32, CPU)
    assert objective(batch, APART, [12]).item() == pytest.approx(objective(swapped, eye, [12]).item(), rel=1e-5)


def test_a_teacher_of_two_maps_teaches_the_cosines_between_them(planted_data):
    (batch, *_) = BatchSampler(planted_data, options(), 0, CPU, APART).epoch()
    expected = cosines(batch.queries @ APART.queries.T, batch.documents @ APART.corpus.T)
    assert torch.allclose(batch.taught, expected, atol=1e-6)


# Pulling back.


def test_alignment_turns_both_sides_alike(planted_data):
    trained = APART.each(lambda rows: rows.numpy())
    moved = aligned(trained, baseline_rows("pca", planted_data, 12), planted_data.documents)

    def between(maps):
        queries, documents = planted_data.queries @ maps.queries.T, planted_data.documents @ maps.corpus.T
        return cosines(torch.from_numpy(queries), torch.from_numpy(documents))

    assert torch.allclose(between(moved), between(trained), atol=1e-4)
    half = PullBack("pca", 0.5).apply(trained, planted_data)
    baseline = baseline_rows("pca", planted_data, 12)
    for mixed, whole in ((half.queries, moved.queries), (half.corpus, moved.corpus)):
        assert mixed == pytest.approx((whole + baseline) / 2, abs=1e-5)
    none = PullBack("pca", 0.0).apply(trained, planted_data)
    assert np.array_equal(none.queries, baseline) and np.array_equal(none.corpus, baseline)


# Whole runs.


@pytest.mark.parametrize("name", TWO_SIDED)
def test_an_equal_start_scores_equally_before_the_first_step(name, planted_data):
    shared, apart = (fit_run(name, planted_data, maps=maps, epochs=1)[0].record for maps in ("shared", "per_side"))
    assert apart["validation_ndcg@10"][0] == shared["validation_ndcg@10"][0]
    assert apart["loss"] != shared["loss"], "from the first step on they differ"


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("mrl", {}),
        ("mrl", {"selection": "ads"}),
        ("smec", {"alpha": 0.1, "levels": "nested"}),
        ("smec", {"projection": "stacked"}),
        ("smec", {"rotation": "pca", "distillation": 1.0}),
        ("smec_plus", {"path": None}),  # its own keeps a map near its start, which here is of no use
    ],
)
def test_a_map_for_each_side_recovers_a_turned_corpus_and_a_shared_one_cannot(name, own):
    data = turned()
    contrast = {"loss": "infonce", "temperature": 0.1, "contrast": "batch", "alpha": 0.0, "epochs": 16}
    sizes = (32, 16, 8)
    shared, apart = (
        scores(compressors_of(name, fit_run(name, data, sizes=sizes, maps=maps, **contrast | own)), data, sizes)
        for maps in ("shared", "per_side")
    )
    for size in sizes:
        assert apart[size] > 0.9 and shared[size] < 0.2


def test_hard_negatives_are_documents_and_push_the_map_of_documents():
    """With nothing else to set against a relevant document, what is learned comes from them."""
    data = turned()
    only = {"random_negatives": 0, "contrast": "own", "loss": "infonce", "temperature": 0.1, "epochs": 16, "alpha": 0.0}
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(data.documents), data.hard_negatives.shape)
    mined = dataclasses.replace(data, hard_negatives=drawn)
    none = dataclasses.replace(data, hard_negatives=np.full_like(drawn, -1))
    found = [
        scores(compressors_of("mrl", fit_run("mrl", one, sizes=(16,), maps="per_side", **only)), data, (16,))[16]
        for one in (mined, none)
    ]
    assert found[0] > found[1] + 0.1


@pytest.mark.parametrize("levels", ["separate", "nested"])
def test_one_selection_for_both_sides(planted_data, levels):
    """A stage that learns nothing keeps the same rows of both maps."""
    still = {"learning_rate": 1e-12, "maps": "per_side", "levels": levels, "importance_learning_rate": 0.5}
    for fitted in fit_run("smec", planted_data, sizes=(32, 16, 8), basis="identity", **still):
        smallest = min(fitted.stage.outputs)
        both = fitted.stage.matrices(fitted.stage.outputs[smallest])
        assert both.queries == pytest.approx(both.corpus, abs=1e-6)
        assert len(fitted.stage.tensors["selected"]) == smallest


@pytest.mark.parametrize("name", TWO_SIDED)
def test_a_stage_file_holds_a_matrix_per_size_and_side(name, planted_data):
    apart = {"pull_back": False} if name == "smec_plus" else {}  # it may end at a baseline, which both sides share
    for fitted in fit_run(name, planted_data, maps="per_side", **apart):
        for size, output in fitted.stage.outputs.items():
            assert output not in fitted.stage.tensors
            both = fitted.stage.matrices(output)
            assert both.queries.shape == both.corpus.shape and len(both.corpus) >= size
            assert not np.array_equal(both.queries, both.corpus)


@pytest.mark.parametrize("name", TWO_SIDED)
def test_through_files_and_twice_the_bytes_are_equal(name, planted_data, tmp_path):
    own = {"maps": "per_side"}
    first = stage_bytes(fit_run(name, planted_data, **own), tmp_path)
    assert stage_bytes(fit_run(name, planted_data, folder=tmp_path, **own), tmp_path) == first


@pytest.mark.parametrize(("name", "size"), [("smec", 16), ("mrl", None)])
def test_a_stopped_fit_goes_on_to_the_same_bytes(name, size, planted_data, tmp_path, monkeypatch):
    from smec import training

    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", -1.0)
    method, chosen = method_named(name), options_of(name, maps="per_side", epochs=4)

    def fitted(checkpoint):
        job = FitJob(planted_data, (32, 16), size, chosen, 0, checkpoint=checkpoint)
        return stage_bytes([method.fit(job)], tmp_path)

    straight = fitted(None)
    judge, judged = training.Trainer._judge, []

    def stopping(self, epoch):
        judge(self, epoch)
        judged.append(epoch)
        if judged.count(2) == 1 and epoch == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(training.Trainer, "_judge", stopping)
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "checkpoint.safetensors")
    assert (tmp_path / "checkpoint.safetensors").exists()
    judged.append(2)
    assert fitted(tmp_path / "checkpoint.safetensors") == straight
    assert judged[-2:] == [3, 4], "it went on after the second epoch"


class Rows(np.ndarray):
    """An array with the reading interface of a store."""

    def gather(self, rows):
        return np.asarray(self[rows])


def test_evaluation_takes_each_side_through_its_map():
    data = turned(planted())
    half = data.width // 2
    back = np.zeros((data.width, data.width), np.float32)
    back[:half, half:], back[half:, :half] = np.eye(half), -np.eye(half)
    tensors = named_tensors("weight", Sides(np.eye(data.width, dtype=np.float32), back))
    both = method_named("smec").compressors([Stage("smec", tensors, {data.width: "weight"})])
    names = [f"q{row}" for row in range(len(data.validation_queries))]
    found = evaluate(
        both, data.validation_queries.view(Rows), data.documents.view(Rows), data.validation, names, [data.width]
    )
    straight = planted()
    eye = method_named("truncation").compressors([Stage("truncation", {"w": np.eye(32, dtype=np.float32)}, {32: "w"})])
    expected = evaluate(
        eye, straight.validation_queries.view(Rows), straight.documents.view(Rows), straight.validation, names, [32]
    )
    assert found["value"].to_pylist() == pytest.approx(expected["value"].to_pylist())


# Files.


@pytest.fixture
def two_sided(tmp_path):
    rng = np.random.default_rng(0)
    maps = Sides(*(rng.normal(size=(6, 12)).astype(np.float32) for _ in range(2)))
    Stage("smec", named_tensors("weight6", maps), {6: "weight6"}).save(tmp_path / "fit/dim6/compressor.safetensors")
    return tmp_path / "fit", maps


def test_a_two_sided_compressor_is_opened_for_a_side(two_sided):
    folder, maps = two_sided
    vectors = unit(np.random.default_rng(1).normal(size=(5, 12)))
    for side, weight in (("query", maps.queries), ("corpus", maps.corpus)):
        assert open_compressor(folder, side).transform(vectors, 6) == pytest.approx(unit(vectors @ weight.T), abs=1e-6)
    assert not open_compressors(folder).are_one
    with pytest.raises(SmecError, match=r"`maps: per_side`.*`--side query` or `--side corpus`"):
        open_compressor(folder)


def test_of_a_one_sided_compressor_any_side_is_the_same(tmp_path):
    weight = np.random.default_rng(0).normal(size=(6, 12)).astype(np.float32)
    Stage("smec", {"weight6": weight}, {6: "weight6"}).save(tmp_path / "dim6/compressor.safetensors")
    vectors = unit(np.random.default_rng(1).normal(size=(5, 12)))
    found = [open_compressor(tmp_path, side).transform(vectors, 6) for side in (None, "query", "corpus")]
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])
