"""Write the report's tables, with the article's figures beside the run's."""

from pathlib import Path

from convstudy import recorded, tables
from convstudy.files import write_csv
from convstudy.logs import job
from convstudy.results import Results

with job(snakemake):
    results = Results(Path(snakemake.input.run).parent)
    folder = Path(snakemake.output[0]).parent
    tables.write_tables(results, folder)
    runs = recorded.tabulate(results, recorded.runs(results.folder))
    write_csv(folder / "runs.csv", runs)
