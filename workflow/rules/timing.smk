"""Measured times of modules and layers. Made on demand by `measure_times`."""


rule measure_modules:
    """Measure inference and training of all modules, in turn."""
    input:
        data=rules.prepare_dataset.output.summary,
    output:
        "results/timing/modules.csv",
    log:
        "results/logs/measure_modules.log",
    benchmark:
        "results/benchmarks/measure_modules.tsv"
    threads: whole_machine
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        model=config["model"],
        training=config["training"],
        timing=config["timing"],
        code=code_of("measure_modules"),
    message:
        "Measuring the modules"
    script:
        "../scripts/measure_modules.py"


rule measure_layers:
    """Measure single layers over channels and feature-map sizes."""
    output:
        layers="results/timing/layers.csv",
        repeats="results/timing/layer_repeats.csv",
    log:
        "results/logs/measure_layers.log",
    benchmark:
        "results/benchmarks/measure_layers.tsv"
    threads: whole_machine
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        training=config["training"],
        timing=config["timing"],
        code=code_of("measure_layers"),
    message:
        "Measuring the layers"
    script:
        "../scripts/measure_layers.py"


rule measure_times:
    """Compare times with counts: of modules, and where separable layers begin to be faster."""
    input:
        modules=rules.measure_modules.output,
        repeats=rules.measure_layers.output.repeats,
        layers=rules.measure_layers.output.layers,
    output:
        correlations="results/timing/correlations.csv",
        crossover="results/timing/crossover.csv",
        about="results/timing/about.json",
    log:
        "results/logs/measure_times.log",
    benchmark:
        "results/benchmarks/measure_times.tsv"
    params:
        settings=extras.settings("timing", config),
        code=code_of("measure_times"),
    message:
        "Comparing times with counts"
    script:
        "../scripts/measure_times.py"
