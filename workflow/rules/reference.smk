"""Recorded runs: `snakemake results/reference/NAME/reference.json` keeps this one under a name."""


rule record_reference:
    """Copy this run's small text files, with the config that runs it again."""
    input:
        RESULTS,
        run=rules.record_run.output.run,
        claims=rules.check_claims.output,
    output:
        "results/reference/{name}/reference.json",
    log:
        "results/logs/record_reference/{name}.log",
    wildcard_constraints:
        name="[a-z0-9-]+",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        names=[*result_files(STUDIES, EXTRAS), "claims.csv"],
    message:
        "Recording this run as results/reference/{wildcards.name}"
    script:
        "../scripts/record_reference.py"
