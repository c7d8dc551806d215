# Runs that train the backbone itself: their vectors are those of the trained model, encoded for the run alone.
ruleorder: finetune > train


rule finetune:
    input:
        data="results/data/{dataset}/manifest.json",
        corpus="results/embeddings/{dataset}/{backbone}/corpus/manifest.json",
        queries="results/embeddings/{dataset}/{backbone}/queries/manifest.json",
        negatives="results/negatives/{dataset}/{backbone}.safetensors",
        files=model_files,
    output:
        stage=f"{RUN}/all/compressor.safetensors",
        record=f"{RUN}/all/record.json",
        model=directory(f"{RUN}/all/model"),
    log:
        "results/logs/finetune/{dataset}.{backbone}.{method}.seed{seed}.log",
    benchmark:
        "results/benchmarks/finetune/{dataset}.{backbone}.{method}.seed{seed}.tsv"
    wildcard_constraints:
        method=rf"({one_of(finetuned_entries())})({FOLDER_SEPARATOR}[^/]+)?",
    conda:
        "../../envs/gpu.yaml"
    threads: 8
    resources:
        gpu=CONFIG.embed_gpus,
    params:
        spec=lambda w: as_spec(
            method=CONFIG.method_of(w.method),
            backbone=CONFIG.backbones[w.backbone],
            options=CONFIG.options_of(w.method),
            sizes=sizes_of(w),
            seed=int(w.seed),
            max_documents=CONFIG.max_training_documents,
            labels=CONFIG.run(w.method).labels,
        ),
        embeddings=subpath(input.corpus, ancestor=2),
        code=lambda w: source_hash(
            "smec.jobs.finetune", f"smec.compressors.{CONFIG.method_of(w.method)}"
        ),
    shell:
        "python -m smec finetune --spec {params.spec:q} --data $(dirname {input.data:q})"
        " --embeddings {params.embeddings:q} --negatives {input.negatives:q} --output {output.stage:q} 2> {log:q}"


rule embed_finetuned:
    input:
        data="results/data/{dataset}/manifest.json",
        model=f"{RUN}/all/model",
    output:
        f"{RUN}/embeddings/{{role}}/manifest.json",
    log:
        "results/logs/embed_finetuned/{dataset}.{backbone}.{method}.seed{seed}.{role}.log",
    benchmark:
        "results/benchmarks/embed_finetuned/{dataset}.{backbone}.{method}.seed{seed}.{role}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 8
    resources:
        gpu=CONFIG.embed_gpus,
    params:
        spec=lambda w: as_spec(
            backbone=backbone_of(w),
            role=w.role,
            **CONFIG.store.model_dump(mode="json"),
        ),
        code=lambda w: source_hash(
            "smec.jobs.embed", module_of(backbones, CONFIG.backbones[w.backbone])
        ),
    shell:
        "python -m smec embed --spec {params.spec:q} --data $(dirname {input.data:q})"
        " --output $(dirname {output:q}) 2> {log:q}"
