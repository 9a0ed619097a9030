"""Measure inference and training of all modules."""

from convstudy.analyses.timing import measuring
from convstudy.core import gpus
from convstudy.core.files import write_csv
from convstudy.provenance.job import job
from convstudy.training.engine import backends

with job(snakemake), gpus.lease(snakemake.resources):
    params = snakemake.params
    training = params.training
    device = backends.use_backend(
        training["backend"], training["device"], training["threads"], training["precision"]
    )
    table = measuring.measure_modules(
        params.model,
        training,
        params.timing,
        params.images,
        device,
        params.networks,
        only_batches=params.networks is not None,
    )
    write_csv(snakemake.output[0], table)
