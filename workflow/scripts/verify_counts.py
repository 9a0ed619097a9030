"""Compare closed-form counts with Keras and with the article."""

from convstudy import counts
from convstudy.engine import use_backend
from convstudy.files import write_csv
from convstudy.logs import job

with job(snakemake):
    use_backend(snakemake.params.backend, device="cpu")
    table = counts.verify(snakemake.params.width)
    write_csv(snakemake.output[0], table)
    counts.require_agreement(table)
