"""Pack a run, once it is as recorded."""

from pathlib import Path

from convstudy import archive, records
from convstudy.logs import job

with job(snakemake):
    records.require_as_recorded(Path(), snakemake.params.codes)
    archive.pack(Path(), Path(snakemake.output[0]))
