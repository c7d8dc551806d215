"""The llm2vec backbone on tiny random language models that the tests make themselves."""

import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest

from smec import backbones
from smec.backbones.llm2vec import Llm2VecSettings
from smec.backbones.llm2vec_model import open_attention, pooled, sees_later_tokens, tokenised
from smec.embedding import embed
from smec.errors import SmecError
from smec.store import EmbeddingStore
from tests.unit.test_embedding import prepare

DIM = 16
TEXTS = ["a cat sat on the mat", "dogs", "the quick brown fox jumps over the lazy dog " * 3, "naïve café", "mat the on"]
INSTRUCTION = "Find what answers the question:"
COMMIT = "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a"


def byte_tokenizer(folder, begin=None):
    """A byte-level BPE as Qwen2 and Llama 3 have it; `begin` is put before every text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["<eos>", *([begin] if begin else [])]
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*TEXTS, INSTRUCTION], trainer)
    if begin:
        number = tokenizer.token_to_id(begin)
        tokenizer.post_processor = processors.TemplateProcessing(f"{begin} $A", special_tokens=[(begin, number)])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", bos_token=begin).save_pretrained(folder)


SIZES = {
    "vocab_size": 330,
    "hidden_size": DIM,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A Qwen2 and a Llama of two layers with random weights, saved as language models with their head."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    root = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    Qwen2ForCausalLM(Qwen2Config(**SIZES)).save_pretrained(root / "qwen2")
    byte_tokenizer(root / "qwen2")
    LlamaForCausalLM(LlamaConfig(**SIZES)).save_pretrained(root / "llama")
    byte_tokenizer(root / "llama", begin="<begin>")
    return root


@pytest.fixture(scope="module")
def adapters(folders):
    """Two adapters with random weights, the second made on top of the first."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel

    base = AutoModel.from_pretrained(folders / "qwen2")
    for seed, name in enumerate(("mntp", "supervised"), start=1):
        torch.manual_seed(seed)
        config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "up_proj"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft's, of transformers
            model = get_peft_model(base, config)
        for key, weight in model.named_parameters():
            if "lora_B" in key:
                torch.nn.init.normal_(weight, std=0.3)
        model.save_pretrained(folders / name)
        base = model.merge_and_unload()
    return [{"model": str(folders / name)} for name in ("mntp", "supervised")]


def settings(folder, **values):
    return Llm2VecSettings(**{"model": str(folder), "dim": DIM, "device": "cpu"} | values)


@pytest.fixture(scope="module", params=["qwen2", "llama"])
def loaded(request, folders):
    return backbones.load(settings(folders / request.param, query_instruction=INSTRUCTION, batch_size=2))


def states(model, ids):
    import torch

    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0].numpy()


def test_a_later_token_changes_an_earlier_state(loaded, folders):
    ours = [states(loaded.model, [5, 6, 7, last]) for last in (8, 9)]
    assert np.abs(ours[0][:3] - ours[1][:3]).max(axis=1).min() > 1e-4
    causal = backbones.load(settings(folders / loaded.settings.model.split("/")[-1], attention="causal"))
    plain = [states(causal.model, [5, 6, 7, last]) for last in (8, 9)]
    np.testing.assert_array_equal(plain[0][:3], plain[1][:3])
    assert sees_later_tokens(loaded.model) and not sees_later_tokens(causal.model)


def test_the_states_are_those_of_attention_without_a_mask(loaded):
    """Against transformers' own eager attention with an explicit mask of zeros."""
    import torch
    from transformers import AutoModel

    plain = AutoModel.from_pretrained(loaded.settings.model, attn_implementation="eager")
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.inference_mode():
        wanted = plain(input_ids=ids, attention_mask=torch.zeros(1, 1, 5, 5), use_cache=False).last_hidden_state[0]
    np.testing.assert_allclose(states(loaded.model, ids[0].tolist()), wanted.numpy(), atol=1e-5)


def test_the_mean_is_over_the_tokens_of_the_text(loaded):
    """Computed by hand from the states of one unpadded sequence, instruction first."""
    text = "a cat sat"
    before = len(loaded.tokenizer(INSTRUCTION)["input_ids"])
    whole = loaded.tokenizer(f"{INSTRUCTION} {text}")["input_ids"]
    blank = int(loaded.tokenizer.decode(whole[before]) == " ")  # where the blank between is a token of its own
    wanted = states(loaded.model, whole)[before + blank :].mean(axis=0)
    np.testing.assert_allclose(loaded.encode([text], "queries")[0], wanted / np.linalg.norm(wanted), atol=1e-5)
    plain = states(loaded.model, loaded.tokenizer(text)["input_ids"])
    begun = int(loaded.tokenizer.bos_token is not None)
    wanted = plain[begun:].mean(axis=0)
    np.testing.assert_allclose(loaded.encode([text], "corpus")[0], wanted / np.linalg.norm(wanted), atol=1e-5)


