"""Compare the recipes' accuracies with the article's."""

from pathlib import Path

from convstudy.analyses.recipes import numbers as recipes
from convstudy.config import settings
from convstudy.core.files import write_csv
from convstudy.layers.networks import Networks
from convstudy.provenance.job import job
from convstudy.training.record import load_description

with job(snakemake):
    config = snakemake.params.settings
    descriptions = []
    for path in snakemake.input:
        recipe = Path(path).parent.name
        plain = recipes.is_plain(settings.recipe_training(config, recipe))
        descriptions.append({"recipe": recipe, "plain": plain, **load_description(path)})
    trainings = recipes.tabulate(descriptions)
    write_csv(snakemake.output.trainings, trainings)
    write_csv(snakemake.output.summary, recipes.compare(trainings, Networks.of(config["model"])))
