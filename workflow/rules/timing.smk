"""Measured times of modules and layers."""

from convstudy.data.settings import train_images


wildcard_constraints:
    process=r"\d+",


rule measure_modules:
    """Measure inference and training of all modules in turn, in one of several processes."""
    output:
        "results/timing/processes/modules_{process}.csv",
    log:
        "results/logs/measure_modules/{process}.log",
    benchmark:
        "results/benchmarks/measure_modules/{process}.tsv"
    threads: all_cores
    resources:
        mem_mb=scale_with_attempt(8000),
        runtime=scale_with_attempt(120),
    params:
        model=config["model"],
        training=MODULE_TRAINING,
        timing=config["timing"],
        # All of them.
        networks=None,
        # Not the images, on which times do not depend.
        images=train_images(config["data"]),
        code=code_of("measure_modules"),
    message:
        "Measuring the modules, process {wildcards.process}"
    script:
        "../scripts/measure_modules.py"


rule measure_layers:
    """Measure single layers by channels and feature-map size, in one of several processes."""
    output:
        "results/timing/processes/layers_{process}.csv",
    log:
        "results/logs/measure_layers/{process}.log",
    benchmark:
        "results/benchmarks/measure_layers/{process}.tsv"
    threads: all_cores
    resources:
        mem_mb=scale_with_attempt(8000),
        runtime=scale_with_attempt(120),
    params:
        # The width does not matter here.
        model={key: config["model"][key] for key in ("kinds", "module_layers", "stages")},
        training=config["training"],
        timing=config["timing"],
        code=code_of("measure_layers"),
    message:
        "Measuring the layers, process {wildcards.process}"
    script:
        "../scripts/measure_layers.py"


rule measure_times:
    """Compare the modules' times with counts, and find where separable layers become faster."""
    input:
        modules=expand(rules.measure_modules.output, process=range(config["timing"]["processes"])),
        layers=expand(rules.measure_layers.output, process=range(config["timing"]["processes"])),
    output:
        modules="results/timing/modules.csv",
        layers="results/timing/layers.csv",
        correlations="results/timing/correlations.csv",
        crossover="results/timing/crossover.csv",
    log:
        "results/logs/measure_times.log",
    benchmark:
        "results/benchmarks/measure_times.tsv"
    localrule: True
    params:
        model={key: config["model"][key] for key in ("kinds", "module_layers", "stages")},
        code=code_of("measure_times"),
    message:
        "Comparing times with counts"
    script:
        "../scripts/measure_times.py"


ANALYSES["timing"] = rules.measure_times.output
