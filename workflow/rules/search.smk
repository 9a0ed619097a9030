"""The Optuna studies, which share learning curves."""


wildcard_constraints:
    study="|".join(STUDIES),
    worker=r"\d+",


rule search_modules:
    """Run one worker of a study until the study's trials are used up."""
    input:
        data=rules.prepare_dataset.output.summary,
    output:
        "results/search/{study}/workers/{worker}.json",
    log:
        "results/logs/search_modules/{study}_{worker}.log",
    benchmark:
        "results/benchmarks/search_modules/{study}_{worker}.tsv"
    priority: study_priority
    threads: config["training"]["threads"]
    resources:
        mem_mb=scale_with_attempt(6000),
        runtime=scale_with_attempt(24 * 60),
    params:
        state="results/.state",
        settings=study_settings,
        epochs=config["search"]["epochs"],
        workers=config["search"]["workers"],
        storage=config["search"]["storage"],
        model=config["model"],
        training=MODULE_TRAINING,
        code=code_of("search_modules"),
    message:
        "Searching modules: study {wildcards.study}, worker {wildcards.worker}"
    script:
        "../scripts/search_modules.py"


rule export_study:
    """Write a study's trials, their epochs and the five best, and copy Optuna's storage."""
    input:
        workers=expand(
            rules.search_modules.output,
            worker=range(config["search"]["workers"]),
            allow_missing=True,
        ),
        data=rules.prepare_dataset.output.summary,
    output:
        trials="results/search/{study}/trials.csv",
        best="results/search/{study}/best.csv",
        curves="results/search/{study}/curves.csv",
        summary="results/search/{study}/study.json",
        storage="results/search/{study}/study.optuna",
    log:
        "results/logs/export_study/{study}.log",
    localrule: True
    params:
        state="results/.state",
        settings=study_settings,
        epochs=config["search"]["epochs"],
        workers=config["search"]["workers"],
        storage=config["search"]["storage"],
        model=config["model"],
        training=MODULE_TRAINING,
        code=code_of("export_study"),
    message:
        "Exporting study {wildcards.study}"
    script:
        "../scripts/export_study.py"
