"""Check the worked examples, the identities and the grid."""

from convstudy.core.files import write_csv
from convstudy.layers.examples import check_examples
from convstudy.layers.verification import check_grid, check_identities, require_all_passed
from convstudy.provenance.job import job
from convstudy.training.engine.backends import use_backend

with job(snakemake):
    use_backend(snakemake.params.backend, device="cpu", precision="float64")
    tables = {"examples": check_examples(), "identities": check_identities(), "grid": check_grid()}
    for name, table in tables.items():
        write_csv(snakemake.output[name], table)
    require_all_passed(**tables)
