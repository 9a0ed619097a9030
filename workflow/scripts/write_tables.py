"""Write the report's tables, which compare the run with the article."""

from pathlib import Path

from convstudy.analyses.article_study import tables
from convstudy.core.files import write_csv
from convstudy.provenance.job import job
from convstudy.results import reference_runs
from convstudy.results.run import Results

with job(snakemake):
    results = Results(Path(snakemake.input.run).parent)
    folder = Path(snakemake.output[0]).parent
    tables.write_tables(results, folder)
    if results.networks.is_article:
        runs = reference_runs.tabulate(results, reference_runs.runs(results.folder))
        write_csv(folder / "runs.csv", runs)
