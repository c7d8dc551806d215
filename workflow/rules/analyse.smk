rule analyse:
    input:
        study_files,
    output:
        "results/analysis/{study}.csv",
    log:
        "results/logs/analyse/{study}.log",
    benchmark:
        "results/benchmarks/analyse/{study}.tsv"
    priority: SOON
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    params:
        spec=study_spec,
        code=lambda w: source_hash("smec.jobs.analyse", type(study_of(w)).__module__),
    shell:
        "python -m smec analyse --spec {params.spec:q} --results results --output {output:q} 2> {log:q}"


rule render:
    input:
        "results/analysis/{study}.csv",
    output:
        multiext("results/tables/{study}", ".md", ".tex"),
        "results/figures/{study}.pdf",
        csv=report(
            "results/tables/{study}.csv",
            caption="../report/study.rst",
            category=section_heading,
            labels={"study": "{study}", "as": "table"},
        ),
        png=report(
            "results/figures/{study}.png",
            caption="../report/study.rst",
            category=section_heading,
            labels={"study": "{study}", "as": "figure"},
        ),
        numbers="results/numbers/{study}.json",
    log:
        "results/logs/render/{study}.log",
    conda:
        "../../envs/cpu.yaml"
    params:
        spec=lambda w: as_spec(name=w.study, study=study_of(w).model_dump(mode="json")),
        code=lambda w: source_hash(
            "smec.jobs.render", f"smec.reporting.studies.{study_of(w).kind}"
        ),
    shell:
        "python -m smec render --spec {params.spec:q} {input:q} --output results 2> {log:q}"
