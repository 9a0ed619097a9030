"""Check the config, and define what several rules share."""

import os
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from snakemake.logging import logger

HERE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))
# Otherwise at a Git address: then Snakemake fetches single files, and the library is installed.
IS_LOCAL = HERE.is_dir()

# Jobs import what a new Python imports: another clone's library, if the environment was copied or
# moved with its folder, or is another clone's. Snakemake's own path begins with this workflow.
OURS = HERE.parent / "convstudy"
ASK = "import convstudy.core.errors as errors; print(errors.__file__)"
answer = subprocess.run([sys.executable, "-P", "-c", ASK], capture_output=True, text=True).stdout
library = Path(answer.strip()).parent.parent if answer else None
# An installed library has no Snakefile beside it.
if not library or (library.with_name("Snakefile").is_file() and not library.samefile(OURS)):
    sys.exit(
        f"Python imports convstudy from {library or 'nowhere'}, but this workflow's is {OURS}; run"
        " make setup here, then source .venv/bin/activate (with Conda: pip install --editable .)"
    )
sys.path.insert(0, str(library.parent))

from convstudy.core import prerequisites

if unusable := prerequisites.unusable(sys.executable, str(Path.cwd())):
    sys.exit(unusable)
# Before anything is imported that they could replace.
if ignored := prerequisites.ignore_other_packages():
    logger.warning(f"Ignored: {', '.join(ignored)} (its packages would replace the environment's).")

from convstudy.config import analyses, settings, yaml_file
from convstudy.core.errors import UserError
from convstudy.data import remembered
from convstudy.layers.networks import Networks, with_layers
from convstudy.provenance.code import code_digest
from convstudy.provenance.job_records import RECORDS, record_files, settings_digest
from convstudy.training import estimate
from convstudy.training.settings import of_modules


def shipped(path):
    """Return where a file of this project is, by its path from the folder of these rules."""
    return os.path.normpath(HERE / path) if IS_LOCAL else workflow.source_path(path)


def in_config(name):
    """Return the path of a file in the folder config; a module's user has none."""
    return shipped(f"../../config/{name}") if MOUNTED else f"config/{name}"


# Snakemake reads a module again for each `use rule`.
IS_FIRST = not hasattr(workflow, "read_as")
workflow.read_as = getattr(workflow, "read_as", __name__)
if MOUNTED:
    if (has := metadata.version("convstudy")) != VERSION:
        sys.exit(
            f"module {__name__}: its workflow is of version {VERSION}, but the convstudy that is"
            f" installed is of version {has}; install the same: pip install CHECKOUT"
        )
    # Another one would write results/, too, and the library finds its files there.
    if workflow.read_as != __name__ or workflow.modifier.path_modifier.prefix:
        sys.exit(
            f"module {__name__}: convstudy is mounted twice, or with a prefix, but it always writes"
            " results/; run each config in a folder of its own (snakemake --directory FOLDER)"
        )
    # A module has no defaults but those that are shipped with it.
    defaults = yaml_file.read(Path(in_config("config.yaml"))).content
    config = settings.merged(defaults, config)
# Snakemake lists the files from the command line first, although they override the workflow's own.
OVERLAYS = workflow.overwrite_configfiles
CONFIG_FILES = [*workflow.configfiles[len(OVERLAYS) :], *OVERLAYS]

SAME_FOLDER = remembered.use_same_folder()

# Snakemake chooses the executor only after this; on one machine, --jobs has become --cores.
ON_CLUSTER = workflow.resource_settings.nodes is not None
# Neither a cluster's login node nor the node of a job without a GPU has what the trainings will have.
try:
    config = settings.validate(
        config,
        [yaml_file.read(Path(path)) for path in CONFIG_FILES],
        this_machine=workflow.is_main_process and not ON_CLUSTER,
        also=[estimate.mistakes],
    )
    if workflow.is_main_process:
        remembered.require_within_reach(config["data"])
except UserError as error:
    # Not an exception of Snakemake's, which it would surround with lines of this file.
    sys.exit(str(error))

# Each job reads the files again, and they must not have changed since the run began.
CONFIG_DIGEST = settings_digest(config)
if os.environ.setdefault("CONVSTUDY_CONFIG", CONFIG_DIGEST) != CONFIG_DIGEST:
    sys.exit(
        f"{', '.join(map(str, CONFIG_FILES))}: changed since the run began; start the run again"
    )

# SLURM warns all of a job's processes before its time limit. The script handles the signal; the
# Snakemake around it must survive it.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)

# The article's scale, to compare runs with.
ARTICLE = yaml_file.read(Path(in_config("article.yaml"))).content
NETWORKS = Networks.of(config["model"])
STUDIES = list(config["search"]["studies"])
# How the modules are trained, in the studies and in the table of modules, which share curves.
MODULE_TRAINING = of_modules(config)
# The outputs of each analysis, set in its rules file; the config lists which are made.
ANALYSES = {}


def analysis_files():
    """List the files of the analyses that the config lists."""
    return [path for name in config["analyses"] for path in ANALYSES[name]]


def code_of(script):
    """Return the digest of a script and the parts of the library that it imports."""
    return code_digest(Path(shipped(f"../scripts/{script}.py")))


def study_settings(wildcards):
    """Return the settings of a study."""
    return config["search"]["studies"][wildcards.study]


def stack_model(wildcards):
    """Return the networks' settings with a stack's number of layers."""
    return with_layers(config["model"], int(wildcards.layers))


def recipe_training(wildcards):
    """Return the training settings with a recipe's changes."""
    return settings.recipe_training(config, wildcards.recipe)


def module_trainings(wildcards):
    """List the trainings of the table: all modules, all replicates.

    A function, as there may be too many modules for a table that nothing asks for.
    """
    return expand(
        rules.train_module.output,
        model=NETWORKS.modules(),
        replicate=range(config["module_table"]["replicates"]),
    )


def study_priority(wildcards):
    """Start the first study before the trainings, and the others after them.

    Studies that start later find shared curves in the store and need not wait for them.
    """
    return 2 if wildcards.study == STUDIES[0] else 0


def scale_with_attempt(amount):
    """Request `amount` at a job's first attempt, twice as much at its second, and so on."""

    def ask(wildcards, attempt):
        return amount * attempt

    return ask


def all_cores(wildcards):
    """Request all cores of this machine, so that no other job disturbs a measurement.

    On a cluster, a job's cores are its own anyway.
    """
    return workflow.cores or config["training"]["threads"]


def codes_of_rules(wildcards):
    """Return the code digest of each rule, as its jobs record it."""
    return {rule.name: rule.params.get("code") for rule in workflow.rules}


def existing_records(wildcards):
    """List the records of all jobs except the archive's own."""
    found = record_files(Path(RECORDS))
    return [str(path) for path in found if not path.stem.endswith("archive_run")]
