"""Draw all figures."""

from pathlib import Path

from convstudy.provenance.job import job
from convstudy.report.parts import draw_figures
from convstudy.results.run import Results

with job(snakemake):
    draw_figures(
        Results(Path(snakemake.input.run).parent),
        Path(snakemake.output[0]).parent,
        snakemake.params.language,
    )
