"""The exhaustive table: every module, several times. Made on demand by `tabulate_modules`."""

from convstudy import extras, models


use rule train_model as train_module with:
    output:
        "results/exhaustive/trainings/{model}_{replicate}.json",
    log:
        "results/logs/train_module/{model}_{replicate}.log",
    benchmark:
        "results/benchmarks/train_module/{model}_{replicate}.tsv"
    wildcard_constraints:
        model="|".join(models.modules()),
    priority: 0
    params:
        epochs=config["exhaustive"]["epochs"],
        trained_for="exhaustive",
    message:
        "Training the module {wildcards.model}, replicate {wildcards.replicate}"


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
    localrule: True
    params:
        settings=extras.settings("exhaustive", config),
        code=code_of("tabulate_modules"),
    message:
        "Tabulating the modules"
    script:
        "../scripts/tabulate_modules.py"
