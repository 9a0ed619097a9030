"""Compare ways of choosing an epoch, and the single-kind networks pair by pair."""

from convstudy import optimism
from convstudy.files import write_csv, write_json
from convstudy.logs import job
from convstudy.training.record import load_description

with job(snakemake):
    output = snakemake.output
    kinds, modules = (
        [load_description(path) for path in snakemake.input[name]] for name in ("kinds", "modules")
    )
    choices, summary = optimism.measure(kinds, modules)
    write_csv(output.choices, choices)
    write_csv(output.summary, summary)
    write_csv(output.differences, optimism.compare(kinds))
    write_json(output.about, {"settings": snakemake.params.settings})
