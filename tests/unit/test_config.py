"""Faults of a configuration: told before anything runs, by key, with what was given and what to write instead."""

import copy
from pathlib import Path

import pytest
import yaml

from smec import config
from smec.compressors import method_named
from smec.errors import SmecError
from smec.options import SimilarityOptions

ROOT = Path(__file__).parents[2]

GOOD = {
    "datasets": {"docs": {"kind": "pydocs"}},
    "backbones": {"minilm": {"kind": "sentence_transformer", "dim": 384}},
    "experiments": [{"dataset": "docs", "backbone": "minilm", "sizes": [384, 192, 96]}],
    "training": {"epochs": 7, "alpha": 0.3},
    "methods": {"truncation": {}, "smec": {}, "cool": {"method": "smec", "epochs": 3}, "mrl": {}},
    "seeds": [5, 6],
    "views": {"all": {"title": "All", "methods": ["truncation", "smec"], "tested": "smec"}},
}


def changed(path, value):
    """GOOD with one value replaced; the path is keys and list places."""
    values = copy.deepcopy(GOOD)
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return values


def test_the_shipped_configuration_is_valid():
    loaded = config.load(yaml.safe_load((ROOT / "config" / "config.yaml").read_text()))
    assert loaded.seeds and loaded.views


def test_options_are_shared_then_own_then_default():
    loaded = config.load(GOOD)
    assert loaded.options_of("smec")["epochs"] == 7 and loaded.options_of("cool")["epochs"] == 3
    assert loaded.options_of("smec")["alpha"] == 0.3 and loaded.options_of("mrl")["alpha"] == 0.3
    assert loaded.options_of("smec")["neighbours"] == SimilarityOptions().neighbours
    assert loaded.options_of("truncation") == {}, "what a method has no option for does not reach it"
    assert set(loaded.options_of("smec")) == set(method_named("smec").Options.model_fields)


def test_a_run_knows_its_method_and_its_seeds():
    loaded = config.load(GOOD)
    assert loaded.method_of("cool") == "smec" and loaded.method_of("mrl") == "mrl"
    assert loaded.seeds_of("smec") == (5, 6) and loaded.seeds_of("truncation") == (5,)
    assert loaded.experiment("docs", "minilm").sizes == (384, 192, 96)


FORUM = {"kind": "beir", "name": "cqadupstack"}


def with_forums(**datasets):
    experiments = [{**GOOD["experiments"][0], "dataset": name} for name in datasets]
    return GOOD | {"datasets": datasets, "experiments": experiments}


def test_parts_of_a_set_know_the_whole():
    loaded = config.load(with_forums(docs={"kind": "pydocs"}, tex=FORUM | {"subset": "tex"}))
    assert loaded.groups_of(loaded.experiments) == {"tex": "cqadupstack"}


def test_an_api_is_asked_by_one_job():
    api = {"backbones": {"api": {"kind": "openai", "max_cost": 1}}}
    experiment = {"dataset": "docs", "backbone": "api", "sizes": [3072, 96], "embed_jobs": 4}
    with pytest.raises(SmecError, match=r"docs with api says embed_jobs: 4, but the pace .* hold for one job"):
        config.load(GOOD | api | {"experiments": [experiment]})
    assert config.load(GOOD | api | {"experiments": [experiment | {"embed_jobs": 1}]})


def test_no_dataset_has_the_name_of_a_mean():
    with pytest.raises(SmecError, match=r"datasets\.cqadupstack .* that tex is a part of.* Rename it"):
        config.load(with_forums(cqadupstack={"kind": "pydocs"}, tex=FORUM | {"subset": "tex"}))


def test_an_experiment_may_have_seeds_of_its_own():
    loaded = config.load(changed(("experiments", 0, "seeds"), [8, 9]))
    (experiment,) = loaded.experiments
    assert loaded.seeds_of("smec", experiment) == (8, 9) and loaded.seeds_of("truncation", experiment) == (8,)
    assert loaded.seeds_of("smec") == (5, 6) and loaded.seeds_of("smec", seeds=(3,)) == (3,)


IMAGES = {"kind": "glyphs", "task": "image"}
CLIP = {"kind": "open_clip", "model": "ViT-B-32", "pretrained": "openai", "dim": 512}


def with_images(**view):
    """GOOD with images in an experiment of its own that is not main, and a view."""
    values = copy.deepcopy(GOOD)
    values["datasets"]["drawings"] = IMAGES
    values["backbones"]["clip"] = CLIP | {"model": "ViT-B-32-quickgelu"}
    values["experiments"].append({"dataset": "drawings", "backbone": "clip", "sizes": [512, 64], "main": False})
    values["views"]["chart"] = {"title": "Chart", "methods": ["smec"]} | view
    return values