def test_instruction_tokens_do_not_enter_the_mean_but_are_read(loaded):
    ids, attended, of_text = tokenised(loaded.tokenizer, f"{INSTRUCTION} ", ["a cat", "dogs"], 64)
    counted = [loaded.tokenizer.decode(row[mask]) for row, mask in zip(ids, of_text, strict=True)]
    assert [text.strip() for text in counted] == ["a cat", "dogs"]
    read = [loaded.tokenizer.decode(row[mask]) for row, mask in zip(ids, attended.bool() & ~of_text, strict=True)]
    assert [text.removeprefix("<begin>").strip() for text in read] == [INSTRUCTION] * 2
    vectors = [loaded.encode(["a cat"], role) for role in ("queries", "corpus")]
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


def test_pooling_by_hand():
    import torch

    states = torch.tensor([[[1.0, 0], [3, 0], [5, 2], [9, 9]], [[1, 1], [2, 2], [9, 9], [9, 9]]])
    attended = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
    of_text = torch.tensor([[False, True, True, False], [False, False, False, False]])
    assert pooled(states, attended, of_text, "mean").tolist() == [[4, 1], [1.5, 1.5]]
    assert pooled(states, attended, of_text, "last").tolist() == [[5, 2], [2, 2]]
    assert pooled(states.bfloat16(), attended, of_text, "mean").dtype == torch.float32


def test_what_stands_after_the_text_counts_and_what_stands_before_does_not(folders):
    backbone = backbones.load(settings(folders / "qwen2", prefix="<user> ", suffix="<end>", query_instruction="Find:"))
    assert backbone.settings.before("corpus") == "<user> "
    assert backbone.settings.before("queries") == "<user> Find: "
    ids, _, of_text = tokenised(backbone.tokenizer, backbone.settings.before("queries"), ["a cat"], 64, "<end>")
    assert backbone.tokenizer.decode(ids[0][of_text[0]]).strip() == "a cat<end>"


def test_a_long_text_is_cut_and_what_stands_after_it_stays(folders):
    """The state that `last` reads is that of the suffix, as the model was trained."""
    backbone = backbones.load(settings(folders / "qwen2", suffix="<end>", pooling="last", max_length=9))
    long, kept = "a cat and dogs " * 20, len(backbone.tokenizer("<end>")["input_ids"])
    ids, attended, _ = tokenised(backbone.tokenizer, "", [long, "a cat"], 9, "<end>")
    for row, mask in zip(ids, attended.bool(), strict=True):
        assert backbone.tokenizer.decode(row[mask][-kept:]).strip() == "<end>"
    assert attended.sum(dim=1).tolist()[0] == 9
    wanted = states(backbone.model, ids[0].tolist())[-1]
    np.testing.assert_allclose(backbone.encode([long], "corpus")[0], wanted / np.linalg.norm(wanted), atol=1e-5)
    start = backbone.tokenizer(long)["input_ids"][: 9 - kept]
    assert ids[0][: 9 - kept].tolist() == start


def test_vectors_depend_neither_on_order_nor_on_the_batch(loaded):
    ours = loaded.encode(TEXTS, "queries")
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(loaded.encode(TEXTS[::-1], "queries"), ours[::-1], atol=1e-5)
    np.testing.assert_allclose(np.concatenate([loaded.encode([t], "queries") for t in TEXTS]), ours, atol=1e-5)
    assert ours.dtype == np.float32


def test_an_empty_text_still_has_a_vector(loaded):
    for role in ("corpus", "queries"):
        assert np.linalg.norm(loaded.encode(["", "dogs"], role), axis=1).tolist() == pytest.approx([1, 1])


def test_max_length_cuts_the_text_and_must_leave_some(folders, tmp_path):
    prepare(tmp_path / "data")
    short = backbones.load(settings(folders / "qwen2", max_length=3))
    long = backbones.load(settings(folders / "qwen2"))
    ids = long.tokenizer(TEXTS[0])["input_ids"]
    wanted = states(long.model, ids[:3]).mean(axis=0)
    np.testing.assert_allclose(short.encode(TEXTS[:1], "corpus")[0], wanted / np.linalg.norm(wanted), atol=1e-5)
    tight = backbones.load(settings(folders / "qwen2", max_length=3, query_instruction=INSTRUCTION))
    tight.rows(tmp_path / "data", "corpus")
    with pytest.raises(SmecError, match=r"before each text of the queries has \d+ tokens and max_length is 3"):
        tight.rows(tmp_path / "data", "queries")


