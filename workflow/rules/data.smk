rule fetch:
    input:
        source_files,
    output:
        [
            f"results/data/{{dataset}}/{name}.parquet"
            for name in ("corpus", "queries", "qrels", "split")
        ],
        manifest="results/data/{dataset}/manifest.json",
    log:
        "results/logs/fetch/{dataset}.log",
    priority: FIRST
    conda:
        "../../envs/gpu.yaml"
    params:
        spec=lambda w: as_spec(dataset=CONFIG.datasets[w.dataset]),
        code=lambda w: source_hash(
            "smec.jobs.fetch", module_of(datasets, CONFIG.datasets[w.dataset])
        ),
    shell:
        "python -m smec fetch --spec {params.spec:q} --output $(dirname {output.manifest:q}) 2> {log:q}"
