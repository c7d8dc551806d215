rule evaluate:
    input:
        data="results/data/{dataset}/manifest.json",
        corpus=store_of("corpus"),
        queries=store_of("queries"),
        stages=stage_files,
    output:
        "results/metrics/{dataset}/{backbone}/{method}/seed{seed}.parquet",
    log:
        "results/logs/evaluate/{dataset}.{backbone}.{method}.seed{seed}.log",
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    params:
        spec=lambda w: as_spec(
            method=CONFIG.method_of(w.method),
            backbone=backbone_of(w),
            sizes=sizes_of(w),
            block_rows=CONFIG.search_block_rows,
        ),
        embeddings=subpath(input.corpus, ancestor=2),
        code=lambda w: source_hash(
            "smec.jobs.evaluate", f"smec.compressors.{CONFIG.method_of(w.method)}"
        ),
    shell:
        "python -m smec evaluate --spec {params.spec:q} --data $(dirname {input.data:q})"
        " --embeddings {params.embeddings:q} --output {output:q} {input.stages:q} 2> {log:q}"
