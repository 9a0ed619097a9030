"""Collect the trainings of all modules in tables, and describe them."""

from pathlib import Path

from convstudy import exhaustive, provenance
from convstudy.files import read_json, write_csv, write_json, write_text
from convstudy.logs import job
from convstudy.training.record import load_description

with job(snakemake):
    output, settings = snakemake.output, snakemake.params.settings
    descriptions = [load_description(path) for path in snakemake.input.trainings]
    table, curves = exhaustive.tabulate(descriptions, settings["model"]["width"])
    tables = {"table.csv": table, "curves.csv": curves, "summary.csv": exhaustive.rank(table)}
    for path in (output.table, output.curves, output.summary):
        write_csv(path, tables[path.rpartition("/")[2]])
    data = read_json(snakemake.input.data)
    made = {"created": provenance.now(), "versions": provenance.versions()}
    made |= provenance.commit(Path(provenance.__file__).parent)
    text = exhaustive.document(tables, data, settings, made)
    write_text(output.readme, text)
    write_json(output.about, {"settings": settings})
