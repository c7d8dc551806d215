"""The openai backbone against a server on this machine: batches, retries, money, resuming, and a key that stays hid."""

import importlib
import logging
import subprocess
import sys
import threading

import numpy as np
import pytest

from smec import backbones
from smec.backbones import api_calls
from smec.backbones.api_budget import Bill, Pace, batches, estimated_tokens
from smec.backbones.openai_api import OpenAISettings
from smec.embedding import embed
from smec.errors import SmecError
from smec.store import EmbeddingStore
from tests.embedding_server import DIM, KEY, Api, cut, error, hang_up, send, serving, vector_of
from tests.unit.test_embedding import prepare

TEXTS = [f"text {i}" for i in range(20)]
ONE_OF_TWO = {"object": "list", "model": "tiny", "data": [{"index": 1, "embedding": [1.0] * DIM}]}
importlib.import_module("openai")  # before the first timed test


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(api_calls, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(api_calls, "LONGEST_PAUSE", 0.002)


@pytest.fixture
def api():
    with serving(Api()) as running:
        yield running


def settings(api, **values):
    return OpenAISettings(**{"model": "tiny", "dim": DIM, "base_url": api.url, "concurrency": 1} | values)


def loaded(api, **values):
    return backbones.load(settings(api, **values))


def wanted(texts):
    return np.stack([vector_of(text) / np.linalg.norm(vector_of(text)) for text in texts])


@pytest.mark.parametrize("shuffled", [False, True])
def test_vectors_are_those_of_the_server_at_unit_length(api, shuffled, capfd):
    api.shuffled = shuffled
    ours = loaded(api, query_prompt="query: ", batch_size=7, concurrency=3).encode(TEXTS, "queries")
    np.testing.assert_allclose(ours, wanted([f"query: {text}" for text in TEXTS]), atol=1e-6)
    assert ours.dtype == np.float32
    assert sorted(map(len, api.requests)) == [6, 7, 7]
    assert capfd.readouterr() == ("", "")


def test_batches_by_hand():
    texts = ["aaa", "bbbbbb", "c", "d" * 30, "e", ""]
    assert [estimated_tokens(text) for text in [*texts, "é€"]] == [1, 2, 1, 10, 1, 0, 2]
    assert list(batches(texts, 4, 9)) == [["aaa", "bbbbbb", "c"], ["d" * 30], ["e", ""]]
    assert list(batches(texts, 4, 2)) == [["aaa", "bbbbbb"], ["c"], ["d" * 30], ["e", ""]]
    assert list(batches([], 4, 2)) == []


def test_long_texts_are_cut_and_empty_ones_sent_as_a_blank(api):
    loaded(api, max_characters=5, corpus_prompt="d: ").encode(["abcdef", ""], "corpus")
    loaded(api).encode([""], "corpus")
    assert api.requests == [["d: ab", "d: "], [" "]]


@pytest.mark.parametrize(
    "fault",
    [
        error(429, "slow down", "rate_limit_exceeded"),
        error(500, "oops"),
        error(503, "overloaded"),
        error(408, "timed out"),
        cut,
        hang_up,
    ],
    ids=["429", "500", "503", "408", "cut", "hang up"],
)
def test_passing_faults_are_retried(api, fault, caplog):
    api.faults = [fault] * 3
    np.testing.assert_allclose(loaded(api).encode(TEXTS, "corpus"), wanted(TEXTS), atol=1e-6)
    assert api.seen == 4
    told = [record.getMessage() for record in caplog.records if record.name == "smec.backbones.api_calls"]
    assert len(told) == 3 and "attempt 1 of 8; again in 0.0 s" in told[0]


@pytest.mark.parametrize(("header", "seconds"), [("Retry_After", 0.3), ("Retry_After_Ms", 300)])
def test_the_pause_that_a_server_asks_for_is_kept(api, header, seconds, caplog):
    api.faults = [error(429, "slow down", **{header: seconds})]
    loaded(api).encode(["a"], "corpus")
    assert "again in 0.3 s" in caplog.text


def test_attempts_end(api):
    api.faults = [error(500, "oops")] * 9
    with pytest.raises(
        SmecError, match=r"did not answer in 3 attempts; .*InternalServerError \(500\).*shards are kept"
    ):
        loaded(api, attempts=3).encode(["a"], "corpus")
    assert api.seen == 3


def test_a_server_that_is_gone_is_told():
    with serving(Api()) as gone:
        pass
    with pytest.raises(SmecError, match=r"did not answer in 2 attempts; .*APIConnectionError.*Check the network"):
        loaded(gone, attempts=2).encode(["a"], "corpus")


def test_a_slow_server_is_asked_again(api):
    api.pause = 0.3
    with pytest.raises(SmecError, match=r"did not answer in 2 attempts; .*APITimeoutError"):
        loaded(api, attempts=2, timeout=0.05).encode(["a"], "corpus")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (error(403, "not allowed"), r"refuses the key in OPENAI_API_KEY \(403\)"),
        (
            error(404, "The model `tiny` does not exist"),
            r"has no model 'tiny' \(404: .*does not exist.*Correct `model`",
        ),
        (error(400, "maximum context length is 8192 tokens"), r"refuses a request \(400: .*maximum context.*max_char"),
        (error(429, "You exceeded your quota", "insufficient_quota"), r"has no credit left"),
        (error(500, "for ever", X_Should_Retry="false"), r"refuses a request \(500: .*for ever"),
        (lambda handler: send(handler, 200, {"object": "list", "data": []}), r"not answer as an embeddings"),
        (lambda handler: send(handler, 200, "<html>a login page</html>"), r"not answer as an embeddings"),
        (lambda handler: send(handler, 200, ONE_OF_TWO), r"gave 1 vectors for 1 texts, or some twice"),
    ],
    ids=["403", "404", "400", "quota", "for ever", "nothing", "html", "too few"],
)
def test_lasting_faults_are_told_at_once(api, fault, message):
    api.faults = [fault]
    with pytest.raises(SmecError, match=message):
        loaded(api).encode(["a"], "corpus")
    assert api.seen == 1


