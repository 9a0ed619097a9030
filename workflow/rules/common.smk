"""What several rules ask of the config and the workflow."""

import os
from pathlib import Path

from convstudy import draws, extras, recipes, replay
from convstudy.records import RECORDS

STUDIES = list(config["search"]["studies"])

# The parts beyond the article that the report shows. Jobs read this file again, when there may be
# more: they keep to what the run began with.
EXTRAS = os.environ.setdefault(
    "CONVSTUDY_EXTRAS", " ".join(extras.made(Path("results"), config))
).split()


SCRIPTS = Path(str(workflow.current_basedir)).parent / "scripts"


def code_of(script):
    """Give the digest of a script and of what it imports of the library."""
    return code_digest(SCRIPTS / f"{script}.py")


def study_settings(wildcards):
    """Give one study's part of the config."""
    return config["search"]["studies"][wildcards.study]


def recipe_training(wildcards):
    """Give the training settings as a recipe changes them."""
    return recipes.training(config, wildcards.recipe)


def first_study_first(wildcards):
    """Start the first study before the trainings, and the others after them.

    A study that starts later finds what they share in the store, and need not wait for it.
    """
    return 2 if wildcards.study == STUDIES[0] else 0


def growing(amount):
    """Ask for `amount` at a job's first attempt, for twice as much at its second, and so on."""

    def ask(wildcards, attempt):
        return amount * attempt

    return ask


def whole_machine(wildcards):
    """Ask for all cores of this machine, so that no other job disturbs a measurement.

    A cluster's job has its cores to itself.
    """
    return workflow.cores or config["training"]["threads"]


def caption(figure):
    """Name the caption's file of a figure."""
    return f"../convstudy/captions/{figure}.rst"


def codes_of_rules(wildcards):
    """Give the digest of the code that each rule uses, as its jobs record it."""
    return {rule.name: rule.params.get("code") for rule in workflow.rules}


def existing_records(wildcards):
    """List the records of all jobs but the archive's own."""
    found = sorted(str(path) for path in Path(RECORDS).rglob("[!.]*.json"))
    return [path for path in found if Path(path).stem != "archive_run"]
