"""Execute the report's notebook and render it as HTML."""

from pathlib import Path

from convstudy.logs import job
from convstudy.rendering import render

with job(snakemake):
    render(
        notebook=Path(snakemake.input.notebook),
        extras=[Path(path) for path in snakemake.input.extras],
        template=Path(snakemake.input.template[0]).parent,
        # The notebook runs from any folder.
        parameters={
            "results": str(Path(snakemake.input.run).parent.resolve()),
            "captions": str(Path(snakemake.input.captions[0]).parent.resolve()),
        },
        settings=snakemake.params.settings,
        executed=Path(snakemake.output.notebook),
        html=Path(snakemake.output.html),
    )
