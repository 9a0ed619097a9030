"""Replay all studies of one design."""

from functools import partial
from pathlib import Path

import pandas as pd
from convstudy.analyses.replay import studies
from convstudy.core.files import file_digest, write_text
from convstudy.provenance.job import job

with job(snakemake):
    params, wildcards = snakemake.params, dict(snakemake.wildcards.items())
    recorded = studies.read_curves(pd.read_csv(snakemake.input.curves))
    if "replicate" in wildcards:
        recorded = recorded.without(int(wildcards["replicate"]))
    design = studies.designs()[wildcards["design"]]
    search = studies.replay_resampled if "tables" in params.settings else studies.replay
    replay = partial(search, design, recorded, params.penalty, **params.settings)
    made_from = {
        "curves": file_digest(snakemake.input.curves),
        "penalty": params.penalty,
        "settings": params.settings,
        "code": params.code,
        **wildcards,
    }
    write_text(snakemake.output[0], studies.once(Path(params.store), made_from, replay))
