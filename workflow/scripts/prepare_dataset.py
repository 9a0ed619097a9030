"""Find CIFAR-10 and write it as arrays."""

from pathlib import Path

from convstudy.data.dataset import prepare
from convstudy.provenance.job import job

with job(snakemake):
    params = snakemake.params
    folder = Path(snakemake.output.summary).parent
    prepare(params.settings, params.directory, folder, Path(params.memory))
