"""Training of a sentence-transformers model on the very batches that adaptors are trained on.

The batches hold row numbers where those of an adaptor hold vectors: of texts to encode, and of frozen vectors to stay
near. The trainer is the library's own, its loss `smec.prefix_loss`; adapters are PEFT's.
"""

import logging
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from smec.backbones.loading import quiet
from smec.batches import Batch, BatchSampler, steps_per_epoch
from smec.compressors.finetune import Options
from smec.prefix_loss import PrefixLoss
from smec.training_data import TrainingData, VectorSource

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

logger = logging.getLogger(__name__)

RECORDED_STEPS = 20
"""Losses in the record, means over as many parts of the training."""


@dataclass(frozen=True)
class RowNumbers:
    """Vectors of one number, their own row: what is collected and drawn from them are rows to look up."""

    count: int

    def __len__(self) -> int:
        return self.count

    def gather(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the rows themselves, int64 (n, 1): float32 would round them above 16 million."""
        return cast("NDArray[np.float32]", np.asarray(rows, dtype=np.int64)[:, None])


@dataclass(frozen=True)
class Side:
    """The texts of queries or documents, what is put before each, and their frozen vectors, all by row."""

    texts: Sequence[str]
    prompt: str
    vectors: VectorSource


@dataclass
class Collator:
    """Gives the trainer one batch after another: tokens of the texts, and what the loss needs to know of them.

    Attributes:
        model: tokenises.
        batches: of row numbers.
        queries: looked up by them.
        documents: likewise.
    """

    model: "SentenceTransformer"
    batches: Iterator[Batch]
    queries: Side
    documents: Side
    valid_label_columns: tuple[str, ...] = ()

    def __call__(self, steps: Sequence[object]) -> dict[str, Any]:
        """Return the next batch; the trainer asks for each step once and in order."""
        batch = next(self.batches)
        inputs: dict[str, Any] = {}
        frozen = []
        for name, side, drawn in (
            ("query", self.queries, batch.queries),
            ("document", self.documents, batch.documents),
        ):
            rows = drawn[:, 0].numpy()
            tokens = self.model.preprocess([side.texts[row] for row in rows], prompt=side.prompt)
            inputs |= {f"{name}_{key}": value for key, value in tokens.items()}
            frozen.append(torch.from_numpy(side.vectors.gather(rows)))
        labels = {"relevance": batch.relevance, "positive": batch.positive}
        return inputs | {"label": labels | {"queries": frozen[0], "documents": frozen[1]}}


@quiet()
def finetune(
    model: "SentenceTransformer",
    queries: Side,
    documents: Side,
    rows: TrainingData,
    options: Options,
    sizes: Sequence[int],
    seed: int,
) -> dict[str, Any]:
    """Train `model` in place; adapters are merged into it.

    Args:
        model: in float32, on its device.
        queries: all queries of the dataset.
        documents: all its documents.
        rows: training data collected from `RowNumbers`.
        options: what is trained, and how.
        sizes: numbers of dimensions, largest first.
        seed: of the batches, the adapters and dropout.

    Returns:
        What happened, for `record.json`.
    """
    sampler = BatchSampler(rows, options.sampling(), seed, torch.device("cpu"))
    steps = options.epochs * steps_per_epoch(len(rows.queries), options.batch_size)
    torch.manual_seed(seed)
    length = model.max_seq_length
    model.max_seq_length = min(options.max_length, length or options.max_length)
    if options.adapter == "lora":
        _add_adapters(model, options)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    batches = (batch for _ in range(options.epochs) for batch in sampler.epoch())
    collator = Collator(model, batches, queries, documents)
    began = time.perf_counter()
    losses = _train(model, collator, PrefixLoss(model, options, sizes, steps), steps, seed)
    seconds = time.perf_counter() - began
    if options.adapter == "lora":
        _merge_adapters(model)
    model.max_seq_length = length
    logger.info("%d steps, %d parameters, in %.1f s", steps, trained, seconds)
    return {
        "steps": steps,
        "loss": losses,
        "training_seconds": seconds,
        "trained_parameters": trained,
        "parameters": sum(p.numel() for p in model.parameters()),
        "device": model.device.type,
        "peak_gpu_bytes": torch.cuda.max_memory_allocated() if model.device.type == "cuda" else 0,
    }


def _train(model: "SentenceTransformer", collator: Any, loss: PrefixLoss, steps: int, seed: int) -> list[float]:
    """Run the library's trainer and return the mean loss of each part of the training."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from torch.utils.data import SequentialSampler
    from transformers import PrinterCallback

    def in_order(data: Any, **_: object) -> DefaultBatchSampler:
        return DefaultBatchSampler(SequentialSampler(data), 1, drop_last=False)

    class Trainer(SentenceTransformerTrainer):
        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """Leave out the model card, which looks for texts in the columns of the dataset."""

    cuda = model.device.type == "cuda"
    with tempfile.TemporaryDirectory() as unused:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=unused,
            max_steps=steps,
            per_device_train_batch_size=1,  # a row of the dataset stands for a whole batch
            batch_sampler=in_order,
            learning_rate=loss.options.learning_rate,
            warmup_steps=int(loss.options.warmup * steps),
            lr_scheduler_type="linear",
            seed=seed,
            bf16=cuda,
            use_cpu=not cuda,
            save_strategy="no",
            logging_steps=max(1, steps // RECORDED_STEPS),
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=cuda,
        )
        arguments._n_gpu = min(1, arguments.n_gpu)  # one job, one GPU: the library would divide batches among all
        data = Dataset.from_dict({"step": list(range(steps))})
        trainer = Trainer(model=model, args=arguments, train_dataset=data, loss=loss, data_collator=collator)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]


def _add_adapters(model: "SentenceTransformer", options: Options) -> None:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=options.lora_rank, lora_alpha=options.lora_alpha, lora_dropout=0.0, target_modules="all-linear"
    )
    transformer: Any = model[0]
    with warnings.catch_warnings():
        # PEFT asks a model by an attribute that transformers has renamed and still answers to.
        warnings.filterwarnings("ignore", message=r"`is_gradient_checkpointing` is deprecated")
        transformer.model = get_peft_model(transformer.model, config)


def _merge_adapters(model: "SentenceTransformer") -> None:
    transformer: Any = model[0]
    transformer.model = transformer.model.merge_and_unload()