def test_a_wrong_key_is_told_at_once_and_never_shown(api, monkeypatch, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    wrong = "my-own-secret-42"
    monkeypatch.setenv("OPENAI_API_KEY", wrong)
    prepare(tmp_path / "data")
    with pytest.raises(SmecError, match=r"refuses the key in OPENAI_API_KEY \(401\).*has not expired") as told:
        embed(tmp_path / "data", settings(api), "queries", tmp_path / "store")
    assert api.seen == 1
    assert wrong not in str(told.value) and wrong not in caplog.text
    assert told.value.__cause__ is None and told.value.__suppress_context__


def test_the_key_is_nowhere_but_in_the_environment(api, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    prepare(tmp_path / "data")
    api.faults = [error(500, f"a proxy repeats {KEY}"), error(400, f"and again {KEY}")]
    used = settings(api)
    with pytest.raises(SmecError) as told:
        embed(tmp_path / "data", used, "queries", tmp_path / "store")
    embed(tmp_path / "data", used, "queries", tmp_path / "store")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for text in (str(told.value), caplog.text, used.model_dump_json(), repr(used), written.decode("latin-1")):
        assert KEY not in text
    assert "and again ***" in str(told.value)


def test_a_missing_key_is_known_before_anything_runs(api, monkeypatch):
    assert settings(api).missing() is None
    monkeypatch.delenv("OPENAI_API_KEY")
    assert "set the environment variable OPENAI_API_KEY" in settings(api).missing()
    with pytest.raises(SmecError, match="needs a key"):
        loaded(api)
    with pytest.raises(SmecError, match="unknown key 'api_key'") as told:
        backbones.parse({"kind": "openai", "api_key": KEY})
    assert KEY not in str(told.value)


@pytest.mark.parametrize("url", ["https://user:secret@host/v1", "https://host/v1?api-key=secret", "host/v1"])
def test_an_address_holds_no_secret(url):
    with pytest.raises(SmecError, match="without a user, a key or a query"):
        backbones.parse({"kind": "openai", "base_url": url})


def test_a_run_that_broke_pays_for_no_finished_shard_again(api, tmp_path):
    prepare(tmp_path / "data")
    used = settings(api, attempts=1)
    api.faults = [None, None, error(500, "oops")]
    with pytest.raises(SmecError, match="finished shards are kept"):
        embed(tmp_path / "data", used, "corpus", tmp_path / "store", shard_rows=8)
    embed(tmp_path / "data", used, "corpus", tmp_path / "store", shard_rows=8)
    assert api.texts() == [f"text {i:02d}" for i in range(30)]
    store = EmbeddingStore.open(tmp_path / "store", used.declared("corpus"))
    np.testing.assert_allclose(store[0:30], wanted([f"text {i:02d}" for i in range(30)]), atol=1e-6)
    with pytest.raises(SmecError, match="another backbone or other settings"):
        EmbeddingStore.open(tmp_path / "store", settings(api, base_url="http://other/v1").declared("corpus"))


def test_the_estimate_is_told_and_the_ceiling_holds_before_the_first_call(api, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    prepare(tmp_path / "data")  # 30 texts of 7 bytes, 3 tokens each
    with pytest.raises(SmecError, match=r"takes about 90 tokens, 90.00 dollars at 1000000.0 per million.*max_cost: 89"):
        embed(tmp_path / "data", settings(api, price=1e6, max_cost=89), "corpus", tmp_path / "store")
    assert api.seen == 0
    embed(tmp_path / "data", settings(api, price=1e6, max_cost=90), "corpus", tmp_path / "store")
    assert "about 90 tokens, at most 90.00 dollars" in caplog.text


def test_what_the_server_counts_holds_the_ceiling_too(api):
    api.tokens_per_text = 50
    backbone = loaded(api, price=1e6, max_cost=149, batch_size=1, concurrency=1)
    with pytest.raises(SmecError, match=r"ceiling is reached: 100.00 dollars are spent and the next .* at 50.00"):
        backbone.encode(["a", "b", "c"], "corpus")
    assert api.seen == 2, "one token was estimated and fifty were counted, so the next is reckoned with fifty"


def test_attempts_at_a_store_share_one_ceiling(api, tmp_path):
    """Estimated at 90 in all, and counted at three times that, for thirty texts of three tokens."""
    prepare(tmp_path / "data")
    api.tokens_per_text = 9
    used = settings(api, price=1e6, max_cost=100, batch_size=1, concurrency=1)
    with pytest.raises(SmecError, match=r"ceiling is reached: 99.00 dollars are spent"):
        embed(tmp_path / "data", used, "corpus", tmp_path / "store", shard_rows=4)
    assert len(api.texts()) == 11
    for _ in range(2):
        with pytest.raises(SmecError, match=r"about 66 tokens, 66.00 .*99.00 dollars were spent before.*Nothing was"):
            embed(tmp_path / "data", used, "corpus", tmp_path / "store", shard_rows=4)
    assert len(api.texts()) == 11
    enough = settings(api, price=1e6, max_cost=300, batch_size=1)
    embed(tmp_path / "data", enough, "corpus", tmp_path / "store", shard_rows=4)
    assert len(api.texts()) == 11 + 22 and not (tmp_path / "store/bill.json").exists()
    with pytest.raises(SmecError, match=r"takes about 90 tokens, 90.00 dollars.*allows. Nothing"):
        embed(
            tmp_path / "data", used.model_copy(update={"model": "other", "max_cost": 5}), "corpus", tmp_path / "store"
        )


def test_a_request_without_an_answer_costs_nothing(api, tmp_path):
    prepare(tmp_path / "data")
    api.faults = [error(500, "oops")]
    used = settings(api, price=1e6, max_cost=90, attempts=1, batch_size=30)
    with pytest.raises(SmecError, match="finished shards are kept"):
        embed(tmp_path / "data", used, "corpus", tmp_path / "store")
    embed(tmp_path / "data", used, "corpus", tmp_path / "store")
    assert len(api.texts()) == 30


def test_the_bill_of_a_killed_job_holds_what_was_under_way(tmp_path):
    bill = Bill(price=2, ceiling=1)
    bill.keep(tmp_path / "bill.json", {"model": "a"})
    assert bill.reserve(400_000) == 400_000
    after = Bill(price=2, ceiling=1)
    after.keep(tmp_path / "bill.json", {"model": "a"})
    assert after.tokens == 400_000
    other = Bill(price=2, ceiling=1)
    other.keep(tmp_path / "bill.json", {"model": "b"})
    assert other.tokens == 0


def test_a_server_that_counts_nothing_is_billed_by_the_estimate(api):
    api.tokens_per_text = None
    backbone = loaded(api)
    backbone.encode(["abc", "abcdef"], "corpus")
    assert backbone.bill.tokens == 3


def test_the_bill_by_hand():
    bill = Bill(price=1, ceiling=1)
    assert bill.cost(500_000) == 0.5
    assert bill.reserve(400_000) == 400_000
    bill.settle(400_000, 400_000, 300_000)
    assert bill.reserve(100_000) == 100_000, "an estimate that was too high stays as it is"
    bill.settle(100_000, 100_000, 300_000)
    assert bill.tokens == 600_000
    assert bill.reserve(20_000) == 24_000, "600,000 were counted for 500,000"
    with pytest.raises(SmecError, match=r"ceiling is reached: 0.62 dollars are spent .* at 0.48"):
        bill.reserve(400_000)


def test_the_pace_by_hand():
    now, slept = [0.0], []

    def sleep(seconds):
        slept.append(round(seconds, 6))
        now[0] += seconds

    pace = Pace(requests_per_minute=60, tokens_per_minute=600, clock=lambda: now[0], sleep=sleep)
    for tokens in (5, 30, 5):
        pace.wait(tokens)
    now[0] += 10
    pace.wait(5)
    assert slept == [0, 1, 3, 0], "a second per request, a tenth per token"


def test_requests_run_side_by_side_but_not_more_than_asked(api):
    api.pause = 0.05
    loaded(api, batch_size=1, concurrency=3).encode(TEXTS[:9], "corpus")
    assert api.busiest == 3
    assert threading.active_count() < 8


def test_another_width_than_declared_is_told(api):
    api.dim = 4
    with pytest.raises(SmecError, match=r"gives vectors of 4 dimensions, but the backbone says 8. Set dim: 4"):
        loaded(api).encode(["a"], "corpus")


def test_the_configuration_loads_no_library_for_it():
    heavy = "('openai', 'tenacity', 'httpx', 'httpx2', 'torch')"
    code = f"import sys, smec.backbones; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
