# Helpers only, no rules: the checked configuration, job descriptions, and which files a run consists of.
import json
from pathlib import Path
import re
import sys
from types import SimpleNamespace

from smec import backbones, config as configuration, datasets, studies
from smec.backbone_method import BackboneMethod, trained_settings
from smec.compressors import method_named
from smec.errors import SmecError
from smec.method import stage_names
from smec.runs import FOLDER_SEPARATOR, JOIN, folder_of
from smec.reporting.page.outline import HEADINGS, outline, section_of
from smec.source_hash import data_hash, source_hash
from smec.studies.full_parameter import encoding_file


def checked_config():
    try:
        return configuration.load(config)
    except SmecError as error:
        sys.exit(f"error: {error}")


CONFIG = checked_config()

# What much else waits for comes first, then single jobs that take long: neither is left over for one core at the end.
FIRST, SOON = 2, 1


class Wildcards(SimpleNamespace):
    """Wildcards of a job that is not the one at hand."""

    def keys(self):
        return vars(self).keys()

    def __getitem__(self, name):
        return getattr(self, name)


RUN = "results/runs/{dataset}/{backbone}/{method}/seed{seed}"


def one_of(names):
    return "|".join(map(re.escape, names)) or "none"


def as_spec(**values):
    return json.dumps(values, sort_keys=True)


def width_of(backbone):
    return backbones.parse(CONFIG.backbones[backbone]).dim


def trained_on(wildcards):
    return wildcards.dataset.split(JOIN)


def sizes_of(wildcards):
    return CONFIG.experiment(trained_on(wildcards)[0], wildcards.backbone).sizes


def stages_of(wildcards):
    schedule = method_named(CONFIG.method_of(wildcards.method)).schedule
    return stage_names(schedule, sizes_of(wildcards), width_of(wildcards.backbone))


def run_of(dataset, backbone, run):
    """Wildcards of the training of a run that is scored on a dataset."""
    name = CONFIG.run(run)
    return Wildcards(
        dataset=JOIN.join(name.data) or dataset,
        backbone=backbone,
        method=folder_of(CONFIG.canonical(str(name.without_data()))),
    )


def stage_files(wildcards):
    trained = run_of(wildcards.dataset, wildcards.backbone, wildcards.method)
    return [
        f"{RUN}/{stage}/compressor.safetensors".format(**trained, seed=wildcards.seed)
        for stage in stages_of(trained)
    ]


def trains_backbone(run):
    return isinstance(method_named(CONFIG.method_of(run)), BackboneMethod)


def finetuned_entries():
    """Entries of `methods` whose runs train the backbone itself."""
    return [entry for entry in CONFIG.methods if trains_backbone(entry)]


def store_of(role):
    """The vectors that a run is scored on: those of the backbone, or of its own trained copy."""

    def manifest(wildcards):
        stores = f"results/embeddings/{wildcards.dataset}/{wildcards.backbone}"
        if trains_backbone(wildcards.method):
            stores = f"{RUN}/embeddings".format(**wildcards)
        return f"{stores}/{role}/manifest.json"

    return manifest


def backbone_of(wildcards):
    """Settings of the backbone that a run is scored with."""
    settings = CONFIG.backbones[wildcards.backbone]
    if not trains_backbone(wildcards.method):
        return settings
    return trained_settings(settings, Path(RUN.format(**wildcards)) / "all")


def backbones_without_model():
    return [
        name
        for name, values in CONFIG.backbones.items()
        if not backbones.parse(values).loads_model
    ]


def source_files(wildcards):
    """Files that a dataset is built from: an edit of one of them builds it anew."""
    settings = datasets.parse(CONFIG.datasets[wildcards.dataset])
    named = settings.sources()
    inside = [
        found
        for folder in named
        if folder.is_dir()
        for found in sorted(folder.rglob("*"))
        if found.is_file()
    ]
    return [str(path) for path in [*named, *inside] if path.is_file()]


def trained_models():
    """Folders of the models that the workflow trains, each with the backbone that it belongs to."""
    settings = {name: backbones.parse(v) for name, v in CONFIG.backbones.items()}
    return {Path(s.model).name: name for name, s in settings.items() if s.trained_on}


def model_files(wildcards):
    """Local files of a model: an edit of one of them, or a new training, encodes anew."""
    settings = backbones.parse(CONFIG.backbones[wildcards.backbone])
    return [str(path) for path in settings.files()]


def dataset_of_shared_store():
    """The datasets whose corpus is encoded by several jobs, each only beside the backbone and role that say so."""
    stores = [
        f"{e.dataset}/{e.backbone}/corpus"
        for e in CONFIG.experiments
        if e.embed_jobs > 1
    ]
    return rf"(?=(?:{one_of(stores)})/)[^/]+"


def parts_of_store(wildcards):
    store = "results/embeddings/{dataset}/{backbone}/{role}".format(**wildcards)
    parts = CONFIG.experiment(wildcards.dataset, wildcards.backbone).embed_jobs
    return [f"{store}/part-{part}-of-{parts}.json" for part in range(1, parts + 1)]


def training_set(wildcards):
    backbone = trained_models()[wildcards.model]
    dataset = backbones.parse(CONFIG.backbones[backbone]).trained_on
    return f"results/data/{dataset}/manifest.json"


def architecture_of(wildcards):
    backbone = trained_models()[wildcards.model]
    return str(backbones.parse(CONFIG.backbones[backbone]).architecture)


def previous_stage(wildcards):
    if method_named(CONFIG.method_of(wildcards.method)).schedule != "chain":
        return []
    stages = stages_of(wildcards)
    place = stages.index(wildcards.stage)
    return stage_files(wildcards)[place - 1] if place else []


def size_of(stage):
    return None if stage == "all" else int(stage.removeprefix("dim"))


