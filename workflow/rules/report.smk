"""Figures, tables and the report."""


rule record_run:
    """Record what produced these results: settings, reductions, code, versions and machine."""
    output:
        run="results/run.json",
        provenance="results/provenance.json",
    params:
        # The report's look is no part of what produced the results.
        config={section: config[section] for section in config if section != "report"},
        article="config/article.yaml",
        code=code_digest(),
    log:
        "results/logs/record_run.log",
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    message:
        "Recording settings, versions and machine"
    script:
        "../scripts/record_run.py"
