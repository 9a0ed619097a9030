"""The images as arrays, from whatever source is available."""

from convstudy.data import remembered


rule prepare_dataset:
    """Find the images, check them, draw the subset, and write arrays with their digest."""
    output:
        train_images="results/data/train_images.npy",
        train_labels="results/data/train_labels.npy",
        validation_images="results/data/validation_images.npy",
        validation_labels="results/data/validation_labels.npy",
        test_images="results/data/test_images.npy",
        test_labels="results/data/test_labels.npy",
        classes="results/data/classes.csv",
        summary="results/data/summary.json",
    log:
        "results/logs/prepare_dataset.log",
    benchmark:
        "results/benchmarks/prepare_dataset.tsv"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=config["data"],
        shape=config["model"]["input_shape"],
        classes=config["model"]["classes"],
        directory=remembered.given_folder(config["data"]),
        memory=str(remembered.FILE),
        code=code_of("prepare_dataset"),
    message:
        "Preparing the data (source: {params.settings[source]})"
    script:
        "../scripts/prepare_dataset.py"
