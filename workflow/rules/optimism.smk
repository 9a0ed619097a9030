"""Honest accuracy: what choosing the epoch on the test images adds. Made by `measure_optimism`."""


rule measure_optimism:
    """Compare ways of choosing an epoch, and the single-kind networks pair by pair."""
    input:
        kinds=rules.summarise_training.input,
        modules=rules.tabulate_modules.input.trainings,
    output:
        choices="results/optimism/choices.csv",
        summary="results/optimism/summary.csv",
        differences="results/optimism/differences.csv",
        about="results/optimism/about.json",
    log:
        "results/logs/measure_optimism.log",
    benchmark:
        "results/benchmarks/measure_optimism.tsv"
    params:
        settings=extras.settings("optimism", config),
        code=code_of("measure_optimism"),
    message:
        "Measuring what the choice of the epoch adds to an accuracy"
    script:
        "../scripts/measure_optimism.py"
