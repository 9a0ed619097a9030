"""The article's statements and ours, judged by the results of the run."""

from convstudy.analyses.replay.draws import STATEMENTS
from convstudy.claims import ledger

CLAIMS = Path("config/claims.yaml")

# Report mistakes in the claims before anything is trained.
try:
    ledger.load(CLAIMS, STATEMENTS)
except UserError as error:
    sys.exit(str(error))


rule check_claims:
    """Judge every claim of config/claims.yaml: verdict, evidence, effect and interval."""
    input:
        RESULTS,
        rules.write_tables.output,
        rules.verify_statements.output,
        run=rules.record_run.output.run,
        claims=CLAIMS,
    output:
        report("results/claims.csv", category="Tables", labels={"table": "claims"}),
    log:
        "results/logs/check_claims.log",
    benchmark:
        "results/benchmarks/check_claims.tsv"
    params:
        article="config/article.yaml",
        code=code_of("check_claims"),
    message:
        "Judging the claims"
    script:
        "../scripts/check_claims.py"
