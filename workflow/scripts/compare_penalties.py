"""Find the best module for every weight of the penalty."""

import pandas as pd
from convstudy.analyses.penalties import numbers as penalties
from convstudy.core.files import write_csv
from convstudy.provenance.job import job

with job(snakemake):
    output, penalty = snakemake.output, snakemake.params.penalty
    table = pd.read_csv(snakemake.input.table)
    write_csv(output.envelope, penalties.winners(table, penalty))
    write_csv(output.probabilities, penalties.probabilities(table, penalty))
