"""Find CIFAR-10 and write it as arrays."""

from pathlib import Path

from convstudy.data import prepare
from convstudy.logs import job

with job(snakemake):
    params = snakemake.params
    prepare(params.settings, params.directory, Path(snakemake.output.summary).parent)
