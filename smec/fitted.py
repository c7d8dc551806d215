"""Fitted compressors on disk: the stage files of one run, opened as one compressor."""

from pathlib import Path

from smec.compressors import method_named
from smec.errors import SmecError
from smec.method import Compressor, Stage
from smec.sides import Side, Sides

STAGE_FILE = "compressor.safetensors"


def open_compressor(path: Path, side: Side | None = None) -> Compressor:
    """Open a fitted compressor.

    Args:
        path: the folder of a run, with a folder per stage (`dim192/compressor.safetensors` ... or `all/...`), or one
            stage file, which gives the sizes of that stage alone.
        side: whose vectors it is to compress; None will do where queries and documents share a map.

    Raises:
        SmecError: there is no stage file, one is damaged, they are of different methods, or `side` is None where
            queries and documents have a map each.
    """
    both = open_compressors(path)
    if side is None and not both.are_one:
        raise SmecError(
            f"{path} was fitted with `maps: per_side`: queries and documents have a map each. Say whose vectors these "
            'are, by `--side query` or `--side corpus` (in Python `side="query"` or `side="corpus"`).'
        )
    return both.queries if side == "query" else both.corpus


def open_compressors(path: Path) -> Sides[Compressor]:
    """Open what compresses queries and what compresses documents; arguments and errors as for `open_compressor`."""
    stages = [Stage.load(file) for file in stage_files(path)]
    methods = sorted({stage.method for stage in stages})
    if len(methods) > 1:
        raise SmecError(f"{path} holds stages of different methods: {', '.join(methods)}. Name the folder of one run.")
    return method_named(methods[0]).compressors(stages)


def stage_files(path: Path) -> list[Path]:
    """Return the stage files of a run in the order in which they were fitted: from the largest size to the smallest.

    Raises:
        SmecError: there is none.
    """
    if path.is_file():
        return [path]
    sized = {int(f.parent.name.removeprefix("dim")): f for f in path.glob(f"dim*/{STAGE_FILE}") if _is_sized(f)}
    files = [sized[size] for size in sorted(sized, reverse=True)]
    files += [path / "all" / STAGE_FILE] if (path / "all" / STAGE_FILE).is_file() else []
    if not files:
        raise SmecError(
            f"{path} holds no fitted compressor: there is no dim<size>/{STAGE_FILE} and no all/{STAGE_FILE} in it. "
            "Name the folder that `smec fit` has written, or the folder of a seed under results/runs."
        )
    return files


def _is_sized(file: Path) -> bool:
    return file.parent.name.removeprefix("dim").isdigit()
