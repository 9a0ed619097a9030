"""Execute the report's notebook and render it as HTML."""

import os
from pathlib import Path

from convstudy.logs import job
from convstudy.rendering import render

with job(snakemake):
    folder = Path(snakemake.output.notebook).parent
    render(
        text=Path(snakemake.input.text),
        extras=[Path(path) for path in snakemake.input.extras],
        template=Path(snakemake.input.template[0]).parent,
        # Seen from the notebook's own folder, so that no folder of this machine stands in it.
        parameters={
            "results": os.path.relpath(Path(snakemake.input.run).parent, folder),
            "captions": os.path.relpath(Path(snakemake.input.captions[0]).parent, folder),
        },
        title=snakemake.params.title,
        executed=Path(snakemake.output.notebook),
        html=Path(snakemake.output.html),
    )
