"""Record settings, reductions, code, versions and machine."""

from pathlib import Path

import yaml
from convstudy import provenance, settings
from convstudy.files import read_json, write_json
from convstudy.logs import job

with job(snakemake):
    config = snakemake.params.config
    # Where the images lie on this machine is no part of the study; their digest says what they are.
    config["data"].pop("directory")
    article = yaml.safe_load(Path(snakemake.params.article).read_text(encoding="utf-8"))
    used = read_json(snakemake.input.data)["used"]
    run = {
        "config": config,
        "reductions": settings.reductions(config, article, used),
        "extras": snakemake.params.extras,
    }
    write_json(snakemake.output.run, run)
    write_json(snakemake.output.provenance, provenance.describe(config))