def test_a_view_of_a_task_shows_the_experiments_of_that_task_main_or_not():
    loaded = config.load(with_images(tasks=["image"]))
    assert [e.dataset for e in loaded.experiments_of(loaded.views["chart"])] == ["drawings"]
    assert [e.dataset for e in loaded.experiments_of(loaded.views["all"])] == ["docs"]
    both = config.load(with_images(tasks=["image", "text"]))
    assert [e.dataset for e in both.experiments_of(both.views["chart"])] == ["docs", "drawings"]


def test_a_view_of_tasks_that_no_experiment_has_is_left_out():
    assert list(config.load(with_images(tasks=["text_to_image"])).views) == ["all"]
    with pytest.raises(SmecError, match=r"views\.chart: there is no experiment on 'drawing'"):
        config.load(with_images(tasks=["text_to_image"], datasets=["drawing"]))
    with pytest.raises(SmecError, match=r"views\.chart .*no method 'smecc'"):
        config.load(with_images(tasks=["text_to_image"], methods=["smecc"]))
    with pytest.raises(SmecError, match=r"views\.chart\.tasks\.0: .*'text_to_image'"):
        config.load(with_images(tasks=["picture"]))


def test_a_view_names_a_published_table():
    assert config.load(with_images(paper="products10k")).views["chart"].paper == "products10k"
    with pytest.raises(SmecError, match=r"no published table 'product10k'\. Did you mean 'products10k'"):
        config.load(with_images(paper="product10k"))


def test_the_shipped_configuration_has_the_three_charts_of_images_and_trains_its_clip_for_nothing_else():
    values = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    loaded = config.load(values)
    charts = {"image": "glyphs", "text_to_image": "glyph_names", "image_to_text": "glyph_naming"}
    for view, dataset in charts.items():
        shown = loaded.experiments_of(loaded.views[view])
        assert [(e.dataset, e.seeds) for e in shown] == [(dataset, (0,))] and loaded.views[view].paper
    assert [e.dataset for e in loaded.experiments_of(loaded.views["equal_cost"])] == ["pydocs"]
    own = config.load(values | {"experiments": values["experiments"][:1]})
    assert not charts.keys() & own.views.keys() and {e.backbone for e in own.experiments} == {"minilm"}


def test_sizes_need_not_begin_at_the_width():
    assert config.load(changed(("experiments", 0, "sizes"), [100, 7])).experiments[0].sizes == (100, 7)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("sedes",), [1], r"unknown key 'sedes'\. Did you mean 'seeds'\?"),
        (("experiments", 0, "size"), [1], r"experiments\.0: unknown key 'size'\. Did you mean 'sizes'\?"),
        (("views", "all", "methds"), ["smec"], r"views\.all: unknown key 'methds'\. Did you mean 'methods'\?"),
        (("store", ), {"shard_row": 3}, r"store: unknown key 'shard_row'\. Did you mean 'shard_rows'\?"),
        (("methods", "smec"), {"epoch": 3}, r"methods\.smec .*unknown key 'epoch'\. Did you mean 'epochs'\?"),
        (("training", "epoch"), 3, r"training\.epoch is an option of no configured method\. Did you mean 'epochs'\?"),
        (("datasets", "docs", "knid"), "x", r"datasets\.docs: .*unknown key 'knid'\. Did you mean 'kind'\?"),
        (("backbones", "minilm", "batch"), 1, r"backbones\.minilm: .*unknown key 'batch'\. .*'batch_size'\?"),
    ],
)  # fmt: skip
def test_a_misspelt_key_names_its_place_and_the_nearest(path, value, told):
    with pytest.raises(SmecError, match=told):
        config.load(changed(path, value))


@pytest.mark.parametrize("sizes", [[96, 192], [192, 192], [192, 0], [192, -3], [384, 192, 193]])
def test_sizes_that_do_not_decrease_are_refused(sizes):
    with pytest.raises(SmecError, match=r"experiments\.0\.sizes: sizes must be positive and strictly decreasing"):
        config.load(changed(("experiments", 0, "sizes"), sizes))


def test_no_size_and_no_experiment_are_refused():
    with pytest.raises(SmecError, match=r"experiments\.0\.sizes"):
        config.load(changed(("experiments", 0, "sizes"), []))
    with pytest.raises(SmecError, match=r"experiments"):
        config.load(changed(("experiments",), []))


def test_sizes_above_the_width_of_the_backbone_are_refused():
    with pytest.raises(SmecError, match=r"on docs asks for 400 dimensions, but backbones\.minilm has 384"):
        config.load(changed(("experiments", 0, "sizes"), [400, 200]))


