"""The parts of LLM2Vec that touch the model: attention in both directions, merged adapters, tokens, pooling."""

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from smec.backbones.loading import quiet, unloadable
from smec.backbones.model_files import is_hub_id, model_folder
from smec.errors import SmecError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Part(Protocol):
    """A model or an adapter by name."""

    @property
    def model(self) -> str:
        """A folder or a hub id."""
        ...

    @property
    def revision(self) -> str | None:
        """Commit of a hub id."""
        ...


class Whole(Part, Protocol):
    """A model, its adapters and its attention."""

    @property
    def adapters(self) -> Sequence[Part]:
        """Adapters, in the order of merging."""
        ...

    @property
    def attention(self) -> str:
        """`bidirectional` or `causal`."""
        ...


def load_model(settings: Whole, device: str, precision: str) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Return the model without its head, adapters merged, and its tokenizer; remote code never runs.

    Raises:
        SmecError: a part does not load, an adapter does not belong to the model, or the attention stays causal.
    """
    if not any(is_hub_id(part.model) for part in (settings, *settings.adapters)):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with quiet():
        model, tokenizer = _guarded(settings, lambda: _base(settings, device, precision))
        for adapter in settings.adapters:
            model = _guarded(adapter, lambda model=model, adapter=adapter: _merged(model, adapter))
    if not tokenizer.is_fast:
        raise SmecError(
            f"The tokenizer of {settings.model!r} cannot tell where a token begins. It needs tokenizer.json."
        )
    tokenizer.padding_side = "right"
    tokenizer.truncation_side = "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if settings.attention == "bidirectional":
        open_attention(model)
        if not sees_later_tokens(model):
            raise SmecError(
                f"The attention of {settings.model!r} ({type(model).__name__}) stays causal: transformers knows no "
                "bidirectional form of it. Use a Llama, Mistral, Qwen2 or Gemma model, or set attention: causal."
            )
    return model.eval(), tokenizer


def open_attention(model: "PreTrainedModel") -> None:
    """Let every token of `model` see the later ones: no causal mask, and no kernel that brings its own."""
    model.config.is_causal = False
    for module in model.modules():
        if hasattr(module, "is_causal"):
            setattr(module, "is_causal", False)  # noqa: B010 - a plain attribute, which the type of a module lacks


def sees_later_tokens(model: "PreTrainedModel") -> bool:
    """Say whether another last token changes the state of the first, with and without padding."""
    import torch

    ids = torch.tensor([[1, 2, 3], [1, 2, 4]], device=model.device)
    masks = (torch.ones_like(ids), torch.tensor([[1, 1, 1], [1, 1, 1], [1, 1, 0]], device=model.device))
    batches = (ids, torch.cat([ids, ids[:1]]))
    with torch.inference_mode():
        for batch, mask in zip(batches, masks, strict=True):
            first = model(input_ids=batch, attention_mask=mask, use_cache=False).last_hidden_state[:2, 0]
            if torch.equal(first[0], first[1]):
                return False
    return True


def tokenised(
    tokenizer: "PreTrainedTokenizerBase", before: str, texts: Sequence[str], max_length: int, after: str = ""
) -> "tuple[Tensor, Tensor, Tensor]":
    """Return the tokens of `before` + text + `after`, which of them may be looked at, and which are not of `before`.

    A token belongs to the text when it covers a character of it; where a token spans the border, it does. Of a text
    that is too long the end is cut, and `after` stays: where the last token is what the model was trained to be read
    at, no other may take its place.

    Returns:
        Token numbers, int64 (n, longest); int64 (n, longest), 0 for padding; bool (n, longest), false for `before`,
        for tokens that the tokenizer adds, and for padding.
    """
    encoded = tokenizer(
        [before + text + after for text in _cut(tokenizer, before, texts, max_length, after)],
        padding=True,
        truncation=True,
        max_length=max_length,
        return_offsets_mapping=True,
        return_tensors="pt",
    )
    ends = encoded["offset_mapping"][:, :, 1]
    attended = encoded["attention_mask"]
    return encoded["input_ids"], attended, (ends > len(before)) & attended.bool()


def _cut(
    tokenizer: "PreTrainedTokenizerBase", before: str, texts: Sequence[str], max_length: int, after: str
) -> list[str]:
    """Return the texts, each as long as leaves room for `after`."""
    if not after:
        return list(texts)
    alone = tokenizer(after, add_special_tokens=False)["input_ids"]
    whole = tokenizer([before + text + after for text in texts])["input_ids"]
    cut = list(texts)
    for row, ids in enumerate(whole):
        if len(ids) > max_length:
            kept = tokenizer(
                before + texts[row], truncation=True, max_length=max_length - len(alone), return_offsets_mapping=True
            )
            end = max(end for _, end in kept["offset_mapping"])
            cut[row] = texts[row][: max(end - len(before), 0)]
    return cut


def pooled(states: "Tensor", attended: "Tensor", of_text: "Tensor", pooling: Literal["mean", "last"]) -> "Tensor":
    """Return one vector per text.

    Args:
        states: float (n, longest, dim), of all tokens.
        attended: int64 (n, longest), 0 for padding.
        of_text: bool (n, longest), the tokens that count; where a row has none, all that are not padding do.
        pooling: mean over the tokens that count, or the last token that is not padding.

    Returns:
        float32 (n, dim).
    """
    import torch

    if pooling == "last":
        places = torch.arange(attended.shape[1], device=attended.device)
        last = (attended * places).argmax(dim=1)
        return states[torch.arange(len(states), device=states.device), last].float()
    counted = torch.where(of_text.any(dim=1, keepdim=True), of_text, attended.bool())[:, :, None]
    return (states.float() * counted).sum(dim=1) / counted.sum(dim=1)


def _base(settings: Whole, device: str, precision: str) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    where = _source(settings) | {"trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(**where)
    dtype = getattr(torch, precision)
    model = AutoModel.from_pretrained(**where, dtype=dtype, device_map=device, use_safetensors=True)
    return model, tokenizer


def _merged(model: Any, adapter: Part) -> Any:
    from peft import PeftModel

    where = _source(adapter)
    with warnings.catch_warnings():
        # The weights that an adapter lacks would stay at random or zero, and the vectors be those of another model.
        warnings.filterwarnings("error", message="Found missing adapter keys")
        warnings.filterwarnings("ignore", category=FutureWarning)  # peft's, of transformers
        return PeftModel.from_pretrained(
            model, where["pretrained_model_name_or_path"], revision=where["revision"]
        ).merge_and_unload(safe_merge=True)


def _source(part: Part) -> dict[str, Any]:
    if is_hub_id(part.model):
        return {"pretrained_model_name_or_path": part.model, "revision": part.revision}
    folder = str(model_folder(part.model))
    return {"pretrained_model_name_or_path": folder, "revision": part.revision, "local_files_only": True}


def _guarded(part: Part, load: Any) -> Any:
    try:
        return load()
    # Loaders of third parties raise anything, from OSError to a safetensors error of their own.
    except Exception as error:
        raise SmecError(unloadable(part.model, part.revision, error)) from error
