"""Compare the recipes' accuracies with the article's."""

from pathlib import Path

from convstudy import recipes
from convstudy.files import write_csv, write_json
from convstudy.logs import job
from convstudy.training.record import load_description

with job(snakemake):
    settings = snakemake.params.settings
    descriptions = []
    for path in snakemake.input:
        recipe = Path(path).parent.name
        plain = recipes.is_plain(recipes.training(settings, recipe))
        descriptions.append({"recipe": recipe, "plain": plain, **load_description(path)})
    trainings = recipes.tabulate(descriptions)
    write_csv(snakemake.output.trainings, trainings)
    write_csv(snakemake.output.summary, recipes.compare(trainings))
    write_json(snakemake.output.about, {"settings": settings})