def test_the_full_width_alone_is_refused():
    with pytest.raises(SmecError, match="nothing to compress"):
        config.load(changed(("experiments", 0, "sizes"), [384]))


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("experiments", 0, "dataset"), "dosc", r"no dataset 'dosc' in datasets\. Did you mean 'docs'\?"),
        (("experiments", 0, "backbone"), "minlm", r"no backbone 'minlm' in backbones\. Did you mean 'minilm'\?"),
        (("methods", "smek"), {}, r"There is no method 'smek'\. Did you mean 'smec'\?"),
        (("methods", "cool", "method"), "pcaa", r"There is no method 'pcaa'\. Did you mean 'pca'\?"),
        (("datasets", "docs", "kind"), "pydoc", r"datasets\.docs: The dataset kind 'pydoc' is unknown\. .*'pydocs'"),
        (("datasets", "docs"), {}, r"datasets\.docs: The dataset kind '' is unknown\. Known names: .*pydocs"),
        (("backbones", "minilm", "kind"), "precomputd", r"backbones\.minilm: The backbone kind .*'precomputed'"),
        (("views", "all", "methods"), ["smec", "smecc"], r"views\.all .*no method 'smecc' in methods\. Did you mean"),
        (("views", "all", "tested"), "mrl", r"tested run 'mrl' is not among the methods of the view"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(path, value, told):
    with pytest.raises(SmecError, match=told):
        config.load(changed(path, value))


def test_a_value_out_of_range_is_told_with_what_was_given():
    with pytest.raises(SmecError, match=r"methods\.smec .*learning_rate: .*greater than 0 \(given: -1\)"):
        config.load(changed(("methods", "smec"), {"learning_rate": -1}))


def test_a_missing_folder_is_told_before_anything_runs(tmp_path):
    dataset = {"kind": "beir_folder", "path": str(tmp_path / "scifact")}
    with pytest.raises(SmecError, match=r"datasets\.docs\.path .* names .*scifact, which does not exist"):
        config.load(changed(("datasets", "docs"), dataset))
    (tmp_path / "scifact").mkdir()
    assert config.load(changed(("datasets", "docs"), dataset))


def test_one_pair_of_dataset_and_backbone_is_one_experiment():
    with pytest.raises(SmecError, match="share a dataset and a backbone"):
        config.load(changed(("experiments",), [GOOD["experiments"][0], GOOD["experiments"][0]]))


def test_every_key_is_described():
    for model in (config.Config, config.Experiment, config.View, config.StoreSettings):
        undescribed = [name for name, field in model.model_fields.items() if not field.description]
        assert undescribed in ([], ["store"]), model


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("seeds",), [1, 2, 1], r"seeds: 1 is given more than once"),
        (("seeds",), [0, -1], r"seeds\.1: .*greater than or equal to 0 \(given: -1\)$"),
        (("views", "all", "methods"), ["smec", "smec"], r"views\.all\.methods: 'smec' is given more than once"),
        (("methods", "a b"), {"method": "pca"}, r"methods: the name 'a b' must consist of"),
        (("methods", "pca\n"), {"method": "pca"}, r"methods: the name"),
        (("datasets", ".."), {"kind": "pydocs"}, r"datasets: the name '\.\.' must consist of"),
        (("backbones", "org/model"), {}, r"backbones: the name 'org/model' must consist of"),
        (("views", "\u00e4"), GOOD["views"]["all"], r"views: the name"),
        (("datasets", "average"), {"kind": "pydocs"}, r"datasets: the name 'average' stands for the mean"),
        (("training", "alpha"), float("nan"), r"alpha: .*finite number"),
        (("training", "path"), float("inf"), r"path: .*finite number"),
        (("datasets", "docs", "test_fraction"), 0, r"datasets\.docs\.test_fraction .* is 0"),
        (("backbones", "minilm", "model"), "./nope", r"backbones\.minilm: The folder \./nope .* does not exist"),
        (("backbones", "minilm", "model"), "package:nope", r"backbones\.minilm: No installed package 'nope'"),
        (("backbones", "minilm"), {"kind": "precomputed", "dim": 384}, r"datasets\.docs brings no vectors"),
    ],
)
def test_what_would_fail_later_is_told_at_once(path, value, told):
    with pytest.raises(SmecError, match=told):
        config.load(changed(path, value))


def test_vectors_need_a_backbone_that_reads_them(tmp_path):
    paths = {key: str(tmp_path / name) for key, name in (("corpus", "c.npy"), ("queries", "q.npy"), ("qrels", "q.tsv"))}
    for path in paths.values():
        Path(path).touch()
    values = changed(("datasets", "docs"), {"kind": "arrays", **paths})
    with pytest.raises(SmecError, match=r"on docs with minilm .*brings vectors and no text.*'precomputed'"):
        config.load(values)
    values["backbones"]["minilm"] = {"kind": "precomputed", "dim": 384}
    assert config.load(values)


