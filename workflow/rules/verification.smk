"""Verify the article's arithmetic: Keras, NumPy and the printed numbers must agree."""


rule verify_layers:
    """Compute and compare the worked examples, the identities and a grid of cases."""
    output:
        examples="results/verification/examples.csv",
        identities="results/verification/identities.csv",
        grid="results/verification/grid.csv",
    log:
        "results/logs/verify_layers.log",
    benchmark:
        "results/benchmarks/verify_layers.tsv"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        backend=config["training"]["backend"],
        code=code_of("verify_layers"),
    message:
        "Verifying the worked examples and identities"
    script:
        "../scripts/verify_layers.py"


rule verify_counts:
    """Compare the closed-form counts with Keras and with the article."""
    output:
        "results/verification/counts.csv",
    log:
        "results/logs/verify_counts.log",
    benchmark:
        "results/benchmarks/verify_counts.tsv"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        model=config["model"],
        backend=config["training"]["backend"],
        code=code_of("verify_counts"),
    message:
        "Verifying the parameter counts"
    script:
        "../scripts/verify_counts.py"


rule verify_statements:
    """Run the article's code blocks, measure what it says of layers, count MobileNet and Xception."""
    output:
        statements="results/verification/statements.csv",
        families="results/counts/families.csv",
    log:
        "results/logs/verify_statements.log",
    benchmark:
        "results/benchmarks/verify_statements.tsv"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        backend=config["training"]["backend"],
        code=code_of("verify_statements"),
    message:
        "Verifying what the article says of layers"
    script:
        "../scripts/verify_statements.py"
