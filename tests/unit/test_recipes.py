import pandas as pd
import pytest
from convstudy import article, recipes, settings


def trainings(**differences: float) -> pd.DataFrame:
    """Make trainings whose accuracies differ so from the article's, by recipe."""
    rows = [
        {
            "recipe": recipe,
            "plain": True,
            "kind": kind,
            "replicate": replicate,
            "parameters": 1000,
            "test_accuracy_best": printed + difference + 0.001 * (replicate - 1),
            "test_accuracy_last": printed + difference - 0.01,
            "test_images": 10_000,
        }
        for recipe, difference in differences.items()
        for kind, printed in article.accuracies().items()
        for replicate in range(3)
    ]
    return pd.DataFrame(rows)


def test_the_closest_recipe_comes_first():
    table = recipes.compare(trainings(far=-0.05, near=0.01, middle=0.03))
    assert list(table["recipe"].drop_duplicates()) == ["near", "middle", "far"]
    distances = table.groupby("recipe")["distance"].first()
    assert distances["far"] == pytest.approx(0.05)
    assert distances["near"] == pytest.approx(0.01)
    assert table["replicates"].eq(3).all()
    assert ((table["low"] < table["mean"]) & (table["mean"] < table["high"])).all()


def test_a_recipe_changes_what_it_names_and_nothing_else():
    config = settings.validate(
        {"recipes": {"compared": {"mine": {"optimizer": {"learning_rate": 0.5}}, "as_is": {}}}}
    )
    assert recipes.training(config, "as_is") == config["training"]
    mine = recipes.training(config, "mine")
    assert mine["optimizer"] == {**config["training"]["optimizer"], "learning_rate": 0.5}
    assert {key: mine[key] for key in mine if key != "optimizer"} == {
        key: value for key, value in config["training"].items() if key != "optimizer"
    }


def test_a_recipe_with_augmentation_or_smoothing_is_not_plain():
    config = settings.validate({})
    plain = {
        name: recipes.is_plain(recipes.training(config, name))
        for name in config["recipes"]["compared"]
    }
    assert plain == {"adam": True, "sgd": True, "rmsprop": True, "modern": False}
