"""The exhaustive table: every module, several times. Made on demand by `tabulate_modules`."""

from convstudy import extras, models


rule train_module:
    """Train one module, or read its curve from the store."""
    input:
        data=rules.prepare_dataset.output.summary,
    output:
        "results/exhaustive/trainings/{model}_{replicate}.json",
    log:
        "results/logs/train_module/{model}_{replicate}.log",
    benchmark:
        "results/benchmarks/train_module/{model}_{replicate}.tsv"
    wildcard_constraints:
        model="|".join(models.modules()),
    conda:
        "../../environment.yml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=growing(6000),
        runtime=growing(24 * 60),
    params:
        store="results/.state/curves",
        model=config["model"],
        training=config["training"],
        epochs=config["exhaustive"]["epochs"],
        trained_for="exhaustive",
        code=code_of("train_model"),
    message:
        "Training the module {wildcards.model}, replicate {wildcards.replicate}"
    script:
        "../scripts/train_model.py"


rule tabulate_modules:
    """Tabulate all modules with intervals and ranks, as a data set of its own."""
    input:
        trainings=expand(
            rules.train_module.output,
            model=models.modules(),
            replicate=range(config["exhaustive"]["replicates"]),
        ),
        data=rules.prepare_dataset.output.summary,
    output:
        table="results/exhaustive/table.csv",
        curves="results/exhaustive/curves.csv",
        summary="results/exhaustive/summary.csv",
        readme="results/exhaustive/README.md",
        about="results/exhaustive/about.json",
    log:
        "results/logs/tabulate_modules.log",
    benchmark:
        "results/benchmarks/tabulate_modules.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        settings=extras.settings("exhaustive", config),
        code=code_of("tabulate_modules"),
    message:
        "Tabulating the modules"
    script:
        "../scripts/tabulate_modules.py"
