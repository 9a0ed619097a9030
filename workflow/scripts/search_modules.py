"""Run one worker of a study until the study's trials are used up."""

from pathlib import Path

from convstudy.core import gpus
from convstudy.core.files import write_json
from convstudy.data.dataset import load_arrays
from convstudy.provenance.job import job
from convstudy.search.study import from_settings

with job(snakemake, stoppable=True), gpus.lease(snakemake.resources):
    study, worker = snakemake.wildcards.study, int(snakemake.wildcards.worker)
    dataset = load_arrays(Path(snakemake.input.data).parent)
    dataset.verify()
    search = from_settings(study, snakemake.params, dataset)
    ended = search.run_worker(worker)
    write_json(snakemake.output[0], {"study": study, "worker": worker, "trials_ended": ended})
