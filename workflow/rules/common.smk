# Helpers only, no rules: the checked configuration, job descriptions, and which files a run consists of.
import json
from pathlib import Path
import sys

from smec import backbones, config as configuration, datasets
from smec.compressors import method_named
from smec.errors import SmecError
from smec.method import stage_names
from smec.source_hash import source_hash


def checked_config():
    try:
        return configuration.load(config)
    except SmecError as error:
        sys.exit(f"error: {error}")


CONFIG = checked_config()
RUN = "results/runs/{dataset}/{backbone}/{method}/seed{seed}"


def as_spec(**values):
    return json.dumps(values, sort_keys=True)


def width_of(backbone):
    return backbones.parse(CONFIG.backbones[backbone]).dim


def sizes_of(wildcards):
    return CONFIG.experiment(wildcards.dataset, wildcards.backbone).sizes


def stages_of(wildcards):
    schedule = method_named(CONFIG.method_of(wildcards.method)).schedule
    return stage_names(schedule, sizes_of(wildcards), width_of(wildcards.backbone))


def stage_files(wildcards):
    return [
        f"{RUN}/{stage}/compressor.safetensors".format(**wildcards)
        for stage in stages_of(wildcards)
    ]


def source_files(wildcards):
    """Files that a dataset is built from: an edit of one of them builds it anew."""
    settings = datasets.parse(CONFIG.datasets[wildcards.dataset])
    named = [value for _, value in settings if isinstance(value, Path)]
    inside = [
        found
        for folder in named
        if folder.is_dir()
        for found in sorted(folder.rglob("*"))
        if found.is_file()
    ]
    return [str(path) for path in [*named, *inside] if path.is_file()]


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


def score_files(wildcards):
    return [
        f"results/metrics/{e.dataset}/{e.backbone}/{method}/seed{seed}.parquet"
        for e in CONFIG.experiments
        for method in CONFIG.views[wildcards.view].methods
        for seed in CONFIG.seeds_of(method)
    ]


def view_spec(wildcards):
    view = CONFIG.views[wildcards.view]
    widths = {e.backbone: width_of(e.backbone) for e in CONFIG.experiments}
    return as_spec(
        title=view.title, methods=view.methods, reference=view.reference, widths=widths
    )


def report_targets():
    kinds = {"tables": ("csv", "md", "tex"), "figures": ("pdf", "png")}
    return [
        f"results/{kind}/{view}.{suffix}"
        for kind in kinds
        for suffix in kinds[kind]
        for view in CONFIG.views
    ]
