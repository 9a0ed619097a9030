"""Ways of training, compared with the article's figures. Made on demand by `compare_recipes`."""


rule train_recipe:
    """Train one single-kind network by one recipe, or read its curve from the store."""
    input:
        data=rules.prepare_dataset.output.summary,
    output:
        "results/recipes/trainings/{recipe}/{model}_{replicate}.json",
    log:
        "results/logs/train_recipe/{recipe}/{model}_{replicate}.log",
    benchmark:
        "results/benchmarks/train_recipe/{recipe}/{model}_{replicate}.tsv"
    wildcard_constraints:
        recipe="|".join(config["recipes"]["compared"]),
        model="|".join(KINDS),
    conda:
        "../../environment.yml"
    threads: config["training"]["threads"]
    resources:
        mem_mb=growing(6000),
        runtime=growing(24 * 60),
    params:
        store="results/.state/curves",
        model=config["model"],
        training=recipe_training,
        epochs=config["recipes"]["epochs"],
        trained_for="recipes",
        code=code_of("train_model"),
    message:
        "Training the {wildcards.model} network by the recipe {wildcards.recipe}, replicate {wildcards.replicate}"
    script:
        "../scripts/train_model.py"


rule compare_recipes:
    """Compare the recipes' accuracies with the article's."""
    input:
        expand(
            rules.train_recipe.output,
            recipe=config["recipes"]["compared"],
            model=KINDS,
            replicate=range(config["recipes"]["replicates"]),
        ),
    output:
        trainings="results/recipes/trainings.csv",
        summary="results/recipes/summary.csv",
        about="results/recipes/about.json",
    log:
        "results/logs/compare_recipes.log",
    benchmark:
        "results/benchmarks/compare_recipes.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        settings=extras.settings("recipes", config),
        code=code_of("compare_recipes"),
    message:
        "Comparing the recipes"
    script:
        "../scripts/compare_recipes.py"