def test_one_fault_is_told_once():
    with pytest.raises(SmecError) as fault:
        config.load(changed(("experiments", 0, "sizes"), [96, 192]))
    assert str(fault.value).count("given:") == 1 and ";" not in str(fault.value)


@pytest.mark.parametrize(
    ("training", "own", "mined", "told"),
    [
        ({"hard_negatives": 21}, {}, 20, r"training\.hard_negatives is 21, but only 20 .*mined_negatives to 21"),
        ({}, {"hard_negatives": 21}, 20, r"methods\.smec\.hard_negatives is 21"),
        ({}, {"negative_pool": 30}, 20, r"methods\.smec\.negative_pool is 30, but only 20"),
        ({}, {}, 5, r"default of methods\.smec\.hard_negatives is 10, but only 5"),
        ({"hard_negatives": 5}, {}, 5, None),
        ({}, {"negative_pool": 30}, 30, None),
    ],
)
def test_no_more_negatives_are_asked_for_than_are_mined(training, own, mined, told):
    values = changed(("mined_negatives",), mined) | {"training": training, "methods": {"smec": own, "truncation": {}}}
    if told is None:
        assert config.load(values)
        return
    with pytest.raises(SmecError, match=told):
        config.load(values)


def test_null_takes_an_entry_away():
    values = changed(("views", "all"), None) | {"methods": {"smec": {}, "mrl": None}}
    loaded = config.load(values)
    assert list(loaded.methods) == ["smec"] and not loaded.views


def test_a_scale_puts_whole_entries_in_the_place_of_others():
    small = {"datasets": {"docs": {"kind": "pydocs", "max_documents": 50}}, "seeds": [9], "training": {"epochs": 1}}
    values = GOOD | {"scales": {"smoke": small}}
    assert config.load(values) == config.load(values | {"scale": "full"})
    loaded = config.load(values | {"scale": "smoke"})
    assert loaded.datasets == small["datasets"] and loaded.seeds == (9,) and loaded.training == {"epochs": 1}
    assert loaded.methods == config.load(GOOD).methods


def test_an_unknown_scale_is_told():
    with pytest.raises(SmecError, match=r"no scale 'smoek' in scales\. Did you mean 'smoke'"):
        config.load(GOOD | {"scales": {"smoke": {}}, "scale": "smoek"})


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ({"datasets": ["dosc"]}, r"views\.some: there is no experiment on 'dosc'\. Did you mean 'docs'"),
        ({"backbones": ["minlm"]}, r"views\.some: there is no experiment with 'minlm'\. Did you mean 'minilm'"),
        ({"methods": ["smec,data=docs+more"]}, r"views\.some .*no dataset 'more' in datasets"),
        (
            {"methods": ["smec,hard_negatives=40"]},
            r"methods\.smec,hard_negatives=40\.hard_negatives is 40, but only 20",
        ),
    ],
)
def test_a_view_of_what_is_not_there_is_told(shown, told):
    with pytest.raises(SmecError, match=told):
        config.load(changed(("views", "some"), {"title": "Some", "methods": ["smec"]} | shown))


def test_a_run_on_two_sets_needs_both_with_the_same_sizes():
    both = GOOD | {"datasets": {name: {"kind": "pydocs"} for name in ("docs", "more")}}
    both["views"] = {"joint": {"title": "Joint", "methods": ["smec,data=docs+more"], "datasets": ["docs"]}}
    with pytest.raises(
        SmecError, match=r"smec,data=docs\+more is trained on more and scored on docs, so there has to be"
    ):
        config.load(both)
    more = {"dataset": "more", "backbone": "minilm", "sizes": [384, 192, 96], "main": False}
    loaded = config.load(both | {"experiments": [*GOOD["experiments"], more]})
    assert [e.dataset for e in loaded.experiments_of(loaded.views["joint"])] == ["docs"]
    shown = config.View(title="Main", methods=("smec",))
    assert [e.dataset for e in loaded.experiments_of(shown)] == ["docs"]


def test_a_study_is_checked_like_a_view():
    rows = {"A": "smec", "B": "smec,alpa=0"}
    study = {"kind": "comparison", "title": "T", "rows": rows, "baseline": "A"}
    with pytest.raises(SmecError, match=r"studies\.one .*unknown key 'alpa'\. Did you mean 'alpha'"):
        config.load(GOOD | {"studies": {"one": study}})
    with pytest.raises(
        SmecError, match=r"studies\.one: The study kind 'comparisn' is unknown\. Did you mean 'comparison'"
    ):
        config.load(GOOD | {"studies": {"one": study | {"kind": "comparisn"}}})
    with pytest.raises(SmecError, match=r"'all' names a view and a study"):
        config.load(GOOD | {"studies": {"all": study}})
