"""Stacks of layers: does depth beat width?"""


use rule train_model as train_stack with:
    output:
        "results/depth/trainings/{layers}/{model}_{replicate}.json",
    log:
        "results/logs/train_stack/{layers}/{model}_{replicate}.log",
    benchmark:
        "results/benchmarks/train_stack/{layers}/{model}_{replicate}.tsv"
    wildcard_constraints:
        layers=r"\d+",
        model="|".join(NETWORKS.kinds),
    priority: 0
    params:
        model=stack_model,
        epochs=config["depth"]["epochs"],
        trained_for="depth",
    message:
        "Training {wildcards.layers} layers of {wildcards.model} per stage, replicate {wildcards.replicate}"


use rule measure_modules as measure_stacks with:
    output:
        "results/depth/processes/stacks_{process}.csv",
    log:
        "results/logs/measure_stacks/{process}.log",
    benchmark:
        "results/benchmarks/measure_stacks/{process}.tsv"
    params:
        training=config["training"],
        networks=NETWORKS.stacks(config["depth"]["most_layers"]),
    message:
        "Measuring the stacks, process {wildcards.process}"


rule compare_depths:
    """Compare stacks of layers by accuracy, parameters, multiply-accumulates and time."""
    input:
        trainings=expand(
            rules.train_stack.output,
            layers=range(1, config["depth"]["most_layers"] + 1),
            model=NETWORKS.kinds,
            replicate=range(config["depth"]["replicates"]),
        ),
        times=expand(rules.measure_stacks.output, process=range(config["timing"]["processes"])),
    output:
        trainings="results/depth/trainings.csv",
        summary="results/depth/summary.csv",
        contrasts="results/depth/contrasts.csv",
        crossings="results/depth/crossings.csv",
    log:
        "results/logs/compare_depths.log",
    benchmark:
        "results/benchmarks/compare_depths.tsv"
    localrule: True
    params:
        model=config["model"],
        code=code_of("compare_depths"),
    message:
        "Comparing the stacks"
    script:
        "../scripts/compare_depths.py"


ANALYSES["depth"] = rules.compare_depths.output
