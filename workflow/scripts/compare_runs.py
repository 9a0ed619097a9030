"""Compare this run with another one."""

from pathlib import Path

from convstudy.comparison import page, runs
from convstudy.comparison.numbers import Comparison
from convstudy.core.files import write_json, write_text
from convstudy.provenance.job import job
from convstudy.results.run import Results

with job(snakemake):
    other = runs.open_run(runs.find(snakemake.params.other))
    compared = Comparison(other, Results(Path(snakemake.input.run).parent))
    names = page.name_of(other), page.THIS_RUN
    write_json(snakemake.output.summary, page.summary(compared, names))
    write_text(snakemake.output.page, page.page(compared, names))
