"""What every record of a training says of the process and of what ran in it."""

import importlib.metadata
import platform
import resource
import sys

ALWAYS = ("numpy", "safetensors", "smec")


def peak_memory_bytes() -> int:
    """Return the largest resident set of this process so far; Linux reports KiB, macOS bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def versions(*packages: str) -> dict[str, str]:
    """Return the version of Python, of `packages`, and of those that every job uses."""
    found = {name: importlib.metadata.version(name) for name in sorted((*ALWAYS, *packages))}
    return found | {"python": platform.python_version()}
