"""Messages at the start and the end of a run."""

import sys

from convstudy.core import locks, signals


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
        print("\nThe report: reports/report.html (open it in any browser).")
    print("Tables, figures and curves: results/.")


onerror:
    print(
        "\nStopped. See the lines above and results/logs/ for the reason; the same command resumes."
    )


# Runs before jobs are planned, and in dry runs, but not in jobs, which also read this file.
if workflow.is_main_process:
    if SAME_FOLDER and config["data"]["source"] not in ("keras", "synthetic", "images"):
        print(f"Images: {SAME_FOLDER}, as in the last run here.", file=sys.stderr)
    if not NETWORKS.is_article:
        # Sections of a config are merged, and the result may not be what one had in mind.
        print(f"Networks: {NETWORKS.describe(config['model']['width'])}.", file=sys.stderr)
    outlook = estimate.line(
        config,
        Path("results"),
        estimate.asked(sys.argv[1:], [rule.name for rule in workflow.rules]),
        None if workflow.non_local_exec else workflow.resource_settings.cores,
    )
    if outlook:
        print(outlook, file=sys.stderr)
