"""Collect the single-kind curves in two tables."""

from convstudy.core.files import write_csv
from convstudy.provenance.job import job
from convstudy.training.record import load_description, tabulate_single_kind

with job(snakemake):
    summary, curves = tabulate_single_kind([load_description(path) for path in snakemake.input])
    write_csv(snakemake.output.summary, summary)
    write_csv(snakemake.output.curves, curves)
