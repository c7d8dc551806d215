"""Training of a small CLIP from nothing, on the images and captions of one dataset.

Model, transform, tokenizer and loss are open_clip's own. All images are decoded once and stay in memory, so this is for
sets of some ten thousand small images.
"""

import logging
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from torch import Tensor, nn

from smec.backbones.base import unit_rows
from smec.backbones.clip_options import ClipTraining
from smec.backbones.open_clip_files import FOLDER
from smec.backbones.open_clip_models import CONFIG
from smec.datasets import reading
from smec.errors import SmecError
from smec.files import write_json
from smec.image_batches import default_workers, image_batches
from smec.judgements import Judgements
from smec.metrics import DEPTH, per_query
from smec.progress import progress
from smec.search import exact_topk

Tokenizer = Callable[[list[str]], Tensor]
LARGEST_SCALE = float(np.log(100))
DECODED_AT_ONCE = 1024
ENCODED_AT_ONCE = 512
TIMES_TOLD = 8

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaptionedImages:
    """Images and captions in memory, and which belong together.

    Attributes:
        images: float32 (n, 3, height, width), as the model wants them.
        tokens: int64 (t, context length).
        captions: for a split, the judged captions (rows of `tokens`) and their images (rows of `images`).
    """

    images: Tensor
    tokens: Tensor
    captions: dict[str, Judgements]


def build(config: dict[str, Any], seed: int, file: str | Path = CONFIG) -> tuple[Any, Tokenizer]:
    """Return an untrained model of an `open_clip_config.json`, and its tokenizer.

    The tokenizer is found as it is for the trained model: in a folder with that configuration.

    Args:
        config: content of the file.
        seed: of the weights.
        file: it, for messages.

    Raises:
        SmecError: open_clip does not know a key, or sizes do not fit each other.
    """
    torch.manual_seed(seed)
    try:
        model = open_clip.model.CLIP(**config["model_cfg"])
        size = config["model_cfg"]["vision_cfg"].get("image_size", open_clip.CLIPVisionCfg.image_size)
        images = open_clip.transform.PreprocessCfg(size=size)
        merged = open_clip.transform.merge_preprocess_dict(images, config.get("preprocess_cfg", {}))
        open_clip.model.set_model_preprocess_cfg(model, merged)
        with tempfile.TemporaryDirectory() as folder:
            write_json(Path(folder) / CONFIG, config)
            tokenizer = open_clip.get_tokenizer(f"{FOLDER}{folder}")
    # open_clip's own checks are assertions, and unknown keys are type errors.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise SmecError(f"open_clip cannot build the architecture of {file}: {reason}. Correct that file.") from error
    return model, tokenizer


def load_pairs(folder: Path, model: Any, tokenizer: Tokenizer) -> CaptionedImages:
    """Bring a dataset whose queries are captions and whose documents are images into memory."""
    transform = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**model.visual.preprocess_cfg), is_train=False
    )
    images = reading.images(folder, "corpus")
    batches = image_batches(images, transform, DECODED_AT_ONCE, default_workers("cpu"))
    return CaptionedImages(
        images=torch.cat(list(batches)),
        tokens=tokenizer(reading.texts(folder, "queries")),
        captions={
            split: reading.judgements(folder, split).positives().expanded() for split in ("train", "validation", "test")
        },
    )


def train(model: Any, data: CaptionedImages, options: ClipTraining) -> list[float]:
    """Minimise open_clip's contrastive loss in place, and return it at each step.

    A step takes captions without repetition and for each a random image of it, so that nothing that belongs together is
    contrasted within a batch.

    Raises:
        SmecError: the loss is not finite.
    """
    groups = _groups(model, options.weight_decay)
    # One pass over the parameters instead of a dozen: most of them are the embeddings of tokens.
    optimizer = torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.98), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=options.learning_rate,
        total_steps=options.steps,
        pct_start=options.warmup,
        cycle_momentum=False,
    )
    loss_of = open_clip.ClipLoss()
    model.train()
    losses: list[float] = []
    told_every = max(1, options.steps // TIMES_TOLD)
    steps = progress(range(options.steps), "pretrain")
    for _, (images, tokens) in zip(steps, _batches(data, options), strict=False):
        loss = loss_of(
            model.encode_image(images, normalize=True),
            model.encode_text(tokens, normalize=True),
            model.logit_scale.exp(),
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, LARGEST_SCALE)
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise SmecError(
                f"The loss of the CLIP became {losses[-1]} in step {len(losses)}. Lower `learning_rate` under "
                "`training` of the backbone and run again; nothing was written."
            )
        if len(losses) % told_every == 0:
            logger.info("step %d of %d: loss %.3f", len(losses), options.steps, losses[-1])
    model.eval()
    return losses


@torch.inference_mode()
def zero_shot(model: Any, data: CaptionedImages, split: str) -> dict[str, float]:
    """Return nDCG@10 of one split among its own captions and images: of captions, of images, and between images.

    `image_to_image` asks with the first image of each caption for its others, and is left out where there are none.
    """
    judged = data.captions[split]
    images = np.unique(judged.corpus_rows)
    place = np.searchsorted(images, judged.corpus_rows)
    owner = np.repeat(np.arange(len(judged)), np.diff(judged.offsets))
    shown = _encoded(model.encode_image, data.images[torch.from_numpy(images)])
    asked = _encoded(model.encode_text, data.tokens[torch.from_numpy(judged.query_rows)])
    found = {
        "text_to_image": _mean_ndcg(asked, shown, owner, place),
        "image_to_text": _mean_ndcg(shown, asked, place, owner),
    }
    first = place[judged.offsets[:-1]]
    others = np.setdiff1d(np.arange(len(place)), judged.offsets[:-1])
    if len(others):
        found["image_to_image"] = _mean_ndcg(shown[first], shown, owner[others], place[others], exclude=first)
    return found


def _mean_ndcg(queries: Any, documents: Any, owner: Any, place: Any, exclude: Any = None) -> float:
    judged = Judgements.from_triples(owner, place, np.ones(len(owner)))
    rows = judged.query_rows
    excluded = None if exclude is None else exclude[rows]
    _, ranked = exact_topk(queries[rows], documents, DEPTH, exclude_rows=excluded)
    return float(per_query(judged, ranked)["ndcg@10"].mean())


def _encoded(encode: Any, inputs: Tensor) -> Any:
    return unit_rows(torch.cat([encode(part) for part in torch.split(inputs, ENCODED_AT_ONCE)]).numpy())


def _batches(data: CaptionedImages, options: ClipTraining) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches for ever; an epoch passes once over the captions, its last captions that fill no batch left out."""
    judged = data.captions["train"]
    generator = torch.Generator().manual_seed(options.seed)
    offsets, images = torch.from_numpy(judged.offsets), torch.from_numpy(judged.corpus_rows)
    texts = torch.from_numpy(judged.query_rows)
    counts = offsets[1:] - offsets[:-1]
    size = min(options.batch_size, len(texts))
    while True:
        order = torch.randperm(len(texts), generator=generator)
        for rows in torch.split(order, size):
            if len(rows) < size:
                continue
            drawn = (torch.rand(size, generator=generator) * counts[rows]).long().clamp_max(counts[rows] - 1)
            yield data.images[images[offsets[rows] + drawn]], data.tokens[texts[rows]]


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay matrices only, as open_clip does."""
    matrices = [weights for weights in model.parameters() if weights.ndim >= 2]
    others = [weights for weights in model.parameters() if weights.ndim < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
