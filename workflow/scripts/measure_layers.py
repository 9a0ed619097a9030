"""Measure single layers by channels and feature-map size."""

from convstudy.analyses.timing import measuring
from convstudy.core import gpus
from convstudy.core.files import write_csv
from convstudy.provenance.job import job
from convstudy.training.engine import backends

with job(snakemake), gpus.lease(snakemake.resources):
    training = snakemake.params.training
    device = backends.use_backend(
        training["backend"], training["device"], training["threads"], training["precision"]
    )
    table = measuring.measure_layers(
        snakemake.params.model, training, snakemake.params.timing, device
    )
    write_csv(snakemake.output[0], table)
