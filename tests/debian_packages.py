"""Installs Debian's packages for the tests that start daemons or build images, as root and where they are missing."""

import os
import shutil
import subprocess
import sys


def missing(programs):
    """Return those of `programs` that are not there."""
    return [name for name in programs if shutil.which(name) is None]


def install(target, programs, packages, reason):
    """Install `packages` where one of `programs` is missing, or leave with a sentence that says what is in the way.

    Args:
        target: of make, which the sentences begin with.
        programs: that the packages bring.
        packages: of Debian.
        reason: why it takes root.
    """
    if os.geteuid() != 0:
        sys.exit(f"{target}: {reason}, and this is not root; run it in a container, as root")
    if not missing(programs):
        return
    if shutil.which("apt-get") is None:
        told = ", ".join(missing(programs))
        sys.exit(f"{target}: {told} are missing, and there is no apt-get to install them with")
    quietly = ("--quiet=2", "--yes", "--no-install-recommends")
    for command in (("apt-get", "update", "--quiet=2"), ("apt-get", "install", *quietly, *packages)):
        done = subprocess.run(command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, stdin=subprocess.DEVNULL)
        if done.returncode:
            sys.exit(f"{target}: {' '.join(command)} ended with status {done.returncode}")
    if missing(programs):
        sys.exit(f"{target}: {', '.join(missing(programs))} are missing still, although {packages[0]} is installed")
