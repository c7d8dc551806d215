"""The methods of the page in a table: name, what it does in a sentence, options that the configuration sets."""

from collections.abc import Mapping
from typing import Any

from smec.compressors import method_named
from smec.errors import SmecError, nearest_name
from smec.reporting.page.markup import Cells, Markup, literal, prose
from smec.runs import parse


def described(configuration: Mapping[str, Any], runs: Mapping[str, str]) -> Cells:
    """Return one row per run: what the method does, from its docstring, whether it learns, and what is set.

    Args:
        configuration: resolved.
        runs: label of each run, by its name (see `smec.runs`).

    Raises:
        SmecError: a run is none of the configuration.
    """
    rows = [(label, *_row(name, configuration["methods"])) for name, label in runs.items()]
    return Cells(["method", "what it does", "learns", "set in the configuration"], rows)


def _row(name: str, entries: Mapping[str, Any]) -> tuple[Markup, str, Markup]:
    run = parse(name)
    if run.entry not in entries:
        near = nearest_name(run.entry, entries)
        raise SmecError(f"A table shows the run {name!r}, which the configuration does not name; make it anew. {near}")
    values = {**entries[run.entry], **run.changes}
    method = method_named(str(values.pop("method", run.entry)))
    doc = (type(method).__doc__ or "").strip().partition("\n")[0]
    return prose(doc), "yes" if "epochs" in method.Options.model_fields else "no", _settings(values)


def _settings(values: Mapping[str, Any]) -> Markup:
    return Markup(", ".join(literal(f"{key}: {value}") for key, value in values.items()))
