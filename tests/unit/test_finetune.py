"""Training of the backbone itself: a tiny BERT, from the files of a dataset to a model that the workflow loads."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from smec import backbones
from smec.backbone_method import MODEL_FOLDER, trained_settings
from smec.compressors import method_named
from smec.compressors.finetune import Options
from smec.datasets import reading
from smec.errors import SmecError
from smec.files import read_json, sha256_of_file
from smec.jobs import embed, evaluate, fetch, finetune, mine
from smec.losses import rank_loss, similarity_loss
from smec.method import FitJob
from smec.prefix_loss import PrefixLoss
from tests.tiny_bert import WIDTH, tiny_bert

SIZES = (16, 8, 4)
EPOCHS = 20
TOPICS = ("cats", "rivers", "engines", "music", "bread", "stars")
ANSWERS = ("felines", "water", "steel", "violins", "flour", "night")
"""Of each topic, in the document alone: that the two belong together has to be learned."""
FRAMES = ("all about {}", "what is known of {}", "{} in short", "the story of {}", "why {} matter", "{} and us")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A dataset of 36 questions on six topics, embedded by a tiny model and mined."""
    root = tmp_path_factory.mktemp("finetune")
    source = root / "source"
    (source / "qrels").mkdir(parents=True)
    documents = {f"d{i}": f"{answer} text {answer}" for i, answer in enumerate(ANSWERS)}
    asked = [(frame.format(topic), f"d{i}") for i, topic in enumerate(TOPICS) for frame in FRAMES]
    corpus = [json.dumps({"_id": name, "title": "", "text": text}) for name, text in documents.items()]
    (source / "corpus.jsonl").write_text("\n".join(corpus))
    queries = [json.dumps({"_id": f"q{i}", "text": text}) for i, (text, _) in enumerate(asked)]
    (source / "queries.jsonl").write_text("\n".join(queries))
    judged = [f"q{i}\t{document}\t1" for i, (_, document) in enumerate(asked)]
    lines = ["query-id\tcorpus-id\tscore", *judged]
    (source / "qrels" / "test.tsv").write_text("\n".join(lines))
    words = sorted({word for text, _ in asked for word in text.split()} | {"text", *ANSWERS})
    model = tiny_bert(root, words)
    backbone = {"kind": "sentence_transformer", "model": str(model), "dim": WIDTH, "query_prompt": "all: "}
    place = SimpleNamespace(root=root, data=root / "data", embeddings=root / "embeddings", backbone=backbone)
    place.negatives = root / "negatives.safetensors"
    fetch.run({"dataset": {"kind": "beir_folder", "path": str(source)}}, place.data)
    for role in ("corpus", "queries"):
        embed.run(stored(backbone, role), place.data, place.embeddings / role)
    mine.run({"backbone": backbone, "count": 3, "block_rows": 8}, place.data, place.embeddings, place.negatives)
    return place


def stored(backbone, role):
    return {"backbone": backbone, "role": role, "shard_rows": 64, "dtype": "float32"}


def trained(bench, name, seed=0, sizes=SIZES, **options):
    output = bench.root / name / "compressor.safetensors"
    quick = {"learning_rate": 3e-3, "batch_size": 8, "neighbours": 3, "epochs": EPOCHS, "temperature": 0.1, **options}
    spec = {"method": "finetune", "backbone": bench.backbone, "options": Options(**quick).model_dump(mode="json")}
    spec |= {"sizes": list(sizes), "seed": seed, "labels": 1.0, "max_documents": 1000}
    finetune.run(spec, bench.data, bench.embeddings, bench.negatives, output)
    return output, read_json(output.with_name("record.json"))


@pytest.fixture(scope="module", params=["none", "lora"])
def run(request, bench):
    rate = {"none": 1e-2, "lora": 2e-2}[request.param]
    options = {"adapter": request.param, "lora_rank": 4, "learning_rate": rate, "alpha": 0}
    return request.param, *trained(bench, request.param, **options)


def quality(bench, backbone, embeddings, stage):
    output = stage.with_name("scores.parquet")
    spec = {"method": "finetune", "backbone": backbone, "sizes": list(SIZES), "block_rows": 64}
    evaluate.run(spec, bench.data, embeddings, [stage], output)
    import pyarrow.parquet as pq

    scores = pq.read_table(output).to_pandas()
    return scores[scores["metric"] == "ndcg@10"].groupby("dim")["value"].mean()


def test_the_trained_model_is_loaded_as_any_other_and_finds_what_it_learned(bench, run):
    adapter, stage, record = run
    backbone = trained_settings(bench.backbone, stage.parent) | {"model": str(stage.parent / MODEL_FOLDER)}
    embeddings = stage.parent / "embeddings"
    for role in ("corpus", "queries"):
        embed.run(stored(backbone, role), bench.data, embeddings / role)
    before = quality(bench, bench.backbone, bench.embeddings, stage)
    after = quality(bench, backbone, embeddings, stage)
    assert after.index.tolist() == sorted(SIZES)
    if adapter == "none":  # low-rank adapters of so small a model cannot learn as much
        assert (after > before + 0.1).all(), (before, after)
    assert record["loss"][-1] < 0.95 * record["loss"][0]


