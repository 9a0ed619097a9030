"""Score the replayed studies of all designs."""

from pathlib import Path

import pandas as pd
from convstudy import draws, replay
from convstudy.files import write_csv, write_json
from convstudy.logs import job

with job(snakemake):
    output, settings, designs = snakemake.output, snakemake.params.settings, replay.designs()
    trials = {designs[Path(path).stem]: pd.read_csv(path) for path in snakemake.input.trials}
    replayed = {None: {name: trials[designs[way]] for name, way in draws.DESIGNS.items()}}
    for path in map(Path, snakemake.input.left_out):
        objective = designs[path.stem].objective
        replayed.setdefault(int(path.parent.name), {})[objective] = pd.read_csv(path)
    write_csv(output.draws, draws.tabulate(replayed))
    table = pd.read_csv(snakemake.input.table)
    for name, scored in replay.collect(trials, table, settings["penalty"]).items():
        write_csv(output[name], scored)
    write_json(output.about, {"settings": settings})
