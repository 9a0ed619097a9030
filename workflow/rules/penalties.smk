"""The best module for every weight of the penalty."""


rule compare_penalties:
    """Find the best module for every weight of the penalty, and how sure that is."""
    input:
        table=rules.tabulate_modules.output.table,
    output:
        envelope="results/penalties/envelope.csv",
        probabilities="results/penalties/probabilities.csv",
    log:
        "results/logs/compare_penalties.log",
    benchmark:
        "results/benchmarks/compare_penalties.tsv"
    localrule: True
    params:
        penalty=settings.penalty(config),
        code=code_of("compare_penalties"),
    message:
        "Finding the best module for every weight of the penalty"
    script:
        "../scripts/compare_penalties.py"


ANALYSES["penalties"] = rules.compare_penalties.output
