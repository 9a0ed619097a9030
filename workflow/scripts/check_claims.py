"""Judge the claims by a run's tables."""

from pathlib import Path

from convstudy import claims, ledger
from convstudy.files import write_csv
from convstudy.logs import job
from convstudy.results import Results

with job(snakemake):
    listed = ledger.load(Path(snakemake.input.claims))
    write_csv(snakemake.output[0], claims.check(Results(Path(snakemake.input.run).parent), listed))
