"""Train one network and write its curve."""

from pathlib import Path

from convstudy.core import gpus
from convstudy.data.dataset import load_arrays
from convstudy.layers.networks import Networks
from convstudy.provenance.job import job
from convstudy.training.curve import Curve

with job(snakemake, stoppable=True), gpus.lease(snakemake.resources):
    params, model = snakemake.params, snakemake.wildcards.model
    dataset = load_arrays(Path(snakemake.input.data).parent)
    dataset.verify()
    curve = Curve(
        Path(params.store),
        Networks.of(params.model).kinds_of(model),
        int(snakemake.wildcards.replicate),
        params.model,
        params.training,
        params.epochs,
        dataset,
    )
    curve.train(params.epochs, params.trained_for)
    curve.export(snakemake.output[0], model, params.epochs)
