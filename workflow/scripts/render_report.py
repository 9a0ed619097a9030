"""Execute the report's notebook and render it as HTML."""

from pathlib import Path

from convstudy.logs import job
from convstudy.rendering import render
from convstudy.results import Results

with job(snakemake):
    render(
        Results(Path(snakemake.input.run).parent),
        title=snakemake.params.title,
        executed=Path(snakemake.output.notebook),
        html=Path(snakemake.output.html),
    )
