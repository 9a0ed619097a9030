"""Count every model and its layers in closed form."""

from convstudy.core.files import write_csv
from convstudy.layers import counts
from convstudy.provenance.job import job

with job(snakemake):
    write_csv(snakemake.output.models, counts.count_models(snakemake.params.width))
    write_csv(snakemake.output.layers, counts.count_layers())
