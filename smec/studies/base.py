"""What a study is: its settings, the files that it reads, and the job that it gets.

A study is an ablation or an analysis that ends in one table and one figure. Its kind is two files:
`smec/studies/{kind}.py` measures, `smec/reporting/studies/{kind}.py` draws.
An edit of the second measures nothing anew.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from smec.settings import Distinct, Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from smec.judgements import Judgements
    from smec.method import Compressor, Stage
    from smec.scratch import Room
    from smec.sides import Sides
    from smec.store import EmbeddingStore
    from smec.training_data import TrainingData

Reads = Literal["scores", "records", "stages", "data", "encodings"]
"""Files of the workflow: scores per query, `record.json`, `compressor.safetensors`, vectors and judgements, or the
times of encodings by trained backbones."""


class StudySettings(Settings):
    """Settings that every kind of study has."""

    reads: ClassVar[tuple[Reads, ...]] = ("scores",)

    kind: str
    title: str = Field(description="Heading of the table and the figure.")
    datasets: Distinct[str] | None = Field(None, description="Datasets to study; null: those of all main experiments.")
    backbones: Distinct[str] | None = Field(None, description="Backbones to study; null: all of those experiments.")
    seeds: Distinct[int] | None = Field(None, description="Seeds; null: those of the configuration.")

    @abstractmethod
    def runs(self) -> tuple[str, ...]:
        """Return the names of the runs that must exist, see `smec.runs`."""


@dataclass(frozen=True)
class StudyExperiment:
    """A dataset embedded by a backbone: its sizes, largest first, and the backbone's settings and width.

    `group` names the set that the dataset is a part of; None for a whole one.
    """

    dataset: str
    backbone: str
    sizes: tuple[int, ...]
    width: int
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    group: str | None = None


@dataclass(frozen=True)
class StudyRun:
    """A run of a study.

    Attributes:
        path: the name of its folder, under which its scores lie.
        method: name of the method.
        options: resolved.
        seeds: that were run.
        folders: for each "dataset/backbone", the folder of the run, without the seed.
        stages: for each "dataset/backbone", the names of its stages, in order.
    """

    path: str
    method: str
    options: Mapping[str, Any]
    seeds: tuple[int, ...]
    folders: Mapping[str, str]
    stages: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class TestSet:
    """The test queries of an experiment that have a relevant document.

    Attributes:
        queries: float32 (n, M), unit length.
        corpus: the vectors of all documents.
        judgements: of the n queries, every grade.
        query_ids: n ids.
        excluded: int64 (n,), the document that a query must not find, -1 for none; None: no policy.
    """

    __test__ = False  # not a test, whatever pytest makes of its name

    queries: "NDArray[np.float32]"
    corpus: "EmbeddingStore"
    judgements: "Judgements"
    query_ids: tuple[str, ...]
    excluded: "NDArray[np.int64] | None"


@dataclass(frozen=True)
class StudyJob:
    """What `analyse` gets.

    Attributes:
        settings: of the study.
        experiments: to study.
        seeds: of the runs that depend on one.
        known: the runs by the name that the study gives them.
        max_documents: of a corpus that training reads.
        room: where the vectors of training are put; None means in memory.
        results: root of the files of the workflow.
    """

    settings: Any
    experiments: tuple[StudyExperiment, ...]
    seeds: tuple[int, ...]
    known: Mapping[str, StudyRun]
    max_documents: int = 200_000
    room: "Room | None" = None
    results: Path = Path("results")

    def seeds_of(self, run: str) -> tuple[int, ...]:
        """Return the seeds of a run: one where the method does not depend on it."""
        return self.known[run].seeds

    def options(self, run: str) -> Any:
        """Return the resolved options of a run, an instance of its method's `Options`."""
        from smec.compressors import method_named
        from smec.settings import validated

        found = self.known[run]
        return validated(method_named(found.method).Options, dict(found.options), f"The options of {run}")

    def values(
        self, experiment: StudyExperiment, run: str, metric: str = "ndcg@10"
    ) -> "dict[int, NDArray[np.float64]]":
        """Return the scores of the test queries at each size, float64 (S, n): seeds and query ids ascending.

        Raises:
            SmecError: a file of scores is missing or damaged.
        """
        from smec.reporting.scores import paired_values, read_scores

        folder = self.results / "metrics" / experiment.dataset / experiment.backbone / self.known[run].path
        scores = read_scores(folder / f"seed{seed}.parquet" for seed in self.seeds_of(run))
        return {size: array for (_, size), array in paired_values(scores, metric).items()}

    def records(self, experiment: StudyExperiment, run: str, seed: int) -> list[dict[str, Any]]:
        """Return `record.json` of each stage, in order."""
        from smec.files import read_json

        return [read_json(folder / "record.json") for folder in self._stage_folders(experiment, run, seed)]

    def stages(self, experiment: StudyExperiment, run: str, seed: int) -> "list[Stage]":
        """Return the fitted stages, in order."""
        from smec.fitted import STAGE_FILE
        from smec.method import Stage

        return [Stage.load(folder / STAGE_FILE) for folder in self._stage_folders(experiment, run, seed)]

    def compressors(self, experiment: StudyExperiment, run: str, seed: int) -> "Sides[Compressor]":
        """Return what was fitted to compress queries and to compress documents."""
        from smec.compressors import method_named

        return method_named(self.known[run].method).compressors(self.stages(experiment, run, seed))

    def training_data(self, experiment: StudyExperiment) -> "TrainingData":
        """Return what training sees of an experiment."""
        from smec.jobs.train import training_data

        data, embeddings = self._folders(experiment)
        negatives = self.results / "negatives" / experiment.dataset / f"{experiment.backbone}.safetensors"
        return training_data(data, embeddings, experiment.settings, negatives, self.max_documents, self.room)

    def test_set(self, experiment: StudyExperiment) -> TestSet:
        """Return the test queries, and the corpus to search."""
        from smec.datasets import reading
        from smec.jobs.stores import open_stores
        from smec.metrics import evaluable
        from smec.self_retrieval import excluded_rows

        data, embeddings = self._folders(experiment)
        queries, corpus = open_stores(data, embeddings, experiment.settings)
        judged = evaluable(reading.judgements(data, "test"))
        ids, excluded = reading.ids(data, "queries"), excluded_rows(data)
        return TestSet(
            queries=queries.gather(judged.query_rows),
            corpus=corpus,
            judgements=judged,
            query_ids=tuple(ids[row] for row in judged.query_rows.tolist()),
            excluded=None if excluded is None else excluded[judged.query_rows],
        )

    def _folders(self, experiment: StudyExperiment) -> tuple[Path, Path]:
        embeddings = self.results / "embeddings" / experiment.dataset / experiment.backbone
        return self.results / "data" / experiment.dataset, embeddings

    def _stage_folders(self, experiment: StudyExperiment, run: str, seed: int) -> list[Path]:
        found, place = self.known[run], f"{experiment.dataset}/{experiment.backbone}"
        return [self.results / found.folders[place] / f"seed{seed}" / name for name in found.stages[place]]
