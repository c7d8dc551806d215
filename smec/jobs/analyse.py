"""`smec analyse`: measure what a study asks, from files of the workflow to one tidy table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smec import studies
from smec.files import atomic_path
from smec.jobs.training_files import room_of
from smec.studies.base import StudyExperiment, StudyJob, StudyRun


def run(spec: Mapping[str, Any], results: Path, output: Path) -> None:
    """Write the measures of a study as CSV.

    Args:
        spec: `study` (its settings), `experiments`, `seeds`, `runs` by name, `max_documents`: see `StudyJob`;
            `vectors` says where those of training are put.
        results: root of the files that it reads.
        output: the CSV file.
    """
    job = StudyJob(
        settings=studies.parse(spec["study"]),
        experiments=tuple(_experiment(values) for values in spec["experiments"]),
        seeds=tuple(spec["seeds"]),
        known={name: _run(values) for name, values in spec["runs"].items()},
        max_documents=spec["max_documents"],
        room=room_of(spec["vectors"], output.parent),
        results=results,
    )
    frame = studies.analyse(job)
    with atomic_path(output) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def _experiment(values: Mapping[str, Any]) -> StudyExperiment:
    return StudyExperiment(**{**values, "sizes": tuple(values["sizes"])})


def _run(values: Mapping[str, Any]) -> StudyRun:
    stages = {place: tuple(names) for place, names in values["stages"].items()}
    return StudyRun(**{**values, "seeds": tuple(values["seeds"]), "stages": stages})
