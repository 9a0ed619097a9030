"""Execute the report's notebook and render it as HTML."""

from pathlib import Path

from convstudy.provenance.job import job
from convstudy.report.rendering import render
from convstudy.results.run import Results

with job(snakemake):
    render(
        Results(Path(snakemake.input.run).parent),
        title=snakemake.params.title,
        language=snakemake.params.language,
        executed=Path(snakemake.output.notebook),
        html=Path(snakemake.output.html),
        compared=next(map(Path, snakemake.input.compared), None),
    )
