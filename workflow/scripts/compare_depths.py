"""Compare stacks of layers by accuracy and by what they cost."""

from pathlib import Path

import pandas as pd
from convstudy.analyses.depth import numbers as depth
from convstudy.analyses.timing import numbers as timing
from convstudy.core.files import write_csv
from convstudy.layers.networks import Networks
from convstudy.provenance.job import job
from convstudy.training.record import load_description

with job(snakemake):
    inputs, output, model = snakemake.input, snakemake.output, snakemake.params.model
    networks = Networks.of(model)
    described = [
        {**load_description(path), "layers": int(Path(path).parent.name)}
        for path in inputs.trainings
    ]
    trainings = depth.tabulate(described, networks, model["width"])
    times = timing.combine([pd.read_csv(path) for path in inputs.times], ["fps"])
    summary = depth.summarise(trainings, times)
    write_csv(output.trainings, trainings)
    write_csv(output.summary, summary)
    write_csv(output.contrasts, depth.contrasts(trainings, networks.reference))
    write_csv(output.crossings, depth.crossings(trainings, summary, networks.reference))
