"""Record settings, reductions, code, versions and machine."""

from pathlib import Path

from convstudy.core.files import read_json
from convstudy.provenance.job import job
from convstudy.results.run import write_run

with job(snakemake):
    params = snakemake.params
    write_run(
        Path(snakemake.output.run).parent,
        params.config,
        params.article,
        read_json(snakemake.input.data),
    )
