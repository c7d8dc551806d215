rule train:
    input:
        data=lambda w: [f"results/data/{d}/manifest.json" for d in trained_on(w)],
        stores=lambda w: [
            f"results/embeddings/{d}/{w.backbone}/{role}/manifest.json"
            for d in trained_on(w)
            for role in ("corpus", "queries")
        ],
        negatives=lambda w: [
            f"results/negatives/{d}/{w.backbone}.safetensors" for d in trained_on(w)
        ],
        previous=previous_stage,
    output:
        stage=f"{RUN}/{{stage}}/compressor.safetensors",
        record=f"{RUN}/{{stage}}/record.json",
    log:
        "results/logs/train/{dataset}.{backbone}.{method}.seed{seed}.{stage}.log",
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
            labels=CONFIG.run(w.method).labels,
            vectors=CONFIG.training_vectors.model_dump(mode="json"),
        ),
        previous=lambda w, input: (
            f"--previous {input.previous}" if input.previous else ""
        ),
        sources=lambda w: " ".join(
            f"--data results/data/{d} --embeddings results/embeddings/{d}/{w.backbone}"
            f" --negatives results/negatives/{d}/{w.backbone}.safetensors"
            for d in trained_on(w)
        ),
        code=lambda w: source_hash(
            "smec.jobs.train", f"smec.compressors.{CONFIG.method_of(w.method)}"
        ),
    shell:
        "python -m smec train --spec {params.spec:q} {params.sources} {params.previous}"
        " --output {output.stage:q} 2> {log:q}"
