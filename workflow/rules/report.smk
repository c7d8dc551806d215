rule table:
    input:
        scores=score_files,
    output:
        multiext("results/tables/{view}.{dataset}.{backbone}", ".csv", ".md", ".tex"),
    log:
        "results/logs/table/{view}.{dataset}.{backbone}.log",
    conda:
        "../../envs/cpu.yaml"
    params:
        spec=view_spec,
        code=source_hash("smec.jobs.table"),
    shell:
        "python -m smec table --spec {params.spec:q} --output $(dirname {output[0]:q})/$(basename {output[0]:q} .csv)"
        " {input.scores:q} 2> {log:q}"


rule figure:
    input:
        scores=score_files,
    output:
        report(
            multiext("results/figures/{view}.{dataset}.{backbone}", ".png", ".pdf"),
            caption="../report/quality.rst",
            category="{dataset}, {backbone}",
            labels={"view": "{view}"},
        ),
    log:
        "results/logs/figure/{view}.{dataset}.{backbone}.log",
    conda:
        "../../envs/cpu.yaml"
    params:
        spec=view_spec,
        code=source_hash("smec.jobs.figure"),
    shell:
        "python -m smec figure --spec {params.spec:q} --output $(dirname {output[0]:q})/$(basename {output[0]:q} .png)"
        " {input.scores:q} 2> {log:q}"
