"""Hash the results again and compare them with the jobs' records."""

from pathlib import Path

from convstudy import records
from convstudy.logs import job

with job(snakemake):
    records.require_as_recorded(Path(), snakemake.params.codes)
