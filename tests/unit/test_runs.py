"""Names of runs: what they mean, that equal runs have one name, and what a mistake says."""

import pytest

from smec import config as configuration
from smec.errors import SmecError
from smec.runs import RunName, entry_of, folder_of, name_of, parse
from tests.unit.test_config import GOOD


@pytest.fixture(scope="module")
def config():
    more = {"methods": {**GOOD["methods"], "smec": {}, "quick": {"method": "smec", "epochs": 2}, "pca": {}}}
    return configuration.load(GOOD | more)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("smec", RunName("smec")),
        ("smec,alpha=0", RunName("smec", {"alpha": 0})),
        ("a_b.c-1,path=null,pull_back=true", RunName("a_b.c-1", {"path": None, "pull_back": True})),
        ("smec,loss=mse,labels=0.05", RunName("smec", {"loss": "mse"}, 0.05)),
        ("smec,data=a+b,labels=1", RunName("smec", {}, 1.0, ("a", "b"))),
    ],
)
def test_a_name_is_taken_apart(name, expected):
    assert parse(name) == expected
    assert parse(str(expected)) == expected
    assert entry_of(name) == expected.entry


def test_the_order_of_the_options_does_not_matter():
    assert str(parse("smec,selection=random,alpha=0.0")) == str(parse("smec,alpha=0,selection=random"))
    assert str(parse("smec,data=a+b,alpha=0.5,labels=0.1")) == "smec,alpha=0.5,labels=0.1,data=a+b"
    assert str(parse("smec,alpha=0,data=a+b").without_data()) == "smec,alpha=0"


def test_a_folder_names_its_run_without_a_comma():
    folder = folder_of("smec,alpha=0,selection=random")
    assert "," not in folder and name_of(folder) == "smec,alpha=0,selection=random"
    assert parse(folder) == parse("smec,alpha=0,selection=random")


@pytest.mark.parametrize(
    "name", ["smec,alpha", "smec,=1", "smec,alpha=", ",alpha=0", "smec,alpha=0,alpha=1", "smec,", "smec,labels=0",
             "smec,labels=1.5", "smec,labels=many", "smec,labels=true"]
)  # fmt: skip
def test_a_mistake_in_a_name_is_told(name):
    with pytest.raises(SmecError, match=r"smec|labels"):
        parse(name)


def test_equal_runs_have_one_name(config):
    default = config.options_of("smec")
    assert config.canonical(f"smec,memory_size={default['memory_size']}") == "smec"
    assert config.canonical("smec,epochs=2") == "quick"
    assert config.canonical("quick,epochs=2") == "quick"
    assert config.canonical("smec,epochs=2,labels=0.5") == "quick,labels=0.5"
    assert config.canonical("smec,alpha=1e-1,selection=random") == "smec,alpha=0.1,selection=random"
    assert config.canonical("smec,gumbel_temperature=2.0") == "smec,gumbel_temperature=2"


def test_options_of_a_name_win_over_those_of_its_entry(config):
    assert config.options_of("quick")["epochs"] == 2
    assert config.options_of("quick,epochs=3")["epochs"] == 3
    assert config.method_of("quick,epochs=3") == "smec"


def test_an_unknown_part_is_told_with_the_nearest_name(config):
    with pytest.raises(SmecError, match=r"no method 'smek' in methods. Did you mean 'smec'"):
        config.run("smek,alpha=0")
    with pytest.raises(SmecError, match=r"The run smec,alpa=0 is not valid: unknown key 'alpa'. Did you mean 'alpha'"):
        config.run("smec,alpa=0")
    with pytest.raises(SmecError, match=r"no dataset .tiny. in datasets"):
        config.run("smec,data=tiny")
