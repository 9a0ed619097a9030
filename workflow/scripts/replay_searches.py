"""Score the replayed studies of all designs."""

from pathlib import Path

import pandas as pd
from convstudy.analyses.replay import contrasts, draws, studies
from convstudy.analyses.replay import numbers as replay
from convstudy.core.files import write_csv
from convstudy.provenance.job import job

with job(snakemake):
    output, designs = snakemake.output, studies.designs()
    recorded = studies.read_curves(pd.read_csv(snakemake.input.curves))
    trials = {designs[Path(path).stem]: pd.read_csv(path) for path in snakemake.input.trials}
    replayed = {None: {name: trials[designs[way]] for name, way in draws.DESIGNS.items()}}
    for path in map(Path, snakemake.input.left_out):
        objective = designs[path.stem].objective
        replayed.setdefault(int(path.parent.name), {})[objective] = pd.read_csv(path)
    if output.get("draws"):
        write_csv(output.draws, draws.tabulate(replayed, recorded))
    resampled = {Path(path).stem: pd.read_csv(path) for path in snakemake.input.resampled}
    whole = {name: trials[designs[name]] for name in resampled}
    compared = contrasts.tabulate(whole, resampled, recorded, snakemake.params.penalty)
    write_csv(output.contrasts, compared)
    table = pd.read_csv(snakemake.input.table)
    for name, scored in replay.collect(trials, table, snakemake.params.penalty).items():
        if output.get(name):
            write_csv(output[name], scored)
