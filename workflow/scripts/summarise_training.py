"""Collect the single-kind curves in two tables."""

from convstudy.curves import tabulate
from convstudy.files import read_json, write_csv
from convstudy.logs import job

with job(snakemake):
    summary, curves = tabulate([read_json(path) for path in snakemake.input])
    write_csv(snakemake.output.summary, summary)
    write_csv(snakemake.output.curves, curves)
