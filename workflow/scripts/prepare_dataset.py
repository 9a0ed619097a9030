"""Find the images and write them as arrays."""

from pathlib import Path

from convstudy.data.dataset import prepare
from convstudy.provenance.job import job

with job(snakemake):
    params = snakemake.params
    folder = Path(snakemake.output.summary).parent
    networks = {"shape": params.shape, "classes": params.classes}
    prepare(params.settings | networks, params.directory, folder, Path(params.memory))
