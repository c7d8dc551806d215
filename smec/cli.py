"""The command line: `smec VERB` for people, `python -m smec VERB` for the rules of the workflow.

Each verb imports what it needs when it runs, so that `--help` is quick and a training job never loads an encoder.
"""

import json
import logging
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from smec.errors import SmecError

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


class _Job(dict[str, Any]):
    """The settings of a job; one that is missing is told in a sentence."""

    def __missing__(self, key: str) -> NoReturn:
        given = ", ".join(sorted(self)) or "none"
        raise SmecError(f"--spec lacks the key {key!r}; its keys are: {given}. Add {key!r} with its value.")


Spec = Annotated[str, typer.Option(help="The job as JSON: every setting that it depends on.")]
Data = Annotated[Path, typer.Option(help="Folder of the dataset: corpus.parquet, queries.parquet, qrels.parquet ...")]
Embeddings = Annotated[Path, typer.Option(help="Folder that holds the stores `queries` and `corpus`.")]
Output = Annotated[Path, typer.Option(help="Where the result goes.")]


@app.callback()
def _started(context: typer.Context) -> None:
    _began[str(context.invoked_subcommand)] = time.perf_counter()


@app.command()
def plan(
    targets: Annotated[list[str] | None, typer.Argument(help="Targets of Snakemake; none for the default.")] = None,
    configfile: Annotated[list[Path] | None, typer.Option(help="Laid over the configuration.")] = None,
    config: Annotated[list[str] | None, typer.Option(help="A key of the configuration: key=value.")] = None,
) -> None:
    """Print what a run of the workflow would take, and refuse where something is missing."""
    from smec.jobs import plan as job

    job.run(targets or (), configfile or (), config or (), typer.echo)


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
def embed_part(spec: Spec, data: Data, output: Output) -> None:
    """Encode a part of the shards of a store that several jobs share."""
    from smec.jobs import embed as job

    job.run_part(_parsed(spec), data, output)


@app.command()
def gather(
    parts: Annotated[list[Path], typer.Argument(help="What `embed-part` has written, of all parts.")], output: Output
) -> None:
    """Make one store of the shards that all parts have written."""
    from smec.jobs import gather as job

    job.run(parts, output)


@app.command()
def pretrain(spec: Spec, data: Data, output: Output) -> None:
    """Train a small CLIP on a dataset of captions and images."""
    from smec.jobs import pretrain as job

    job.run(_parsed(spec), data, output)


@app.command()
def mine(spec: Spec, data: Data, embeddings: Embeddings, output: Output) -> None:
    """Mine hard negatives for the training queries."""
    from smec.jobs import mine as job

    job.run(_parsed(spec), data, embeddings, output)


@app.command()
def train(
    spec: Spec,
    data: Annotated[list[Path], typer.Option(help="Folder of the dataset; several are trained on together.")],
    embeddings: Annotated[list[Path], typer.Option(help="Folder of its stores `queries` and `corpus`, in that order.")],
    negatives: Annotated[list[Path], typer.Option(help="Its mined hard negatives, in that order.")],
    output: Annotated[Path, typer.Option(help="compressor.safetensors; record.json is written beside it.")],
    previous: Annotated[Path | None, typer.Option(help="Stage file before this one in a chain.")] = None,
) -> None:
    """Fit one stage of a method."""
    from smec.jobs import train as job

    if not len(data) == len(embeddings) == len(negatives):
        raise SmecError("Give --data, --embeddings and --negatives once for each dataset to train on.")
    job.run(_parsed(spec), list(map(job.Source, data, embeddings, negatives)), previous, output)


