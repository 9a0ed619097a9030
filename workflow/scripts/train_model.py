"""Train one single-kind network and write its curve."""

from pathlib import Path

from convstudy import gpus, models
from convstudy.curves import Curve
from convstudy.data import load_arrays
from convstudy.files import write_sealed
from convstudy.logs import job

with job(snakemake, stoppable=True), gpus.lease(snakemake.resources):
    params, kind = snakemake.params, snakemake.wildcards.kind
    dataset = load_arrays(Path(snakemake.input.data).parent)
    dataset.verify()
    curve = Curve(
        Path(params.store),
        models.single_kind_models()[kind],
        int(snakemake.wildcards.replicate),
        params.model,
        params.training,
        params.training["epochs"],
        dataset,
    )
    curve.train(params.training["epochs"], trained_for="training")
    write_sealed(
        snakemake.output[0],
        {
            "kind": kind,
            "parameters": models.parameters(curve.kinds, params.model["width"]),
            **curve.describe(params.training["epochs"]),
        },
    )
