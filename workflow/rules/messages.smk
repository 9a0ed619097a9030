"""Messages at the start and the end of a run."""

import sys

from convstudy.core import locks, signals
from snakemake.logging import logger


onstart:
    # After a SIGTERM, Snakemake itself would wait until all running jobs have finished.
    signals.pass_on()


onsuccess:
    if Path("reports/report.html").exists():
        logger.info("\nThe report: reports/report.html (open it in any browser).")
    logger.info("Tables, figures and curves: results/.")


onerror:
    logger.info("\nStopped. The logs are in results/logs/; the same command resumes.")


# Runs before jobs are planned, and in dry runs, but not in jobs, which also read this file.
if workflow.is_main_process and IS_FIRST:
    if estimate.runs_jobs(sys.argv[1:]):
        # Not on start, as a module's onstart is not run. Instead of Snakemake's own lock (nolock in
        # profiles/default), which a killed run leaves behind:
        # https://github.com/snakemake/snakemake/issues/2919
        try:
            locks.claim_folder(Path(".snakemake"))
        except UserError as error:
            sys.exit(str(error))
    if SAME_FOLDER and config["data"]["source"] not in ("keras", "synthetic", "images"):
        logger.info(f"Images: {SAME_FOLDER}, as in the last run here.")
    if not NETWORKS.is_article:
        # Sections of a config are merged, and the result may not be what one had in mind.
        logger.info(f"Networks: {NETWORKS.describe(config['model']['width'])}.")
    # Of the names of rules, if this is a module.
    prefix = workflow.modifier.modify_rulename("")
    asked = estimate.asked(
        [argument.removeprefix(prefix) for argument in sys.argv[1:]],
        [known.name.removeprefix(prefix) for known in workflow.rules],
    )
    cores = None if ON_CLUSTER else workflow.resource_settings.cores

    def seconds_left(steps):
        """Ask again for the time left, as the terminal does while the run goes on."""
        own = {name.removeprefix(prefix): number for name, number in steps.items()}
        return estimate.left(config, Path("results"), asked, cores, own)

    logger.info(estimate.line(config, Path("results"), asked, cores), extra={"left": seconds_left})
