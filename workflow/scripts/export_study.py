"""Write a study's tables and copy Optuna's storage."""

from pathlib import Path

from convstudy.core.files import write_csv, write_json
from convstudy.data.dataset import load_arrays
from convstudy.provenance.job import job
from convstudy.search.export import best_trials, export
from convstudy.search.study import from_settings

with job(snakemake):
    output = snakemake.output
    dataset = load_arrays(Path(snakemake.input.data).parent)
    search = from_settings(snakemake.wildcards.study, snakemake.params, dataset)
    trials, curves, summary = export(search)
    write_csv(output.trials, trials)
    write_csv(output.best, best_trials(trials))
    write_csv(output.curves, curves)
    write_json(output.summary, summary)
    search.copy_storage(Path(output.storage))
