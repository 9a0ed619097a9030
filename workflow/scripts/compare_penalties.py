"""Find the best module for every weight of the penalty."""

import pandas as pd
from convstudy import penalties
from convstudy.files import write_csv, write_json
from convstudy.logs import job

with job(snakemake):
    output, settings = snakemake.output, snakemake.params.settings
    table = pd.read_csv(snakemake.input.table)
    write_csv(output.envelope, penalties.winners(table, settings["penalty"]))
    write_csv(output.probabilities, penalties.probabilities(table, settings["penalty"]))
    write_json(output.about, {"settings": settings})
