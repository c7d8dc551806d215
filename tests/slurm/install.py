"""Install Debian's Slurm where it is missing: `python -m tests.slurm.install`."""

from tests.debian_packages import install
from tests.slurm.cluster import NEEDED

if __name__ == "__main__":
    install("test-slurm", NEEDED, ("slurm-wlm", "munge"), "Slurm's daemons are started as root")
