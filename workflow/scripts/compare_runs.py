"""Compare this run with another one."""

from pathlib import Path

from convstudy.comparison import page, runs
from convstudy.comparison.numbers import Comparison
from convstudy.core.files import write_json, write_text
from convstudy.provenance.job import job
from convstudy.results.run import Results

with job(snakemake):
    other = runs.open_run(runs.find(snakemake.params.other))
    ours = Results(Path(snakemake.input.run).parent)
    compared = Comparison(other, ours, (runs.name_of(other), "this run"))
    write_json(snakemake.output.summary, page.summary(compared))
    write_text(snakemake.output.page, page.page(compared))
