"""The config, checked, and what several rules ask of it and of the workflow."""

import os
import signal
from pathlib import Path

from snakemake.exceptions import WorkflowError

from convstudy.config import analyses, settings, yaml_file
from convstudy.core.errors import UserError
from convstudy.provenance.code import code_digest
from convstudy.provenance.job_records import RECORDS, settings_digest

# Snakemake lists the files of the command line first, which lie over the workflow's own.
OVERLAYS = workflow.overwrite_configfiles
CONFIG_FILES = [*workflow.configfiles[len(OVERLAYS) :], *OVERLAYS]

# A cluster's login node need not have what its jobs will have, a GPU for example.
try:
    config = settings.validate(
        config,
        [yaml_file.read(Path(path)) for path in CONFIG_FILES],
        this_machine=not workflow.non_local_exec,
    )
except UserError as error:
    raise WorkflowError(str(error)) from None

# A job reads the files again: it must find what they said when the run began.
if os.environ.setdefault("CONVSTUDY_CONFIG", settings_digest(config)) != settings_digest(config):
    raise WorkflowError(
        f"{', '.join(map(str, CONFIG_FILES))}: changed since the run began; start the run again"
    )

# SLURM's warning before a job's end goes to all of the job's processes. The script heeds it; the
# Snakemake around it must outlive it.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)

STUDIES = list(config["search"]["studies"])
# What each analysis leaves, as its rules file says; the config lists which are made.
ANALYSES = {}


def analysis_files():
    """List the files of the analyses that the config lists."""
    return [path for name in config["analyses"] for path in ANALYSES[name]]


SCRIPTS = Path(str(workflow.current_basedir)).parent / "scripts"


def code_of(script):
    """Give the digest of a script and of what it imports of the library."""
    return code_digest(SCRIPTS / f"{script}.py")


def study_settings(wildcards):
    """Give one study's part of the config."""
    return config["search"]["studies"][wildcards.study]


def recipe_training(wildcards):
    """Give the training settings as a recipe changes them."""
    return settings.recipe_training(config, wildcards.recipe)


def study_priority(wildcards):
    """Start the first study before the trainings, and the others after them.

    A study that starts later finds what they share in the store, and need not wait for it.
    """
    return 2 if wildcards.study == STUDIES[0] else 0


def scale_with_attempt(amount):
    """Ask for `amount` at a job's first attempt, for twice as much at its second, and so on."""

    def ask(wildcards, attempt):
        return amount * attempt

    return ask


def all_cores(wildcards):
    """Ask for all cores of this machine, so that no other job disturbs a measurement.

    A cluster's job has its cores to itself.
    """
    return workflow.cores or config["training"]["threads"]


def codes_of_rules(wildcards):
    """Give the digest of the code that each rule uses, as its jobs record it."""
    return {rule.name: rule.params.get("code") for rule in workflow.rules}


def existing_records(wildcards):
    """List the records of all jobs but the archive's own."""
    found = sorted(str(path) for path in Path(RECORDS).rglob("[!.]*.json"))
    return [path for path in found if Path(path).stem != "archive_run"]
