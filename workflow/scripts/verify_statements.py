"""Check what the article says of layers, and count MobileNet and Xception."""

from convstudy.core.files import write_csv
from convstudy.layers.families import count_families
from convstudy.layers.statements import check_statements
from convstudy.provenance.job import job
from convstudy.training.engine.backends import use_backend

with job(snakemake):
    use_backend(snakemake.params.backend, device="cpu")
    write_csv(snakemake.output.statements, check_statements())
    write_csv(snakemake.output.families, count_families())
