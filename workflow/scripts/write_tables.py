"""Write the report's tables, which compare the run with the article."""

from pathlib import Path

from convstudy.analyses.article_study import tables
from convstudy.comparison import recorded
from convstudy.provenance.job import job
from convstudy.results.run import Results

with job(snakemake):
    results = Results(Path(snakemake.input.run).parent)
    folder = Path(snakemake.output[0]).parent
    tables.write_tables(results, folder)
    recorded.write_tables(results, folder)
