"""Judge the claims by a run's tables."""

from pathlib import Path

import yaml
from convstudy import claims, ledger
from convstudy.files import write_csv
from convstudy.logs import job
from convstudy.results import Results

with job(snakemake):
    results = Results(Path(snakemake.input.run).parent)
    listed = ledger.load(Path(snakemake.input.claims))
    overlay = yaml.safe_load(Path(snakemake.params.article).read_text(encoding="utf-8"))
    write_csv(snakemake.output[0], claims.check(results, listed, overlay))
