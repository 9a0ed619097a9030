"""Check the jobs' records of what made which file, and archive a run."""

from convstudy.provenance.job_records import ARCHIVE


rule verify_provenance:
    """Hash all results again and compare them with the records of the jobs that made them.

    Without outputs, it always runs when requested; without inputs, nothing is remade first.
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


# It packs the sources, which a workflow that uses this one as a module has not.
if not MOUNTED:

    rule archive_run:
        """Pack sources, settings, results, report and provenance as an RO-Crate."""
        input:
            rules.all.input,
            # The record of any other target made since is newer than the archive.
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
