"""Check the worked examples, the identities and the grid."""

from convstudy.engine import use_backend
from convstudy.examples import check_examples
from convstudy.files import write_csv
from convstudy.logs import job
from convstudy.verification import check_grid, check_identities, require_all_passed

with job(snakemake):
    use_backend(snakemake.params.backend, device="cpu", precision="float64")
    tables = {
        "examples": check_examples(),
        "identities": check_identities(),
        "grid": check_grid(),
    }
    for name, table in tables.items():
        write_csv(snakemake.output[name], table)
    require_all_passed(**tables)
