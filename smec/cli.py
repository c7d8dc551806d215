"""The command line: `smec VERB` for people, `python -m smec VERB` for the rules of the workflow.

Each verb imports what it needs when it runs, so that `--help` is quick and a training job never loads an encoder.
"""

import json
import logging
import time
from pathlib import Path
from typing import Annotated, Any

import typer

LOGGER = logging.getLogger(__name__)

_began: dict[str, float] = {}


def _finished(*_: object, **__: object) -> None:
    verb, began = _began.popitem()
    LOGGER.info("%s took %.2f s", verb, time.perf_counter() - began)


app = typer.Typer(
    name="smec",
    help="Make retrieval embeddings small without making retrieval worse.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    result_callback=_finished,
)

Spec = Annotated[str, typer.Option(help="The job as JSON: every setting that it depends on.")]
Data = Annotated[Path, typer.Option(help="Folder of the dataset: corpus.parquet, queries.parquet, qrels.parquet ...")]
Embeddings = Annotated[Path, typer.Option(help="Folder that holds the stores `queries` and `corpus`.")]
Output = Annotated[Path, typer.Option(help="Where the result goes.")]


@app.callback()
def _started(context: typer.Context) -> None:
    _began[str(context.invoked_subcommand)] = time.perf_counter()


@app.command()
def fetch(spec: Spec, output: Output) -> None:
    """Build a dataset folder."""
    from smec.jobs import fetch as job

    job.run(_parsed(spec), output)


@app.command()
def embed(spec: Spec, data: Data, output: Output) -> None:
    """Encode the queries or the corpus of a dataset into a store."""
    from smec.jobs import embed as job

    job.run(_parsed(spec), data, output)


@app.command()
def mine(spec: Spec, data: Data, embeddings: Embeddings, output: Output) -> None:
    """Mine hard negatives for the training queries."""
    from smec.jobs import mine as job

    job.run(_parsed(spec), data, embeddings, output)


@app.command()
def train(
    spec: Spec,
    data: Data,
    embeddings: Embeddings,
    negatives: Annotated[Path, typer.Option(help="Mined hard negatives.")],
    output: Annotated[Path, typer.Option(help="compressor.safetensors; record.json is written beside it.")],
    previous: Annotated[Path | None, typer.Option(help="Stage file before this one in a chain.")] = None,
) -> None:
    """Fit one stage of a method."""
    from smec.jobs import train as job

    job.run(_parsed(spec), data, embeddings, negatives, previous, output)


@app.command()
def evaluate(
    spec: Spec,
    data: Data,
    embeddings: Embeddings,
    stages: Annotated[list[Path], typer.Argument(help="Stage files of the run, in order.")],
    output: Annotated[Path, typer.Option(help="Parquet file of per-query scores.")],
) -> None:
    """Score a fitted compressor on the test queries, at all sizes."""
    from smec.jobs import evaluate as job

    job.run(_parsed(spec), data, embeddings, stages, output)


@app.command()
def table(
    spec: Spec,
    scores: Annotated[list[Path], typer.Argument(help="Per-query score files of the methods to compare.")],
    output: Annotated[Path, typer.Option(help="Path without suffix: .csv, .md and .tex are written.")],
) -> None:
    """Write a table of methods and sizes."""
    from smec.jobs import table as job

    job.run(_parsed(spec), scores, output)


@app.command()
def figure(
    table: Annotated[Path, typer.Argument(help="The .csv file of a table.")],
    output: Annotated[Path, typer.Option(help="Path without suffix: .pdf and .png are written.")],
) -> None:
    """Draw quality over sizes, one line per method."""
    from smec.jobs import figure as job

    job.run(table, output)


@app.command()
def summary(
    tables: Annotated[list[Path], typer.Argument(help="The .csv files of tables.")],
    results: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("results"),
) -> None:
    """Print tables, and the paths of the figures and the report."""
    from smec.jobs import summary as job

    typer.echo(job.text(tables, results))


def _parsed(spec: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(spec)
    return value
