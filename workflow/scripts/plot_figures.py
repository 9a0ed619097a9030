"""Draw all figures of the results."""

from pathlib import Path

from convstudy.figures import draw_figures
from convstudy.logs import job
from convstudy.results import Results

with job(snakemake):
    draw_figures(Results(Path(snakemake.input.run).parent), Path(snakemake.output[0]).parent)
