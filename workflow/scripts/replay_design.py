"""Replay all studies of one design."""

import pandas as pd
from convstudy import replay
from convstudy.files import write_csv
from convstudy.logs import job

with job(snakemake):
    params = snakemake.params
    recorded = replay.read_curves(pd.read_csv(snakemake.input.curves))
    if "replicate" in snakemake.wildcards.keys():  # noqa: SIM118
        recorded = recorded.without(int(snakemake.wildcards.replicate))
    design = replay.designs()[snakemake.wildcards.design]
    trials = replay.replay(design, recorded, params.penalty, **params.settings)
    write_csv(snakemake.output[0], trials)
