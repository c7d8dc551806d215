"""What the planned jobs would take: hours, bytes and money, from sizes of data and models and from rates.

Encoding takes two operations per parameter and token; training a map six per number of the map and vector of a step;
search two per number of a vector, query and document. Rates are those of `smec.plan.settings`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smec import backbones, datasets
from smec.backbones.api_budget import BYTES_PER_TOKEN, MILLION
from smec.backbones.openai_api import OpenAISettings
from smec.modality import Modality
from smec.plan.corpora import BYTES_PER_WORD, DatasetSize, size_of
from smec.plan.cost import HOUR, Cost
from smec.plan.models import REMOTE, ModelSize, model_size
from smec.plan.planned import PlannedJob
from smec.plan.settings import PlanSettings
from smec.runs import JOIN
from smec.scratch import MEGABYTE

if TYPE_CHECKING:
    from smec.config import Config

SMALL_FILES = 1e6
"""Bytes of tables, figures and logs of a job."""
BYTES_OF_SCORE = 30
METRICS = 3
COMPRESSION = 0.5
"""Of texts in parquet with zstd, about."""
ARCHIVE = 0.35
"""Of an archive of texts, about."""
STEP_SECONDS = 0.002
"""Of a training step besides its products: drawing the batch, Adam."""
FLOAT = 4
HALF = 2


@dataclass(frozen=True)
class Estimate:
    """Sizes of all datasets and backbones of a configuration, and from them the cost of jobs."""

    config: "Config"
    results: Path = Path("results")

    @cached_property
    def rates(self) -> PlanSettings:
        """What is reckoned with."""
        return self.config.plan

    @cached_property
    def sizes(self) -> Mapping[str, DatasetSize | None]:
        """The size of each dataset by its name; None where it is not known before it is fetched."""
        found = {name: datasets.parse(values) for name, values in self.config.datasets.items()}
        return {name: size_of(settings, self.results / "data" / name) for name, settings in found.items()}

    @cached_property
    def models(self) -> Mapping[str, ModelSize]:
        """The size of each backbone by its name."""
        given = self.rates.parameters
        return {name: model_size(name, values, given) for name, values in self.config.backbones.items()}

    def unknown(self, jobs: Iterable[PlannedJob]) -> list[str]:
        """Return what the costs leave out, because a size is not known, as keys of the configuration."""
        told: dict[str, None] = {}
        for job in jobs:
            for name in self._datasets(job):
                if self.sizes[name] is None:
                    told[f"datasets.{name}"] = None
            backbone = job.wildcards.get("backbone", "")
            encodes = "role" in job.spec and self._kind(backbone) not in REMOTE
            if encodes and self.models[backbone].parameters is None:
                told[f"backbones.{backbone}"] = None
        return list(told)

    def cost(self, job: PlannedJob) -> Cost:
        """Return what a job takes."""
        known = {
            "fetch": self._fetch,
            "mine": self._mine,
            "train": self._train,
            "finetune": self._finetune,
            "evaluate": self._evaluate,
        }
        start = Cost(core_hours=self.rates.start_seconds / HOUR, result_bytes=SMALL_FILES)
        if any(self.sizes[name] is None for name in self._datasets(job)):
            return start
        if "role" in job.spec:
            return start + self._embed(job)
        return start + known[job.rule](job) if job.rule in known else start

    def _fetch(self, job: PlannedJob) -> Cost:
        size = self._size(job)
        text = (size.words("corpus") + size.words("queries")) * BYTES_PER_WORD
        return Cost(result_bytes=text * COMPRESSION, download_bytes=size.download_bytes * ARCHIVE)

    def _embed(self, job: PlannedJob) -> Cost:
        """Return the cost of encoding one role, or the share of it that one of several jobs has."""
        name, role, share = job.wildcards["backbone"], job.spec["role"], 1 / job.spec.get("parts", 1)
        size, settings = self._size(job), backbones.parse(self.config.backbones[name])
        rows, words = size.rows(role) * share, size.words(role) * share
        width = HALF if job.spec.get("dtype") == "float16" else FLOAT
        stored = Cost(result_bytes=rows * settings.dim * width)
        if isinstance(settings, OpenAISettings):
            tokens = (words * BYTES_PER_WORD + rows * len(settings.prompt(role))) / BYTES_PER_TOKEN
            return stored + Cost(tokens=tokens, dollars=tokens * settings.price / MILLION)
        model = self.models[name]
        modality: Modality = datasets.parse(self.config.datasets[job.wildcards["dataset"]]).modality(role)
        if self._kind(name) in REMOTE or model.parameters is None:
            return stored
        tokens = rows * model.tokens(modality, words / max(1.0, rows))
        return stored + self._work(2 * model.parameters * tokens, job.gpus, self.rates.encoding_flops)

    def _mine(self, job: PlannedJob) -> Cost:
        size, width = self._size(job), self._width(job)
        products = 2.0 * size.training * size.documents * width
        stored = size.training * int(job.spec["count"]) * 8
        return self._work(products, 0, 0) + Cost(result_bytes=stored)

    def _train(self, job: PlannedJob) -> Cost:
        options: Mapping[str, Any] = job.spec["options"]
        width, sizes = self._width(job), list(job.spec["sizes"])
        stages = sum(size < width for size in sizes)
        size = job.spec["size"]
        largest = max([width if size is None else size, *(s for s in sizes if size is not None and s > size)][:2])
        maps = 2 if options.get("maps") == "per_side" else 1
        stored = Cost(result_bytes=maps * largest * width * FLOAT, scratch_bytes=self._scratch(job))
        documents = sum(min(self._of(name).documents, job.spec["max_documents"]) for name in self._datasets(job))
        queries = sum(self._of(name).training for name in self._datasets(job)) * job.spec["labels"]
        axes = self._work(2.0 * documents * width * width, 0, 0)
        if "epochs" not in options:
            return stored + axes
        whole = size is None and options.get("cost", "total") == "total"
        epochs = options["epochs"] * (max(1, stages) if whole else 1)
        batch = options["batch_size"]
        steps = epochs * max(1.0, queries / batch)
        rows = batch * (2 + options.get("hard_negatives", 0)) + options.get("random_negatives", 0)
        held = options.get("memory_size", 0) if options.get("alpha", 0) else 0
        near = 2 * batch * options.get("neighbours", 0) if held else 0
        products = steps * (6.0 * (rows + near) * width * largest + 2.0 * 2 * batch * held * width)
        other = Cost(**{"gpu_hours" if job.gpus else "core_hours": steps * STEP_SECONDS / HOUR})
        return stored + axes + other + self._work(products, job.gpus, self.rates.training_flops)

    def _scratch(self, job: PlannedJob) -> float:
        """Return the most bytes of files that the vectors of a training job take; 0 where they lie in memory.

        A teacher's outputs lie beside them, sets that are joined lie there twice for a while, and a second fit has
        queries of its own.
        """
        sizes, each = [self._of(name) for name in self._datasets(job)], self.config.mined_negatives + 1
        rows = [s.training + min(s.documents, max(job.spec["max_documents"], s.training * each)) for s in sizes]
        row_bytes, options = self._width(job) * FLOAT, job.spec["options"]
        if sum(rows) * row_bytes <= self.config.training_vectors.memory_mb * MEGABYTE:
            return 0.0
        twice = len(rows) > 1 or options.get("distillation", 0) > 0
        again = sum(s.training for s in sizes) if options.get("refit_share", 0) > 0 else 0
        return float((sum(rows) * (2 if twice else 1) + again) * row_bytes)

    def _finetune(self, job: PlannedJob) -> Cost:
        """Return the cost of training a backbone: thrice that of encoding what the steps read."""
        options, size, name = job.spec["options"], self._size(job), job.wildcards["backbone"]
        model = self.models[name]
        if model.parameters is None:
            return Cost()
        per_query = [size.query_words, *[size.document_words] * (1 + options["hard_negatives"])]
        tokens = sum(min(options["max_length"], model.tokens("text", words)) for words in per_query)
        read = options["epochs"] * size.training * job.spec["labels"] * tokens
        stored = Cost(result_bytes=model.parameters * FLOAT)
        return stored + self._work(3 * 2 * model.parameters * read, job.gpus, self.rates.encoding_flops)

    def _evaluate(self, job: PlannedJob) -> Cost:
        size, width, sizes = self._size(job), self._width(job), job.spec["sizes"]
        products = 2.0 * sum(sizes) * size.documents * (width + size.test)
        return self._work(products, 0, 0) + Cost(result_bytes=size.test * len(sizes) * METRICS * BYTES_OF_SCORE)

    def _work(self, operations: float, gpus: int, gpu_flops: float) -> Cost:
        if gpus:
            return Cost(gpu_hours=operations / gpu_flops / HOUR)
        return Cost(core_hours=operations / self.rates.core_flops / HOUR)

    def _datasets(self, job: PlannedJob) -> list[str]:
        named = str(job.wildcards.get("dataset", ""))
        return [name for name in named.split(JOIN) if name in self.sizes]

    def _of(self, name: str) -> DatasetSize:
        found = self.sizes[name]
        assert found is not None  # see `cost`
        return found

    def _size(self, job: PlannedJob) -> DatasetSize:
        return self._of(job.wildcards["dataset"])

    def _width(self, job: PlannedJob) -> int:
        return backbones.parse(self.config.backbones[job.wildcards["backbone"]]).dim

    def _kind(self, backbone: str) -> str:
        return str(self.config.backbones.get(backbone, {}).get("kind", ""))
