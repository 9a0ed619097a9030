"""Measure inference and training of all modules."""

from convstudy import engine, gpus, timing
from convstudy.files import read_json, write_csv
from convstudy.logs import job

with job(snakemake), gpus.lease(snakemake.resources):
    params = snakemake.params
    training = params.training
    device = engine.use_backend(
        training["backend"], training["device"], training["threads"], training["precision"]
    )
    images = read_json(snakemake.input.data)["used"]["train"]
    table = timing.measure_modules(params.model, training, params.timing, images, device)
    write_csv(snakemake.output[0], table)
