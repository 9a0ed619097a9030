"""Check a run against its records, and pack it."""

from pathlib import Path

from convstudy.provenance import archive, job_records
from convstudy.provenance.job import job

with job(snakemake):
    job_records.require_as_recorded(Path(), snakemake.params.codes)
    archive.pack(Path(), Path(snakemake.output[0]))
