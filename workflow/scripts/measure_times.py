"""Combine the measured times, and compare them with counts."""

import pandas as pd
from convstudy.analyses.timing import numbers as timing
from convstudy.core.files import write_csv
from convstudy.layers.networks import Networks
from convstudy.provenance.job import job

with job(snakemake):
    output = snakemake.output
    modules, layers = (
        [pd.read_csv(path) for path in snakemake.input[name]] for name in ("modules", "layers")
    )
    combined = timing.combine(modules, list(timing.TIMES.values()))
    write_csv(output.modules, combined)
    write_csv(output.layers, timing.combine(layers, ["ms"]))
    write_csv(output.correlations, timing.correlations(combined))
    write_csv(output.crossover, timing.crossovers(layers, Networks.of(snakemake.params.model)))
