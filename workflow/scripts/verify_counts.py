"""Compare closed-form counts with Keras and with the article."""

from convstudy.core.files import write_csv
from convstudy.layers import counts
from convstudy.layers.networks import Networks
from convstudy.provenance.job import job
from convstudy.training.engine.backends import use_backend

with job(snakemake):
    params = snakemake.params
    use_backend(params.backend, device="cpu")
    table = counts.verify(Networks.of(params.model), params.model["width"])
    write_csv(snakemake.output[0], table)
    counts.require_agreement(table)
