"""Tabulate the trainings of all modules, and write a README about the tables."""

from convstudy.analyses.module_table import numbers as module_table
from convstudy.core import environment
from convstudy.core.files import read_json, write_csv, write_text
from convstudy.layers.networks import Networks
from convstudy.provenance.job import job
from convstudy.training.record import load_description

with job(snakemake):
    output, settings = snakemake.output, snakemake.params.settings
    descriptions = [load_description(path) for path in snakemake.input.trainings]
    networks = Networks.of(settings["model"])
    table, curves = module_table.tabulate(descriptions, networks, settings["model"]["width"])
    summary = module_table.rank(table, networks.reference_module)
    tables = {"table.csv": table, "curves.csv": curves, "summary.csv": summary}
    for path in (output.table, output.curves, output.summary):
        write_csv(path, tables[path.rpartition("/")[2]])
    data = read_json(snakemake.input.data)
    made = {"created": environment.now(), "versions": environment.versions()}
    made |= environment.commit()
    text = module_table.document(tables, data, settings, made)
    write_text(output.readme, text)
