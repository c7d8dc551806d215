"""The text of the page: templates filled with what was measured. A number that is missing is an error, never a gap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smec.errors import SmecError, nearest_name
from smec.reporting.page import formats, markup, methods, provenance, words
from smec.reporting.page.findings import findings
from smec.reporting.page.material import ShownStudy, ShownView, read_manifests, read_models, read_study, read_view
from smec.reporting.page.outline import ENDING, TEXTS, Section, text_of
from smec.reporting.page.tables import comparison, datasets, left_out, published, scores, zero_shot
from smec.reporting.tables import caption

INTERVALS_BELOW = "below each mean its 95 % bootstrap interval over queries and seeds, in bold the best of each size"


@dataclass(frozen=True)
class Story:
    """All that the page tells: the sections in order, and what each shows.

    Attributes:
        configuration: resolved.
        sections: in order.
        views: by name.
        studies: by name.
        manifests: of each dataset, by name.
        models: the record of each backbone that was trained here, by name.
        results: root of the results.
    """

    configuration: Mapping[str, Any]
    sections: Sequence[Section]
    views: Mapping[str, ShownView]
    studies: Mapping[str, ShownStudy]
    manifests: Mapping[str, Any]
    models: Mapping[str, Any]
    results: Path

    def study(self, name: str) -> ShownStudy:
        """Return a study by its name.

        Raises:
            SmecError: the page shows no such study.
        """
        if name not in self.studies:
            near = nearest_name(name, self.studies) if self.studies else "It shows none."
            raise SmecError(f"The text of the report quotes the study {name!r}, which it does not show. {near}")
        return self.studies[name]

    def number(self, study: str, name: str) -> float | str:
        """Return a number of a study.

        Raises:
            SmecError: there is no such study or number.
        """
        return self.study(study).number(name)

    def of_kind(self, kind: str) -> list[ShownStudy]:
        """Return the studies of a kind, in order; a text asks this before it quotes one."""
        return [study for study in self.studies.values() if study.kind == kind]


def read_story(configuration: Mapping[str, Any], sections: Sequence[Section], results: Path) -> Story:
    """Read all that the sections show.

    Raises:
        SmecError: a table, a figure or a file of numbers is missing or damaged.
    """
    views = [name for section in sections for name in section.views]
    studies = [name for section in sections for name in section.studies]
    return Story(
        configuration=configuration,
        sections=sections,
        views={name: read_view(results, name, configuration["views"][name]) for name in views},
        studies={name: read_study(results, name) for name in studies},
        manifests=read_manifests(results, configuration),
        models=read_models(results, configuration),
        results=results,
    )


def restructured_text(story: Story) -> str:
    """Return the page as reStructuredText.

    Raises:
        SmecError: a text quotes a number or a study that is not there, or formats a text as a number.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError

    environment = Environment(
        loader=FileSystemLoader(TEXTS),
        undefined=StrictUndefined,
        finalize=markup.in_template,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= formats.FILTERS
    environment.globals |= _helpers(story)
    try:
        return environment.get_template(f"page{ENDING}").render(story=story)
    except UndefinedError as error:
        raise SmecError(f"A text of the report quotes what there is not: {error.message}. Correct the text.") from error


def _helpers(story: Story) -> dict[str, Any]:
    """Return what templates may call."""
    return {
        "behind": words.behind,
        "caption": caption,
        "checksums": lambda: provenance.checksums(story.manifests),
        "commit": provenance.commit,
        "comparison": comparison,
        "datasets": lambda: datasets(story.configuration, story.manifests),
        "figure": lambda picture, caption: markup.figure(str(picture.path), caption, picture.kind),
        "figure_caption": words.figure_caption,
        "study_caption": words.study_caption,
        "findings": findings,
        "intervals_below": INTERVALS_BELOW,
        "heading": markup.heading,
        "left_out": lambda: left_out(story.manifests),
        "literal": markup.literal,
        "block": markup.block,
        "details": markup.details,
        "methods": lambda: methods.described(story.configuration, _runs(story)),
        "number": story.number,
        "published": published,
        "scores": scores,
        "shown": markup.Cells.of,
        "table": markup.table,
        "text_of": text_of,
        "versions": lambda: provenance.versions(
            story.results, [view.summary for view in story.views.values()], story.manifests
        ),
        "yaml": formats.yaml_text,
        "zero_shot": zero_shot,
    }


def _runs(story: Story) -> dict[str, str]:
    """Return the label of each run that a view shows."""
    shown = [view.summary[~view.summary["reference"]] for view in story.views.values()]
    return {method: label for rows in shown for method, label in zip(rows["method"], rows["label"], strict=True)}
