rule table:
    input:
        scores=score_files,
    output:
        csv=report(
            "results/tables/{view}.csv",
            caption="../report/scores.rst",
            category="Main result",
            labels={"view": "{view}", "as": "table"},
        ),
        md="results/tables/{view}.md",
        tex="results/tables/{view}.tex",
    log:
        "results/logs/table/{view}.log",
    conda:
        "../../envs/cpu.yaml"
    params:
        spec=view_spec,
        stem=subpath(output.csv, strip_suffix=".csv"),
        code=source_hash("smec.jobs.table"),
    shell:
        "python -m smec table --spec {params.spec:q} --output {params.stem:q} {input.scores:q} 2> {log:q}"


rule figure:
    input:
        "results/tables/{view}.csv",
    output:
        pdf="results/figures/{view}.pdf",
        png=report(
            "results/figures/{view}.png",
            caption="../report/quality.rst",
            category="Main result",
            labels={"view": "{view}", "as": "figure"},
        ),
    log:
        "results/logs/figure/{view}.log",
    conda:
        "../../envs/cpu.yaml"
    params:
        stem=subpath(output.pdf, strip_suffix=".pdf"),
        paper=paper_option,
        code=source_hash("smec.jobs.figure"),
    shell:
        "python -m smec figure {input:q} --output {params.stem:q} {params.paper} 2> {log:q}"


rule report:
    input:
        page_files(),
    output:
        "results/report.html",
    log:
        "results/logs/report.log",
    conda:
        "../../envs/cpu.yaml"
    params:
        spec=lambda w: page_spec(),
        code=source_hash("smec.jobs.report"),
        page=data_hash("smec.reporting.page"),
    shell:
        "python -m smec report --spec {params.spec:q} --results results --output {output:q} 2> {log:q}"
