"""`smec pretrain`: train a small CLIP on a dataset of captions and images."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smec import backbones
from smec.backbones.open_clip_models import CONFIG, WEIGHTS
from smec.backbones.trained_clip import TrainedClipSettings
from smec.datasets import reading
from smec.errors import SmecError
from smec.files import atomic_path, read_json, write_json

RECORD = "record.json"


def run(spec: Mapping[str, Any], data: Path, output: Path) -> None:
    """Write the model's configuration, its weights, and a record with its quality before and after the training.

    Args:
        spec: `backbone` settings of the kind `trained_clip`.
        data: folder of a dataset whose queries are captions and whose documents are images.
        output: folder of the model.

    Raises:
        SmecError: the dataset is of another task, or the architecture cannot be built.
    """
    settings = backbones.parse(spec["backbone"])
    assert isinstance(settings, TrainedClipSettings)
    held = reading.modality(data, "queries"), reading.modality(data, "corpus")
    if held != ("text", "image"):
        raise SmecError(
            f"{data} holds {held[0]} and {held[1]}. A CLIP is trained on a set of the task 'text_to_image'."
        )
    from safetensors.torch import save_file

    from smec.clip_training import build, load_pairs, train, zero_shot

    settings.check()
    config = read_json(settings.architecture, made_by_user=True)
    model, tokenizer = build(config, settings.training.seed, settings.architecture)
    pairs = load_pairs(data, model, tokenizer)
    untrained = zero_shot(model.eval(), pairs, "test")
    began = time.perf_counter()
    losses = train(model, pairs, settings.training)
    record = {
        "dataset": settings.dataset,
        "training": settings.training.model_dump(mode="json"),
        "captions": {split: len(judged) for split, judged in pairs.captions.items()},
        "images": len(pairs.images),
        "ndcg@10": {"untrained": untrained, "trained": zero_shot(model, pairs, "test")},
        "loss": losses,
        "seconds": time.perf_counter() - began,
        "threads": _threads(),
    }
    write_json(output / CONFIG, config)
    with atomic_path(output / WEIGHTS[0]) as temporary:
        save_file({name: value.contiguous() for name, value in model.state_dict().items()}, temporary)
    write_json(output / RECORD, record)


def _threads() -> int:
    import torch

    return torch.get_num_threads()
