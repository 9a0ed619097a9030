"""Compare ways of choosing an epoch, and the single-kind networks pair by pair."""

from convstudy.analyses.epoch_selection import numbers as epoch_selection
from convstudy.core.files import write_csv
from convstudy.provenance.job import job
from convstudy.training.record import load_description

with job(snakemake):
    output = snakemake.output
    kinds, modules = (
        [load_description(path) for path in snakemake.input[name]] for name in ("kinds", "modules")
    )
    choices, summary = epoch_selection.measure(kinds, modules)
    write_csv(output.choices, choices)
    write_csv(output.summary, summary)
    write_csv(output.differences, epoch_selection.compare(kinds))
