"""Find the best modules for other penalties, and the front of several objectives."""

import pandas as pd
from convstudy import pareto
from convstudy.files import write_csv, write_json
from convstudy.logs import job

with job(snakemake):
    output, settings = snakemake.output, snakemake.params.settings
    chosen = settings["pareto"]
    table = pd.read_csv(snakemake.input.table)
    modules, freedom = pareto.joined(table, pd.read_csv(snakemake.input.times))
    write_csv(output.penalties, pareto.penalties(modules, freedom, chosen["weights"]))
    write_csv(output.front, pareto.front(modules, freedom))
    reached = pareto.replay(table, modules, chosen["trials"], chosen["studies"])
    write_csv(output.hypervolume, reached)
    write_json(output.about, {"settings": settings})
