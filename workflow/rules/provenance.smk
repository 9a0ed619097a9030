"""What made which file: the check of the jobs' records, and the archive of a run."""

from convstudy.provenance.job_records import ARCHIVE


rule verify_provenance:
    """Hash all results again and compare them with the records of the jobs that made them.

    No output, so that it always runs when asked; no input, so that nothing is made anew before.
    """
    log:
        "results/logs/verify_provenance.log",
    localrule: True
    params:
        codes=codes_of_rules,
    message:
        "Comparing the results with their jobs' records"
    script:
        "../scripts/verify_provenance.py"


rule archive_run:
    """Pack sources, settings, results, report and provenance as an RO-Crate."""
    input:
        rules.all.input,
        # Whatever other target was made since, has a newer record.
        records=existing_records,
    output:
        ARCHIVE,
    log:
        "results/logs/archive_run.log",
    localrule: True
    params:
        codes=codes_of_rules,
        code=code_of("archive_run"),
    message:
        "Packing the run"
    script:
        "../scripts/archive_run.py"
