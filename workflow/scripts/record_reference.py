"""Keep this run's small text files for others to compare with."""

from pathlib import Path

from convstudy import recorded
from convstudy.logs import job
from convstudy.results import Results

with job(snakemake):
    results = Results(Path(snakemake.input.run).parent)
    recorded.record(results, snakemake.params.names, Path(snakemake.output[0]).parent)
