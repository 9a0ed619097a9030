"""The three single-kind networks."""


wildcard_constraints:
    replicate=r"\d+",


rule train_model:
    """Train one single-kind network, or read its curve from the store."""
    input:
        data=rules.prepare_dataset.output.summary,
    output:
        "results/training/curves/{model}_{replicate}.json",
    log:
        "results/logs/train_model/{model}_{replicate}.log",
    benchmark:
        "results/benchmarks/train_model/{model}_{replicate}.tsv"
    wildcard_constraints:
        model="|".join(NETWORKS.kinds),
    priority: 1
    threads: config["training"]["threads"]
    resources:
        mem_mb=scale_with_attempt(6000),
        runtime=scale_with_attempt(24 * 60),
    params:
        store="results/.state/curves",
        model=config["model"],
        training=config["training"],
        epochs=config["training"]["epochs"],
        trained_for="training",
        code=code_of("train_model"),
    message:
        "Training the {wildcards.model} network, replicate {wildcards.replicate}"
    script:
        "../scripts/train_model.py"


rule summarise_training:
    """Collect the single-kind curves in two tables."""
    input:
        expand(
            rules.train_model.output,
            model=NETWORKS.kinds,
            replicate=range(config["training"]["replicates"]),
        ),
    output:
        summary="results/training/summary.csv",
        curves="results/training/curves.csv",
    log:
        "results/logs/summarise_training.log",
    localrule: True
    params:
        code=code_of("summarise_training"),
    message:
        "Collecting the single-kind trainings"
    script:
        "../scripts/summarise_training.py"
