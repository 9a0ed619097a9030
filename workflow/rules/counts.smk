"""Parameters and multiply-accumulates of every model, in closed form."""


rule count_parameters:
    """Count the single-kind models and the modules, by model and by layer."""
    output:
        models="results/counts/models.csv",
        layers="results/counts/layers.csv",
    log:
        "results/logs/count_parameters.log",
    benchmark:
        "results/benchmarks/count_parameters.tsv"
    localrule: True
    params:
        model=config["model"],
        code=code_of("count_parameters"),
    message:
        "Counting parameters and multiply-accumulates"
    script:
        "../scripts/count_parameters.py"
