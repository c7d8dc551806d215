"""Install Debian's Slurm where it is missing: `python -m tests.slurm.install`."""

import os
import shutil
import subprocess
import sys

from tests.slurm.cluster import missing

UPDATE = ("apt-get", "update", "--quiet=2")
INSTALL = ("apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", "slurm-wlm", "munge")


def main():
    if os.geteuid() != 0:
        sys.exit(
            "test-slurm: Slurm's daemons are started as root, and this is not root; run it in a container, as root"
        )
    if not missing():
        return
    if shutil.which("apt-get") is None:
        sys.exit(f"test-slurm: {', '.join(missing())} are missing, and there is no apt-get to install them with")
    for command in (UPDATE, INSTALL):
        told = subprocess.run(command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, stdin=subprocess.DEVNULL)
        if told.returncode:
            sys.exit(f"test-slurm: {' '.join(command)} ended with status {told.returncode}")
    if missing():
        sys.exit(f"test-slurm: {', '.join(missing())} are missing still, although Debian's slurm-wlm is installed")


if __name__ == "__main__":
    main()
