"""Find the best modules for other penalties, and the front of several objectives."""

import pandas as pd
from convstudy.analyses.pareto import numbers as pareto
from convstudy.core.files import write_csv
from convstudy.provenance.job import job

with job(snakemake):
    output, chosen = snakemake.output, snakemake.params.settings
    table = pd.read_csv(snakemake.input.table)
    modules, dof = pareto.joined(table, pd.read_csv(snakemake.input.times))
    write_csv(output.penalties, pareto.penalties(modules, dof, chosen["weights"]))
    write_csv(output.front, pareto.front(modules, dof))
    reached = pareto.replay(table, modules, chosen["trials"], chosen["studies"])
    write_csv(output.hypervolume, reached)
