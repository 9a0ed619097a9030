"""Messages at the start and the end of a run."""

import sys
from functools import partial

from convstudy.core import locks, signals
from snakemake.logging import logger


onstart:
    # Instead of Snakemake's own lock (nolock in profiles/default), which a killed run leaves behind:
    # https://github.com/snakemake/snakemake/issues/2919
    try:
        locks.claim_folder(Path(".snakemake"))
    except UserError as error:
        sys.exit(str(error))
    # After a SIGTERM, Snakemake itself would wait until all running jobs have finished.
    signals.pass_on()


onsuccess:
    if Path("reports/report.html").exists():
        logger.info("\nThe report: reports/report.html (open it in any browser).")
    logger.info("Tables, figures and curves: results/.")


onerror:
    logger.info("\nStopped. The logs are in results/logs/; the same command resumes.")


# Runs before jobs are planned, and in dry runs, but not in jobs, which also read this file.
if workflow.is_main_process:
    if SAME_FOLDER and config["data"]["source"] not in ("keras", "synthetic", "images"):
        logger.info(f"Images: {SAME_FOLDER}, as in the last run here.")
    if not NETWORKS.is_article:
        # Sections of a config are merged, and the result may not be what one had in mind.
        logger.info(f"Networks: {NETWORKS.describe(config['model']['width'])}.")
    asked = estimate.asked(sys.argv[1:], [rule.name for rule in workflow.rules])
    cores = None if workflow.non_local_exec else workflow.resource_settings.cores
    # The terminal asks again for the time left as the run goes on.
    logger.info(
        estimate.line(config, Path("results"), asked, cores),
        extra={"left": partial(estimate.left, config, Path("results"), asked, cores)},
    )
