"""From CIFAR-10 to a report: every number of an article on convolution layers, re-run.

`snakemake --cores all` makes everything; config/README.md explains the settings.
"""

import signal
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from convstudy import estimate, extras, locks, settings
from convstudy.errors import UserError
from convstudy.provenance import code_digest

min_version("9.27")


configfile: "config/config.yaml"


# A cluster's login node need not have what its jobs will have, a GPU for example.
try:
    config = settings.validate(config, this_machine=not workflow.non_local_exec)
except UserError as error:
    raise WorkflowError(str(error)) from None


# SLURM's warning before a job's end goes to all of the job's processes. The script heeds it; the
# Snakemake around it must outlive it.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/verification.smk"
include: "workflow/rules/counts.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/exhaustive.smk"
include: "workflow/rules/optimism.smk"
include: "workflow/rules/recipes.smk"
include: "workflow/rules/replay.smk"
include: "workflow/rules/penalties.smk"
include: "workflow/rules/timing.smk"
include: "workflow/rules/pareto.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/claims.smk"


report: "workflow/report/workflow.rst"


onstart:
    # In place of Snakemake's own lock (nolock in profiles/default), which outlives a killed run.
    try:
        locks.claim_folder(Path(".snakemake"))
    except UserError as error:
        raise WorkflowError(str(error)) from None
    for name in extras.outdated(Path("results"), config):
        print(
            f"results/{name} is of other settings and left out of the report;"
            f" made anew by: snakemake --cores all {extras.EXTRAS[name].target}"
        )


onsuccess:
    if Path("reports/report.html").exists():
        print("\nThe report: reports/report.html (any browser opens it).")
    print("Tables, figures and curves: results/.")


onerror:
    print(
        "\nStopped. The lines above and results/logs/ say why; the same command goes on from here."
    )


rule all:
    """Make the report and everything that it stands on."""
    default_target: True
    input:
        "reports/report.html",
        rules.verify_layers.output,
        rules.verify_counts.output,
        rules.summarise_training.output,
        expand(rules.export_study.output, study=STUDIES),
    localrule: True


# After `all`, whose files it packs.
include: "workflow/rules/provenance.smk"


# Before the jobs are planned, and in a dry run; not in jobs, which read this file again.
if workflow.is_main_process:
    outlook = estimate.line(
        config,
        Path("results"),
        estimate.asked(sys.argv[1:], [rule.name for rule in workflow.rules]),
        None if workflow.non_local_exec else workflow.resource_settings.cores,
    )
    if outlook:
        print(outlook, file=sys.stderr)
