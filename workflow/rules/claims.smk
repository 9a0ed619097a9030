"""The article's statements and ours, judged by the results of the run."""

from convstudy.analyses.replay.draws import STATEMENTS
from convstudy.claims import ledger

# The article's claims are about its networks alone.
CLAIMS = [in_config("claims.yaml")] if NETWORKS.is_article else []
OWN_CLAIMS = [config["claims"]] if config["claims"] else []

# Report mistakes in the claims before anything is trained.
try:
    ledger.load_all(CLAIMS, OWN_CLAIMS, STATEMENTS)
except UserError as error:
    sys.exit(str(error))


rule check_claims:
    """Judge the article's claims and the user's own: verdict, evidence, effect and interval."""
    input:
        RESULTS,
        rules.write_tables.output,
        rules.verify_statements.output if CLAIMS else [],
        run=rules.record_run.output.run,
        article=CLAIMS,
        own=OWN_CLAIMS,
    output:
        report("results/claims.csv", category="Tables", labels={"table": "claims"}),
    log:
        "results/logs/check_claims.log",
    benchmark:
        "results/benchmarks/check_claims.tsv"
    localrule: True
    params:
        article=ARTICLE,
        code=code_of("check_claims"),
    message:
        "Judging the claims"
    script:
        "../scripts/check_claims.py"
