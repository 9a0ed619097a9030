"""What a run says at its start and at its end."""

import sys

from convstudy.core import locks
from convstudy.training import estimate


onstart:
    # In place of Snakemake's own lock (nolock in profiles/default), which outlives a killed run.
    try:
        locks.claim_folder(Path(".snakemake"))
    except UserError as error:
        raise WorkflowError(str(error)) from None


onsuccess:
    if Path("reports/report.html").exists():
        print("\nThe report: reports/report.html (any browser opens it).")
    print("Tables, figures and curves: results/.")


onerror:
    print(
        "\nStopped. The lines above and results/logs/ say why; the same command goes on from here."
    )


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
