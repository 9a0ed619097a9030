"""Judge the claims from a run's tables."""

from pathlib import Path

import yaml
from convstudy.claims import ledger, verdicts
from convstudy.core.files import write_csv
from convstudy.provenance.job import job
from convstudy.results.run import Results

with job(snakemake):
    results = Results(Path(snakemake.input.run).parent)
    listed = ledger.load(Path(snakemake.input.claims))
    overlay = yaml.safe_load(Path(snakemake.params.article).read_text(encoding="utf-8"))
    write_csv(snakemake.output[0], verdicts.check(results, listed, overlay))
