"""Work on one study until its trials are used up."""

from pathlib import Path

from convstudy import gpus
from convstudy.data import load_arrays
from convstudy.files import write_json
from convstudy.logs import job
from convstudy.search import from_settings

with job(snakemake, stoppable=True), gpus.lease(snakemake.resources):
    study, worker = snakemake.wildcards.study, int(snakemake.wildcards.worker)
    dataset = load_arrays(Path(snakemake.input.data).parent)
    dataset.verify()
    search = from_settings(study, snakemake.params, dataset)
    ended = search.work(worker)
    write_json(snakemake.output[0], {"study": study, "worker": worker, "trials_ended": ended})
