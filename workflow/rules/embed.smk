rule pretrain:
    input:
        data=training_set,
        architecture=architecture_of,
    output:
        config="results/models/{model}/open_clip_config.json",
        weights="results/models/{model}/open_clip_model.safetensors",
        record="results/models/{model}/record.json",
    log:
        "results/logs/pretrain/{model}.log",
    benchmark:
        "results/benchmarks/pretrain/{model}.tsv"
    wildcard_constraints:
        model=one_of(trained_models()),
    priority: FIRST
    conda:
        "../../envs/gpu.yaml"
    threads: 8
    params:
        spec=lambda w: as_spec(backbone=CONFIG.backbones[trained_models()[w.model]]),
        code=source_hash("smec.jobs.pretrain"),
    shell:
        "python -m smec pretrain --spec {params.spec:q} --data $(dirname {input.data:q})"
        " --output $(dirname {output.record:q}) 2> {log:q}"


rule embed:
    input:
        data="results/data/{dataset}/manifest.json",
        model=model_files,
    output:
        "results/embeddings/{dataset}/{backbone}/{role}/manifest.json",
    log:
        "results/logs/embed/{dataset}.{backbone}.{role}.log",
    benchmark:
        "results/benchmarks/embed/{dataset}.{backbone}.{role}.tsv"
    priority: FIRST
    conda:
        "../../envs/gpu.yaml"
    threads: 8
    resources:
        gpu=CONFIG.embed_gpus,
    params:
        spec=lambda w: as_spec(
            backbone=CONFIG.backbones[w.backbone],
            role=w.role,
            **CONFIG.store.model_dump(mode="json"),
        ),
        code=lambda w: source_hash(
            "smec.jobs.embed", module_of(backbones, CONFIG.backbones[w.backbone])
        ),
    shell:
        "python -m smec embed --spec {params.spec:q} --data $(dirname {input.data:q})"
        " --output $(dirname {output:q}) 2> {log:q}"


# Vectors that a server computes or the dataset brings: no GPU is held for them, and only one job at a time asks a server,
# whose limits are on all of them together.
use rule embed as embed_without_model with:
    wildcard_constraints:
        backbone=one_of(backbones_without_model()),
    threads: 1
    resources:
        gpu=0,
        api=lambda w: int(CONFIG.backbones[w.backbone].get("kind") == "openai"),


# Large corpora, where `embed_jobs` of an experiment is above 1: each job writes its part of the shards.
rule embed_part:
    input:
        data="results/data/{dataset}/manifest.json",
        model=model_files,
    output:
        temp(
            "results/embeddings/{dataset}/{backbone}/{role}/part-{part}-of-{parts}.json"
        ),
    log:
        "results/logs/embed/{dataset}.{backbone}.{role}.{part}-of-{parts}.log",
    benchmark:
        "results/benchmarks/embed/{dataset}.{backbone}.{role}.{part}-of-{parts}.tsv"
    priority: FIRST
    conda:
        "../../envs/gpu.yaml"
    threads: 8
    resources:
        gpu=CONFIG.embed_gpus,
    params:
        spec=lambda w: as_spec(
            backbone=CONFIG.backbones[w.backbone],
            role=w.role,
            part=int(w.part),
            parts=int(w.parts),
            **CONFIG.store.model_dump(mode="json"),
        ),
        code=lambda w: source_hash(
            "smec.jobs.embed", module_of(backbones, CONFIG.backbones[w.backbone])
        ),
    shell:
        "python -m smec embed-part --spec {params.spec:q} --data $(dirname {input.data:q})"
        " --output {output:q} 2> {log:q}"


rule gather:
    input:
        parts_of_store,
    output:
        "results/embeddings/{dataset}/{backbone}/{role}/manifest.json",
    log:
        "results/logs/gather/{dataset}.{backbone}.{role}.log",
    wildcard_constraints:
        dataset=dataset_of_shared_store(),
    priority: FIRST
    conda:
        "../../envs/cpu.yaml"
    params:
        code=source_hash("smec.jobs.gather"),
    shell:
        "python -m smec gather {input:q} --output $(dirname {output:q}) 2> {log:q}"


ruleorder: gather > embed_without_model > embed


rule mine:
    input:
        data="results/data/{dataset}/manifest.json",
        corpus="results/embeddings/{dataset}/{backbone}/corpus/manifest.json",
        queries="results/embeddings/{dataset}/{backbone}/queries/manifest.json",
    output:
        "results/negatives/{dataset}/{backbone}.safetensors",
    log:
        "results/logs/mine/{dataset}.{backbone}.log",
    priority: FIRST
    conda:
        "../../envs/cpu.yaml"
    threads: 8
    params:
        spec=lambda w: as_spec(
            backbone=CONFIG.backbones[w.backbone],
            count=CONFIG.mined_negatives,
            block_rows=CONFIG.search_block_rows,
        ),
        embeddings=subpath(input.corpus, ancestor=2),
        code=source_hash("smec.jobs.mine"),
    shell:
        "python -m smec mine --spec {params.spec:q} --data $(dirname {input.data:q})"
        " --embeddings {params.embeddings:q} --output {output:q} 2> {log:q}"
