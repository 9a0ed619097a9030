"""Find CIFAR-10 and write it as arrays."""

from pathlib import Path

from convstudy.data.dataset import prepare
from convstudy.provenance.job import job

with job(snakemake):
    params = snakemake.params
    prepare(params.settings, params.directory, Path(snakemake.output.summary).parent)
