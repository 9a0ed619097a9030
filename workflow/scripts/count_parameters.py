"""Count every model and its layers in closed form."""

from convstudy.core.files import write_csv
from convstudy.layers import counts
from convstudy.layers.networks import Networks
from convstudy.provenance.job import job

with job(snakemake):
    model = snakemake.params.model
    networks = Networks.of(model)
    write_csv(snakemake.output.models, counts.count_models(networks, model["width"]))
    write_csv(snakemake.output.layers, counts.count_layers(networks))