@app.command()
def finetune(
    spec: Spec,
    data: Data,
    embeddings: Embeddings,
    negatives: Annotated[Path, typer.Option(help="Hard negatives, mined in the space of the frozen backbone.")],
    output: Annotated[Path, typer.Option(help="compressor.safetensors; record.json and model/ go beside it.")],
) -> None:
    """Train the backbone itself."""
    from smec.jobs import finetune as job

    job.run(_parsed(spec), data, embeddings, negatives, output)


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
def fit(
    queries: Annotated[Path, typer.Option(help="Vectors of the queries: .npy, or .parquet with id and vector.")],
    corpus: Annotated[Path, typer.Option(help="Vectors of the documents, in the same forms.")],
    qrels: Annotated[Path, typer.Option(help="Judgements: .tsv with query-id, corpus-id, score, or .parquet.")],
    output: Annotated[Path, typer.Option(help="Folder of the result.")],
    method: Annotated[str, typer.Option(help="Method of compression.")] = "smec_plus",
    size: Annotated[int | None, typer.Option(help="Smallest size; the width is halved down to it.")] = None,
    sizes: Annotated[str, typer.Option(help="All sizes instead, such as 384,192,96.")] = "",
    options: Annotated[list[str] | None, typer.Option("--set", help="An option of the method: key=value.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    validation_fraction: Annotated[
        float,
        typer.Option(
            help="Share of the queries, above 0 and below 1, that do not train but choose; no query is held out as a "
            "test, unless a column `split` of the judgements says so."
        ),
    ] = 0.1,
    corpus_ids: Annotated[Path | None, typer.Option(help="Ids of an .npy corpus, .txt; else row numbers.")] = None,
    query_ids: Annotated[Path | None, typer.Option(help="Ids of .npy queries, .txt; else row numbers.")] = None,
) -> None:
    """Fit a compressor on your own vectors."""
    from smec.jobs import fit as job

    request = job.Request(
        corpus=corpus,
        queries=queries,
        qrels=qrels,
        method=method,
        size=size,
        sizes=job.parsed_sizes(sizes),
        options=options or (),
        seed=seed,
        validation_fraction=validation_fraction,
        corpus_ids=corpus_ids,
        query_ids=query_ids,
    )
    for stage in job.run(request, output):
        typer.echo(stage)


@app.command()
def compress(
    compressor: Annotated[Path, typer.Option(help="Folder that `smec fit` has written, or a stage file.")],
    size: Annotated[int, typer.Option(help="Number of dimensions.")],
    source: Annotated[Path, typer.Option("--input", help="Vectors, .npy of shape (rows, dimensions).")],
    output: Annotated[Path, typer.Option(help="Compressed vectors, .npy.")],
    dtype: Annotated[str, typer.Option(help="float32 or float16.")] = "float32",
    side: Annotated[
        str | None,
        typer.Option(help="query or corpus: whose vectors they are. Needed where the two have a map each."),
    ] = None,
) -> None:
    """Compress a file of vectors, block by block."""
    from smec.jobs import compress as job

    job.run(compressor, size, source, output, job.parsed_dtype(dtype), side=job.parsed_side(side))
    typer.echo(output)


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
    paper: Annotated[str | None, typer.Option(help="Published table to draw beside ours.")] = None,
) -> None:
    """Draw quality over sizes, one line per method."""
    from smec.jobs import figure as job

    job.run(table, output, paper)


@app.command()
def analyse(
    spec: Spec,
    output: Annotated[Path, typer.Option(help="The .csv file of what was measured.")],
    results: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("results"),
) -> None:
    """Measure what a study asks."""
    from smec.jobs import analyse as job

    job.run(_parsed(spec), results, output)


@app.command()
def render(
    spec: Spec,
    measured: Annotated[Path, typer.Argument(help="The .csv file that `analyse` has written.")],
    output: Annotated[Path, typer.Option(help="Folder of the results: tables, figures and numbers go below it.")],
) -> None:
    """Write table, figure and numbers of a study."""
    from smec.jobs import render as job

    job.run(_parsed(spec), measured, output)


@app.command()
def summary(
    tables: Annotated[list[Path], typer.Argument(help="The .csv files of tables.")],
    results: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("results"),
) -> None:
    """Print tables, and the paths of the figures and the report."""
    from smec.jobs import summary as job

    typer.echo(job.text(tables, results))


@app.command()
def report(
    spec: Spec,
    output: Annotated[Path, typer.Option(help="The HTML file.")],
    results: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("results"),
) -> None:
    """Write the page with the whole story."""
    from smec.jobs import report as job

    job.run(_parsed(spec), results, output)


@app.command()
def schema(
    output: Annotated[Path, typer.Option(help="Where the schema goes.")] = Path("config/schema.json"),
) -> None:
    """Write the JSON schema of the configuration, which editors read."""
    from smec.files import write_json
    from smec.schema import config_schema

    write_json(output, config_schema())


def _parsed(spec: str) -> dict[str, Any]:
    try:
        value = json.loads(spec)
    except json.JSONDecodeError as error:
        raise SmecError(f"--spec is not JSON ({error}). Quote it as a whole: --spec '{{...}}'.") from error
    if not isinstance(value, dict):
        raise SmecError(f"--spec has to be a JSON object, not {spec!r}.")
    return _Job(value)
