"""Install what builds an image without a daemon, where it is missing: `python -m tests.container.install`."""

import os
import shutil
import subprocess
import sys

NEEDED = ("buildah", "debootstrap")
UPDATE = ("apt-get", "update", "--quiet=2")
INSTALL = ("apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", *NEEDED)


def missing():
    """The tools that are not there."""
    return [name for name in NEEDED if shutil.which(name) is None]


def main():
    if os.geteuid() != 0:
        sys.exit("test-container: a root filesystem is unpacked and entered as root, and this is not root")
    if not missing():
        return
    if shutil.which("apt-get") is None:
        sys.exit(f"test-container: {', '.join(missing())} are missing, and there is no apt-get to install them with")
    for command in (UPDATE, INSTALL):
        told = subprocess.run(command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, stdin=subprocess.DEVNULL)
        if told.returncode:
            sys.exit(f"test-container: {' '.join(command)} ended with status {told.returncode}")


if __name__ == "__main__":
    main()
