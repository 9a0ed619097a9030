"""Hash the results again and compare them with the jobs' records."""

from pathlib import Path

from convstudy.provenance import job_records
from convstudy.provenance.job import job

with job(snakemake):
    job_records.require_as_recorded(Path(), snakemake.params.codes)
