# From text to the table: fetch -> embed -> mine -> train (stage by stage) -> evaluate -> report.
# `snakemake --cores all` runs config/config.yaml; results/README.md says where each family of files lies.
import sys

from snakemake.utils import min_version

from smec.overlays import overlay_asked_for

min_version("9.27")


configfile: "config/config.yaml"


overlay = overlay_asked_for(sys.argv)
if overlay:

    configfile: overlay


include: "workflow/rules/common.smk"
include: "workflow/rules/start.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/embed.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/analyse.smk"
include: "workflow/rules/report.smk"


wildcard_constraints:
    dataset="[^/]+",
    backbone="[^/]+",
    method="[^/]+",
    seed=r"\d+",
    stage=r"dim\d+|all",
    role="corpus|queries",
    part=r"\d+",
    parts=r"\d+",
    view=one_of(CONFIG.views),
    study=one_of(CONFIG.studies),


rule all:
    default_target: True
    input:
        report_targets(),


rule analyses:
    input:
        report_targets(),


rule full_parameter:
    input:
        report_targets(),


rule reproduce_paper:
    input:
        report_targets(),


rule embeddings:
    input:
        [
            f"results/embeddings/{e.dataset}/{e.backbone}/{role}/manifest.json"
            for e in CONFIG.experiments
            for role in ("corpus", "queries")
        ],
