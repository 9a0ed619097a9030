"""Measure single layers over channels and feature-map sizes."""

from convstudy import engine, gpus, timing
from convstudy.files import write_csv
from convstudy.logs import job

with job(snakemake), gpus.lease(snakemake.resources):
    training = snakemake.params.training
    device = engine.use_backend(
        training["backend"], training["device"], training["threads"], training["precision"]
    )
    table = timing.measure_layers(training, snakemake.params.timing, device)
    write_csv(snakemake.output[0], table)
