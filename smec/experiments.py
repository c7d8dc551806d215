"""What is compressed, and the tables and figures that show it."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from smec.errors import nearest_name
from smec.modality import Task
from smec.paper_values import TABLES
from smec.settings import Distinct, NonEmpty, Settings

Seed = Annotated[int, Field(ge=0)]


class Experiment(Settings):
    """A dataset embedded by a backbone, and the sizes to compress it to."""

    dataset: str = Field(description="A key of `datasets`.")
    backbone: str = Field(description="A key of `backbones`.")
    sizes: NonEmpty[int] = Field(
        description="Numbers of dimensions, decreasing; the first may be the backbone's own width."
    )
    embed_jobs: int = Field(
        1, ge=1, description="Jobs that share the encoding of the corpus, each a part of its shards; 1 for small sets."
    )
    main: bool = Field(
        True, description="Whether views and studies that name no datasets and no tasks include this one."
    )
    seeds: Distinct[Seed] | None = Field(
        None, description="Seeds of what views show of this one; null: `seeds` of the configuration."
    )

    @field_validator("sizes")
    @classmethod
    def _decreasing(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if any(size < 1 for size in sizes) or list(sizes) != sorted(set(sizes), reverse=True):
            raise ValueError("sizes must be positive and strictly decreasing, such as [384, 192, 96]")
        return sizes


class View(Settings):
    """A table and a figure: which methods are set beside each other."""

    title: str = Field(description="Heading of the table and the figure.")
    methods: Distinct[str] = Field(description="Names of runs, in the order of the rows.")
    tested: str | None = Field(None, description="Run that is tested against the best of the others.")
    datasets: Distinct[str] | None = Field(None, description="Datasets to show; null: those of all main experiments.")
    backbones: Distinct[str] | None = Field(None, description="Backbones to show; null: all of those experiments.")
    tasks: Distinct[Task] | None = Field(
        None,
        description="What is looked up in what on the datasets to show, whether their experiments are main or not. A "
        "view whose tasks no experiment has is left out. null: any.",
    )
    paper: str | None = Field(
        None, description="Published table to draw in a panel of its own, a key of `smec.paper_values.TABLES`."
    )

    @field_validator("paper")
    @classmethod
    def _is_published(cls, name: str | None) -> str | None:
        if name is not None and name not in TABLES:
            raise ValueError(f"there is no published table {name!r}. {nearest_name(name, TABLES)}")
        return name

    @model_validator(mode="after")
    def _tested_is_shown(self) -> "View":
        if self.tested is not None and self.tested not in self.methods:
            raise ValueError(f"the tested run {self.tested!r} is not among the methods of the view")
        return self
