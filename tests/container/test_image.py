"""The image of envs/Dockerfile is built, and a run inside it leaves the tables of a run outside.

`make test-container` installs buildah and debootstrap and runs this; `pytest` alone leaves it out. The base is made by
debootstrap from the mirror that this machine uses, so that no image registry is needed.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.container.install import NEEDED
from tests.debian_packages import missing
from tests.workflow.running import CORES, copy_of_the_repository, snakemake

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(
        bool(missing(NEEDED)) or os.geteuid() != 0, reason="`make test-container` installs buildah, as root"
    ),
]

BASE = "localhost/smec-test-base"
IMAGE = "localhost/smec-test"
SETTINGS = ("--configfile", "config/smoke.yaml", "tests/slurm/few.yaml", "tests/container/packages.yaml")
AS_HERE = ("--isolation", "chroot", "--network", "host")
# How this machine reaches the package index; a build behind a proxy of one's own needs the same.
INDEX_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")
INDEX_FILES = ("/etc/pip.conf",)
COPIED = "/mnt/index"


def buildah(*arguments):
    told = subprocess.run(
        ("buildah", *map(str, arguments)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert told.returncode == 0, told.stdout[-5000:]
    return told.stdout


def reach_the_index(base):
    """Let what is built on `base` reach the package index as this machine does."""
    for file in filter(os.path.isfile, INDEX_FILES):
        buildah("copy", base, Path(file).resolve(), file)
    for name in INDEX_VARIABLES:
        value = os.environ.get(name)
        if value and Path(value).is_file():  # not at its usual place, which belongs to a package
            buildah("copy", base, Path(value).resolve(), f"{COPIED}/{name}")
            value = f"{COPIED}/{name}"
        if value:
            buildah("config", "--env", f"{name}={value}", base)


def mirror():
    """Debian's mirror, as apt-get here has it."""
    asked = ("apt-get", "indextargets", "--format", "$(REPO_URI)")
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[0]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The image, built on a Debian without anything."""
    folder = tmp_path_factory.mktemp("image")
    root = folder / "root"
    told = subprocess.run(
        ("debootstrap", "--variant=minbase", "bookworm", str(root), mirror()), capture_output=True, text=True
    )
    assert told.returncode == 0, told.stdout[-3000:]
    base = buildah("from", "scratch").split()[-1]
    try:
        buildah("add", base, root, "/")
        reach_the_index(base)
        buildah("commit", "--rm", base, BASE)
        shutil.rmtree(root)
        source = folder / "source"
        source.mkdir()
        copy_of_the_repository(source)
        build = ("build", *AS_HERE, "--pull-never", "--build-arg", f"BASE={BASE}")
        buildah(*build, "--file", source / "envs/Dockerfile", "--tag", IMAGE, source)
        yield IMAGE
    finally:
        for made in (IMAGE, BASE):
            subprocess.run(("buildah", "rmi", "--force", made), capture_output=True)  # if it was made


@pytest.fixture(scope="module")
def inside(image, tmp_path_factory):
    """The results of a small run in a container."""
    results = tmp_path_factory.mktemp("inside")
    container = buildah("from", "--pull-never", image).split()[-1]
    try:
        mount = ("--volume", f"{results}:/smec/results")
        run = ("run", "--isolation", "chroot", *mount, container, "--")
        buildah(*run, "snakemake", "--cores", CORES, *SETTINGS, "--quiet", "all")
        yield results
    finally:
        buildah("rm", container)


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    folder = copy_of_the_repository(tmp_path_factory.mktemp("outside"))
    snakemake(folder, "--cores", CORES, *SETTINGS)
    return folder / "results"


def test_a_run_in_the_container_leaves_the_same_tables_and_stages(inside, outside):
    for pattern in ("tables/*", "numbers/*", "metrics/**/*.parquet", "runs/**/compressor.safetensors"):
        names = {path.relative_to(outside) for path in outside.glob(pattern)}
        assert names and names == {path.relative_to(inside) for path in inside.glob(pattern)}
        assert [name for name in names if (inside / name).read_bytes() != (outside / name).read_bytes()] == []
    assert (inside / "report.html").stat().st_size > 100_000
