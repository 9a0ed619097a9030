"""Training recipes, compared with the article's accuracies."""


use rule train_model as train_recipe with:
    output:
        "results/recipes/trainings/{recipe}/{model}_{replicate}.json",
    log:
        "results/logs/train_recipe/{recipe}/{model}_{replicate}.log",
    benchmark:
        "results/benchmarks/train_recipe/{recipe}/{model}_{replicate}.tsv"
    wildcard_constraints:
        recipe="|".join(config["recipes"]["compared"]),
        model="|".join(NETWORKS.kinds),
    priority: 0
    params:
        training=recipe_training,
        epochs=config["recipes"]["epochs"],
        trained_for="recipes",
    message:
        "Training the {wildcards.model} network with the recipe {wildcards.recipe}, replicate {wildcards.replicate}"


rule compare_recipes:
    """Compare the recipes' accuracies with the article's."""
    input:
        expand(
            rules.train_recipe.output,
            recipe=config["recipes"]["compared"],
            model=NETWORKS.kinds,
            replicate=range(config["recipes"]["replicates"]),
        ),
    output:
        trainings="results/recipes/trainings.csv",
        summary="results/recipes/summary.csv",
    log:
        "results/logs/compare_recipes.log",
    benchmark:
        "results/benchmarks/compare_recipes.tsv"
    localrule: True
    params:
        settings={part: config[part] for part in ("model", "training", "recipes")},
        code=code_of("compare_recipes"),
    message:
        "Comparing the recipes"
    script:
        "../scripts/compare_recipes.py"


ANALYSES["recipes"] = rules.compare_recipes.output
