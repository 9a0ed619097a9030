"""Train one network and write its curve."""

from pathlib import Path

from convstudy import counts, gpus, models
from convstudy.curves import Curve
from convstudy.data import load_arrays
from convstudy.files import write_sealed
from convstudy.logs import job

with job(snakemake, stoppable=True), gpus.lease(snakemake.resources):
    params, model = snakemake.params, snakemake.wildcards.model
    dataset = load_arrays(Path(snakemake.input.data).parent)
    dataset.verify()
    curve = Curve(
        Path(params.store),
        counts.all_models()[model],
        int(snakemake.wildcards.replicate),
        params.model,
        params.training,
        params.epochs,
        dataset,
    )
    curve.train(params.epochs, params.trained_for)
    write_sealed(
        snakemake.output[0],
        {
            "model": model,
            "parameters": models.parameters(curve.kinds, params.model["width"]),
            **curve.describe(params.epochs),
        },
    )
