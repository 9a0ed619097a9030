"""Penalties on time instead of parameters, and several objectives."""


rule find_pareto_front:
    """Find the best modules for other penalties, and the front of error, size and latency."""
    input:
        table=rules.tabulate_modules.output.table,
        times=rules.measure_times.output.modules,
    output:
        front="results/pareto/front.csv",
        penalties="results/pareto/penalties.csv",
        hypervolume="results/pareto/hypervolume.csv",
    log:
        "results/logs/find_pareto_front.log",
    benchmark:
        "results/benchmarks/find_pareto_front.tsv"
    resources:
        mem_mb=1000,
        runtime=scale_with_attempt(30),
    params:
        settings=config["pareto"],
        code=code_of("find_pareto_front"),
    message:
        "Finding the front of error, parameters and latency"
    script:
        "../scripts/find_pareto_front.py"


ANALYSES["pareto"] = rules.find_pareto_front.output
