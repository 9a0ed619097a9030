"""Replay all studies of one design."""

import pandas as pd
from convstudy.analyses.replay import studies
from convstudy.core.files import write_csv
from convstudy.provenance.job import job

with job(snakemake):
    params = snakemake.params
    recorded = studies.read_curves(pd.read_csv(snakemake.input.curves))
    if "replicate" in snakemake.wildcards.keys():  # noqa: SIM118
        recorded = recorded.without(int(snakemake.wildcards.replicate))
    design = studies.designs()[snakemake.wildcards.design]
    trials = studies.replay(design, recorded, params.penalty, **params.settings)
    write_csv(snakemake.output[0], trials)