def module_of(package, settings):
    return type(package.parse(settings)).__module__


def metrics_file(experiment, run, seed):
    method = folder_of(CONFIG.canonical(run))
    return f"results/metrics/{experiment.dataset}/{experiment.backbone}/{method}/seed{seed}.parquet"


def score_files(wildcards):
    view = CONFIG.views[wildcards.view]
    return [
        metrics_file(e, run, seed)
        for e in CONFIG.experiments_of(view)
        for run in view.methods
        for seed in CONFIG.seeds_of(run, e)
    ]


def view_spec(wildcards):
    view = CONFIG.views[wildcards.view]
    shown = CONFIG.experiments_of(view)
    labels = [run.replace("_", " ").replace(",", ", ") for run in view.methods]
    return as_spec(
        title=view.title,
        rows=[list(row) for row in zip(map(CONFIG.canonical, view.methods), labels)],
        tested=view.tested and CONFIG.canonical(view.tested),
        widths={e.backbone: width_of(e.backbone) for e in shown},
        groups=CONFIG.groups_of(shown),
    )


def paper_option(wildcards):
    paper = CONFIG.views[wildcards.view].paper
    return f"--paper {paper}" if paper else ""


def study_of(wildcards):
    return studies.parse(CONFIG.studies[wildcards.study])


def study_run(study, run):
    """Where a run of a study lies, for `smec analyse`: see StudyRun."""
    shown = CONFIG.experiments_of(study)
    trained = {
        f"{e.dataset}/{e.backbone}": run_of(e.dataset, e.backbone, run) for e in shown
    }
    return dict(
        path=folder_of(CONFIG.canonical(run)),
        method=CONFIG.method_of(run),
        options=CONFIG.options_of(run),
        seeds=CONFIG.seeds_of(run, seeds=study.seeds),
        folders={
            place: f"runs/{w.dataset}/{w.backbone}/{w.method}"
            for place, w in trained.items()
        },
        stages={place: stages_of(w) for place, w in trained.items()},
    )


def study_spec(wildcards):
    study = study_of(wildcards)
    return as_spec(
        study=study.model_dump(mode="json"),
        experiments=[
            dict(
                dataset=e.dataset,
                backbone=e.backbone,
                sizes=e.sizes,
                width=width_of(e.backbone),
                settings=CONFIG.backbones[e.backbone],
                group=CONFIG.groups_of([e]).get(e.dataset),
            )
            for e in CONFIG.experiments_of(study)
        ],
        seeds=study.seeds or CONFIG.seeds,
        runs={run: study_run(study, run) for run in study.runs()},
        max_documents=CONFIG.max_training_documents,
        vectors=CONFIG.training_vectors.model_dump(mode="json"),
    )


def study_files(wildcards):
    """What `smec analyse` reads: scores, stage files with their records, vectors with their judgements."""
    study = study_of(wildcards)
    shown = CONFIG.experiments_of(study)
    cases = [
        (e, run, seed)
        for e in shown
        for run in study.runs()
        for seed in CONFIG.seeds_of(run, seeds=study.seeds)
    ]
    files = []
    if "scores" in study.reads:
        files += [metrics_file(e, run, seed) for e, run, seed in cases]
    if {"records", "stages"} & set(study.reads):
        for e, run, seed in cases:
            case = Wildcards(
                dataset=e.dataset, backbone=e.backbone, method=run, seed=seed
            )
            stages = stage_files(case)
            files += stages
            files += [
                path.replace("compressor.safetensors", "record.json") for path in stages
            ]
    if "encodings" in study.reads:
        files += [
            f"results/{encoding_file(e.dataset, e.backbone, folder_of(CONFIG.canonical(run)), seed, role)}"
            for e, run, seed in cases
            for role in ("corpus", "queries")
            if trains_backbone(run)
        ]
    if "data" in study.reads:
        for e in shown:
            stores = f"results/embeddings/{e.dataset}/{e.backbone}"
            files += [f"results/data/{e.dataset}/manifest.json"]
            files += [
                f"{stores}/{role}/manifest.json" for role in ("corpus", "queries")
            ]
            files += [f"results/negatives/{e.dataset}/{e.backbone}.safetensors"]
    return list(dict.fromkeys(files))


def section_heading(wildcards):
    return HEADINGS[section_of(wildcards.study, study_of(wildcards).kind)]


def page_files():
    """What the page shows."""
    shown = (*CONFIG.views, *CONFIG.studies)
    files = [f"results/tables/{name}.csv" for name in shown]
    files += [f"results/figures/{name}.png" for name in shown]
    files += [f"results/numbers/{name}.json" for name in CONFIG.studies]
    sets = dict.fromkeys(e.dataset for e in CONFIG.experiments)
    files += [f"results/data/{name}/manifest.json" for name in sets]
    used = {e.backbone for e in CONFIG.experiments}
    trained = [model for model, name in trained_models().items() if name in used]
    return files + [f"results/models/{model}/record.json" for model in trained]


def page_spec():
    kinds = {name: values["kind"] for name, values in CONFIG.studies.items()}
    sections = outline(list(CONFIG.views), kinds)
    shown = CONFIG.model_dump(
        mode="json", exclude={"scales", "train_gpus", "embed_gpus", "forked", "plan"}
    )
    spec = {"sections": [vars(section) for section in sections], "configuration": shown}
    return json.dumps(spec)  # in the order in which things are to be told


def report_targets():
    kinds = {"tables": ("csv", "md", "tex"), "figures": ("pdf", "png")}
    return ["results/report.html"] + [
        f"results/{kind}/{name}.{suffix}"
        for kind in kinds
        for suffix in kinds[kind]
        for name in (*CONFIG.views, *CONFIG.studies)
    ]
