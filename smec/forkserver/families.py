"""Which verbs of the command line are forked, and from what."""

from dataclasses import dataclass

FOLDER_VARIABLE = "SMEC_FORKSERVER"
"""Environment variable with the folder of the sockets; jobs inherit it from the workflow."""


@dataclass(frozen=True)
class Family:
    """Verbs that need the same libraries, and the modules that hold these."""

    verbs: frozenset[str]
    modules: tuple[str, ...]


FAMILIES = {
    "fit": Family(
        frozenset({"mine", "train", "evaluate"}),
        ("smec.cli", "typer.rich_utils", "torch", "smec.jobs.mine", "smec.jobs.train", "smec.jobs.evaluate"),
    ),
    "encode": Family(
        frozenset({"embed", "embed-part"}),
        ("smec.cli", "typer.rich_utils", "sentence_transformers", "smec.jobs.embed"),
    ),
}


def family_of(verb: str) -> str | None:
    """Return the name of the family that a verb belongs to, or None."""
    return next((name for name, family in FAMILIES.items() if verb in family.verbs), None)
