"""Figures, tables and the report."""

from convstudy.results.run import result_files, table_names

# All files that the figures, the tables and the report are made from.
RESULTS = [*(f"results/{name}" for name in result_files(STUDIES)), *analysis_files()]
CAPTIONS = analyses.captions(config["analyses"], NETWORKS.is_article)
# Runs that were recorded for others to compare with.
REFERENCES = sorted(str(path) for path in Path("results/reference").glob("*/reference.json"))
COMPARED, OTHER = [], []
if config["report"]["compare"]:
    # It reads tables, which takes time at each start.
    from convstudy.comparison import runs

    # Report a mistake before anything is trained.
    try:
        folder = runs.find(config["report"]["compare"])
        runs.open_run(folder)
        if folder.resolve() == Path("results").resolve():
            raise UserError(f"{folder} is this run itself; name another one")
    except UserError as error:
        sys.exit(f"the config has a mistake:\n  report.compare: {error}")
    COMPARED, OTHER = ["results/comparison.json"], [str(path) for path in runs.sources(folder)]


rule record_run:
    """Record how these results were made: settings, reductions, code, versions and machine.

    A run may be made with the very config that is written here, and its jobs may be reading it.
    """
    input:
        data=rules.prepare_dataset.output.summary,
    output:
        run="results/run.json",
        provenance="results/provenance.json",
        # Replaced, not removed before the job or if it fails.
        config=update("results/config.yaml"),
    log:
        "results/logs/record_run.log",
    localrule: True
    params:
        # The report's settings do not affect the results.
        config={section: config[section] for section in config if section != "report"},
        article=ARTICLE,
        code=code_digest(),
    message:
        "Recording settings, versions and machine"
    script:
        "../scripts/record_run.py"


rule write_tables:
    """Write the report's tables, which compare the run with the article."""
    input:
        RESULTS,
        REFERENCES,
        run=rules.record_run.output.run,
    output:
        [
            report(f"results/tables/{name}.csv", category="Tables", labels={"table": name})
            for name in table_names(STUDIES, NETWORKS.is_article)
        ],
    log:
        "results/logs/write_tables.log",
    benchmark:
        "results/benchmarks/write_tables.tsv"
    localrule: True
    params:
        code=code_of("write_tables"),
    message:
        "Writing the tables"
    script:
        "../scripts/write_tables.py"


rule plot_figures:
    """Draw every figure, as SVG for the report and as PNG."""
    input:
        RESULTS,
        REFERENCES,
        run=rules.record_run.output.run,
    output:
        [
            report(
                f"results/figures/{name}.svg",
                caption=str(path),
                category="Figures",
                labels={"figure": name},
            )
            for name, path in CAPTIONS.items()
        ],
        [f"results/figures/{name}.png" for name in CAPTIONS],
        [f"results/figures/narrow/{name}.svg" for name in CAPTIONS],
    log:
        "results/logs/plot_figures.log",
    benchmark:
        "results/benchmarks/plot_figures.tsv"
    params:
        language=config["report"]["language"],
        # Drawing code is found by its folder, not through imports, so the whole package is hashed.
        code=code_digest(),
    message:
        "Drawing the figures"
    script:
        "../scripts/plot_figures.py"


rule compare_runs:
    """Compare settings, verdicts, accuracies and times with those of another run."""
    input:
        RESULTS,
        OTHER,
        "results/claims.csv",
        run=rules.record_run.output.run,
    output:
        summary="results/comparison.json",
        page="reports/comparison.html",
    log:
        "results/logs/compare_runs.log",
    benchmark:
        "results/benchmarks/compare_runs.tsv"
    localrule: True
    params:
        other=config["report"]["compare"],
        code=code_digest(),
    message:
        "Comparing with {params.other}"
    script:
        "../scripts/compare_runs.py"


rule render_report:
    """Execute the notebook and render it as one HTML file."""
    input:
        RESULTS,
        rules.write_tables.output,
        "results/claims.csv",
        rules.plot_figures.output,
        compared=COMPARED,
        run=rules.record_run.output.run,
    output:
        notebook="reports/report.ipynb",
        html="reports/report.html",
    log:
        "results/logs/render_report.log",
    benchmark:
        "results/benchmarks/render_report.tsv"
    params:
        title=config["report"]["title"],
        language=config["report"]["language"],
        code=code_digest(),
    message:
        "Rendering the report"
    script:
        "../scripts/render_report.py"
