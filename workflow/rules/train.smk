rule train:
    input:
        data="results/data/{dataset}/manifest.json",
        corpus="results/embeddings/{dataset}/{backbone}/corpus/manifest.json",
        queries="results/embeddings/{dataset}/{backbone}/queries/manifest.json",
        negatives="results/negatives/{dataset}/{backbone}.safetensors",
        previous=previous_stage,
    output:
        stage=f"{RUN}/{{stage}}/compressor.safetensors",
        record=f"{RUN}/{{stage}}/record.json",
    log:
        "results/logs/train/{dataset}.{backbone}.{method}.seed{seed}.{stage}.log",
    benchmark:
        "results/benchmarks/train/{dataset}.{backbone}.{method}.seed{seed}.{stage}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=CONFIG.train_gpus,
    params:
        spec=lambda w: as_spec(
            method=CONFIG.method_of(w.method),
            backbone=CONFIG.backbones[w.backbone],
            options=CONFIG.options_of(w.method),
            sizes=sizes_of(w),
            size=size_of(w.stage),
            seed=int(w.seed),
            max_documents=CONFIG.max_training_documents,
        ),
        previous=lambda w, input: (
            f"--previous {input.previous}" if input.previous else ""
        ),
        embeddings=subpath(input.corpus, ancestor=2),
        code=lambda w: source_hash(
            "smec.jobs.train", f"smec.compressors.{CONFIG.method_of(w.method)}"
        ),
    shell:
        "python -m smec train --spec {params.spec:q} --data $(dirname {input.data:q})"
        " --embeddings {params.embeddings:q} --negatives {input.negatives:q} {params.previous}"
        " --output {output.stage:q} 2> {log:q}"
