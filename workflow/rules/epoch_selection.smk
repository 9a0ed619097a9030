"""How much choosing the epoch on the test images inflates accuracy."""


rule measure_optimism:
    """Compare ways of choosing an epoch, and the single-kind networks pair by pair."""
    input:
        kinds=rules.summarise_training.input,
        modules=module_trainings,
    output:
        choices="results/epoch_selection/choices.csv",
        summary="results/epoch_selection/summary.csv",
        differences="results/epoch_selection/differences.csv",
    log:
        "results/logs/measure_optimism.log",
    benchmark:
        "results/benchmarks/measure_optimism.tsv"
    params:
        code=code_of("measure_optimism"),
    message:
        "Measuring how much choosing the epoch inflates accuracy"
    script:
        "../scripts/measure_optimism.py"


ANALYSES["epoch_selection"] = rules.measure_optimism.output
