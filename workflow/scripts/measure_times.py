"""Compare measured times with counts."""

import pandas as pd
from convstudy import timing
from convstudy.files import write_csv, write_json
from convstudy.logs import job

with job(snakemake):
    modules = pd.read_csv(snakemake.input.modules[0])
    write_csv(snakemake.output.correlations, timing.correlations(modules))
    repeats = pd.read_csv(snakemake.input.repeats)
    write_csv(snakemake.output.crossover, timing.crossovers(repeats))
    write_json(snakemake.output.about, {"settings": snakemake.params.settings})
