"""What made which file: the check of the jobs' records, and the archive of a run."""


def codes_of_rules(wildcards):
    """Give the digest of the code that each rule uses, as its jobs record it."""
    return {rule.name: rule.params.get("code") for rule in workflow.rules}


rule verify_provenance:
    """Hash all results again and compare them with the records of the jobs that made them.

    No output, so that it always runs when asked; no input, so that nothing is made anew before.
    """
    log:
        "results/logs/verify_provenance.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        codes=codes_of_rules,
    message:
        "Comparing the results with their jobs' records"
    script:
        "../scripts/verify_provenance.py"