def test_all_parameters_move_or_the_linear_layers_alone(bench, run):
    from safetensors.numpy import load_file

    adapter, stage, _ = run
    before, after = (
        load_file(f"{folder}/model.safetensors") for folder in (bench.backbone["model"], stage.parent / MODEL_FOLDER)
    )
    assert before.keys() == after.keys(), "adapters are merged"
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert "encoder.layer.0.attention.self.query.weight" in moved
    assert ("embeddings.word_embeddings.weight" in moved) == (adapter == "none")


def test_the_record_counts_what_was_trained(bench, run):
    adapter, _, record = run
    batches = -(-len(reading.judgements(bench.data, "train")) // 8)
    parts = record["trained_parameters"], record["parameters"]
    assert parts[0] == parts[1] if adapter == "none" else 0 < parts[0] < parts[1]
    assert record["steps"] == EPOCHS * batches and record["wall_clock_seconds"] > record["training_seconds"] > 0
    assert record["peak_memory_bytes"] > 0 and record["device"] == "cpu"


def test_the_model_keeps_its_own_longest_input(bench, run):
    _, stage, _ = run
    loaded = backbones.load(bench.backbone | {"model": str(stage.parent / MODEL_FOLDER)})
    assert loaded.model.max_seq_length == 32


def test_equal_seeds_give_equal_weights_and_a_second_run_replaces_the_first(bench):
    def weights(seed):
        output, _ = trained(bench, "again", seed=seed, epochs=1)
        return sha256_of_file(output.parent / MODEL_FOLDER / "model.safetensors")

    first = weights(0)
    assert weights(0) == first != weights(1)
    assert {path.name for path in (bench.root / "again").iterdir()} == {
        MODEL_FOLDER,
        "compressor.safetensors",
        "record.json",
    }


def test_vectors_alone_are_refused(planted_data):
    with pytest.raises(SmecError, match=r"'finetune' trains the backbone from texts"):
        method_named("finetune").fit(FitJob(planted_data, SIZES, None, Options(), 0))


def test_a_backbone_of_another_kind_is_refused(workbench):
    spec = workbench.spec("finetune") | {"method": "finetune"}
    with pytest.raises(SmecError, match=r"Only a backbone of the kind 'sentence_transformer' can be trained"):
        finetune.run(spec, workbench.data, workbench.embeddings, workbench.negatives, workbench.data / "x.safetensors")


def given(queries, documents):
    """Features that pass through a model unchanged, and the labels of a batch."""
    rng = np.random.default_rng(0)
    frozen = torch.from_numpy(rng.normal(size=(3, 4)).astype(np.float32))
    frozen = frozen / frozen.norm(dim=1, keepdim=True)
    labels = {"relevance": torch.tensor([[1.0, 0, 0], [0, 1, 0]]), "positive": torch.tensor([0, 1])}
    labels |= {"queries": frozen[:2], "documents": frozen}
    return [{"sentence_embedding": queries}, {"sentence_embedding": documents}], labels


def test_the_loss_by_hand():
    rng = np.random.default_rng(1)
    queries, documents = (torch.from_numpy(rng.normal(size=(n, 4)).astype(np.float32)) for n in (2, 3))
    features, labels = given(queries, documents)
    loss = PrefixLoss(torch.nn.Identity(), Options(neighbours=1, alpha=0.5), (4, 2), steps=1)

    def cosine(a, b):
        return torch.nn.functional.cosine_similarity(a[:, None], b[None], dim=2)

    expected = 0.0
    frozen = torch.cat([labels["queries"], labels["documents"][:2]])
    near = cosine(frozen, frozen).fill_diagonal_(-2).argmax(1)
    for size in (4, 2):
        expected += rank_loss(cosine(queries[:, :size], documents[:, :size]), labels["relevance"]).item()
        outputs = torch.cat([queries, documents[:2]])[:, :size]
        pair = [torch.nn.functional.cosine_similarity(x, x[near])[:, None] for x in (frozen, outputs)]
        expected += 0.5 * similarity_loss(*pair).item()
    assert loss(features, labels).item() == pytest.approx(expected, abs=1e-5)


def test_sequential_levels_go_through_neighbouring_sizes():
    loss = PrefixLoss(torch.nn.Identity(), Options(levels="sequential"), (16, 8, 4), steps=5)
    seen = []
    for loss.step in range(5):
        seen.append(loss.levels())
    assert seen == [(16, 8)] * 3 + [(8, 4)] * 2
    assert PrefixLoss(torch.nn.Identity(), Options(), (16, 8, 4), steps=5).levels() == (16, 8, 4)


def test_the_texts_are_those_of_the_rows(bench):
    from smec.batches import Batch
    from smec.finetuning import Collator, RowNumbers, Side

    texts = reading.texts(bench.data, "queries")
    asked = []
    model = SimpleNamespace(preprocess=lambda found, prompt: asked.append((prompt, found)) or {})
    rows = torch.from_numpy(RowNumbers(9).gather(np.array([5, 2])))
    batch = Batch(rows, rows[:1], torch.ones(2, 1), torch.zeros(2, dtype=torch.int64))
    numbers = RowNumbers(9)
    inputs = Collator(model, iter([batch]), Side(texts, "q: ", numbers), Side(texts, "", numbers))([{"step": 0}])
    assert asked == [("q: ", [texts[5], texts[2]]), ("", [texts[5]])]
    assert inputs["label"]["queries"].tolist() == [[5], [2]]