def test_merged_adapters_equal_the_unmerged_forward(folders, adapters):
    from peft import PeftModel
    from transformers import AutoModel

    merged = backbones.load(settings(folders / "qwen2", adapters=adapters))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        first = PeftModel.from_pretrained(AutoModel.from_pretrained(folders / "qwen2"), folders / "mntp")
        unmerged = PeftModel.from_pretrained(first.merge_and_unload(), folders / "supervised")
    open_attention(unmerged)
    ids = merged.tokenizer(TEXTS[0])["input_ids"]
    np.testing.assert_allclose(states(merged.model, ids), states(unmerged, ids), atol=1e-4)
    bare = backbones.load(settings(folders / "qwen2"))
    one = backbones.load(settings(folders / "qwen2", adapters=adapters[:1]))
    for other in (bare, one):
        assert np.abs(states(merged.model, ids) - states(other.model, ids)).max() > 1e-2
    assert not any("lora" in name for name, _ in merged.model.named_parameters())
    assert len({tuple(backbone.identity["weights"]) for backbone in (bare, one, merged)}) == 3


def test_an_adapter_of_another_model_is_refused(folders, adapters, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folders / "mntp", tmp_path / "other")
    weights = load_file(tmp_path / "other" / "adapter_model.safetensors")
    renamed = {key.replace("base_model.model.", "base_model.model.model."): value for key, value in weights.items()}
    save_file(renamed, tmp_path / "other" / "adapter_model.safetensors")
    with pytest.raises(SmecError, match=r"other' could not be loaded: Found missing adapter keys"):
        backbones.load(settings(folders / "qwen2", adapters=[{"model": str(tmp_path / "other")}]))


def test_bfloat16_is_near_and_has_a_key_of_its_own(folders):
    fine, rough = (backbones.load(settings(folders / "llama", precision=p)) for p in ("float32", "bfloat16"))
    assert (fine.encode(TEXTS, "corpus") * rough.encode(TEXTS, "corpus")).sum(axis=1).min() > 0.999
    assert (fine.identity["precision"], rough.identity["precision"]) == ("float32", "bfloat16")


def test_an_architecture_that_stays_causal_is_refused(folders, monkeypatch):
    monkeypatch.setattr("smec.backbones.llm2vec_model.open_attention", lambda model: None)
    with pytest.raises(SmecError, match=r"attention of .*\(Qwen2Model\) stays causal"):
        backbones.load(settings(folders / "qwen2"))


def test_a_store_is_written_and_keyed(folders, tmp_path, capfd):
    prepare(tmp_path / "data")
    used = settings(folders / "qwen2", query_instruction=INSTRUCTION)
    embed(tmp_path / "data", used, "queries", tmp_path / "store")
    store = EmbeddingStore.open(tmp_path / "store", used.declared("queries"))
    assert (len(store), store.dim) == (30, DIM)
    assert store.key["prompt"] == f"{INSTRUCTION} "
    for change in ({"max_length": 8}, {"pooling": "last"}, {"attention": "causal"}, {"suffix": "."}):
        with pytest.raises(SmecError, match="another backbone or other settings"):
            EmbeddingStore.open(tmp_path / "store", settings(folders / "qwen2", **change).declared("queries"))
    assert capfd.readouterr() == ("", "")


def test_faults_of_settings():
    base = {"kind": "llm2vec", "model": "Qwen/Qwen2-1.5B", "revision": COMMIT, "dim": 1536}
    backbones.parse(base)
    with pytest.raises(SmecError, match="hub id and needs `revision`"):
        backbones.parse(base | {"revision": "main"})
    with pytest.raises(SmecError, match=r"adapters.0: .*hub id and needs `revision`"):
        backbones.parse(base | {"adapters": [{"model": "me/adapter"}]})
    with pytest.raises(SmecError, match="unknown key 'trust_remote_code'"):
        backbones.parse(base | {"trust_remote_code": True})


def test_missing_and_damaged_models(folders, tmp_path, monkeypatch):
    with pytest.raises(SmecError, match="nowhere of the backbone does not exist"):
        backbones.load(settings(tmp_path / "nowhere"))
    with pytest.raises(SmecError, match="nowhere of the backbone does not exist"):
        settings(folders / "qwen2", adapters=[{"model": str(tmp_path / "nowhere")}]).check()
    shutil.copytree(folders / "qwen2", tmp_path / "half")
    content = (tmp_path / "half" / "model.safetensors").read_bytes()
    (tmp_path / "half" / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(SmecError, match=r"could not be loaded.*complete model"):
        backbones.load(settings(tmp_path / "half"))
    with pytest.raises(SmecError, match=r"gives vectors of 16 dimensions, but the backbone says 32. Set dim: 16"):
        backbones.load(settings(folders / "qwen2", dim=32))
    hub = {"model": "nobody/nothing", "revision": COMMIT}
    assert "nobody/nothing' at revision 5c38ec7" in Llm2VecSettings(dim=DIM, **hub).missing()
    assert "nobody/nothing" in settings(folders / "qwen2", adapters=[hub]).missing()
    assert settings(folders / "qwen2").missing() is None
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert Llm2VecSettings(dim=DIM, **hub).missing() is None, "not known without a network"


def test_the_configuration_loads_no_library_for_it():
    heavy = "('torch', 'transformers', 'peft', 'huggingface_hub')"
    code = f"import sys, smec.backbones; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
