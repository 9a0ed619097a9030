"""The table of modules: every module, trained several times."""

A_KIND = f"({'|'.join(NETWORKS.kinds)})"
A_MODULE = "-".join([A_KIND] * NETWORKS.module_layers)


use rule train_model as train_module with:
    output:
        "results/module_table/trainings/{model}_{replicate}.json",
    log:
        "results/logs/train_module/{model}_{replicate}.log",
    benchmark:
        "results/benchmarks/train_module/{model}_{replicate}.tsv"
    wildcard_constraints:
        model=A_MODULE,
    priority: 0
    params:
        training=MODULE_TRAINING,
        epochs=config["module_table"]["epochs"],
        trained_for="module_table",
    message:
        "Training the module {wildcards.model}, replicate {wildcards.replicate}"


rule tabulate_modules:
    """Tabulate all modules with intervals and ranks, as a data set of its own."""
    input:
        trainings=module_trainings,
        data=rules.prepare_dataset.output.summary,
    output:
        table="results/module_table/table.csv",
        curves="results/module_table/curves.csv",
        summary="results/module_table/summary.csv",
        readme="results/module_table/README.md",
    log:
        "results/logs/tabulate_modules.log",
    benchmark:
        "results/benchmarks/tabulate_modules.tsv"
    localrule: True
    params:
        settings={
            "model": config["model"],
            "training": MODULE_TRAINING,
            "module_table": config["module_table"],
        },
        code=code_of("tabulate_modules"),
    message:
        "Tabulating the modules"
    script:
        "../scripts/tabulate_modules.py"


ANALYSES["module_table"] = rules.tabulate_modules.output
