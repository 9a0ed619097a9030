"""Judge the claims from a run's tables."""

from pathlib import Path

from convstudy.claims import ledger, verdicts
from convstudy.core.files import write_csv
from convstudy.provenance.job import job
from convstudy.results.run import Results

with job(snakemake):
    results = Results(Path(snakemake.input.run).parent)
    listed = ledger.load_all(snakemake.input.article, snakemake.input.own)
    write_csv(snakemake.output[0], verdicts.check(results, listed, snakemake.params.article))
