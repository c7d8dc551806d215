import pytest

from tests.workflow.running import CORES, SMOKE, copy_of_the_repository, snakemake


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """The repository as it is cloned: nothing computed. Only for what leaves it so."""
    return copy_of_the_repository(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="session")
def smoke(tmp_path_factory):
    """A repository in which the smoke configuration has been run. A test leaves its files as they are."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("smoke"))
    snakemake(folder, "--cores", CORES, *SMOKE)
    return folder
