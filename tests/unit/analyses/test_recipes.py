import pytest
from convstudy.analyses.recipes import numbers as recipes
from convstudy.article import facts
from convstudy.config import settings
from convstudy.layers.networks import ARTICLE
from helpers.results import RECORDED, with_right


def test_the_closest_recipe_comes_first():
    trainings = RECORDED.table("recipes/trainings.csv")
    printed = trainings["kind"].map(facts.accuracies())
    away = trainings["recipe"].map({"adam": -0.05, "sgd": 0.01, "rmsprop": 0.03, "modern": 0.08})
    table = recipes.compare(
        with_right(trainings.assign(test_accuracy_best=printed + away)), ARTICLE
    )
    assert list(table["recipe"].drop_duplicates()) == ["sgd", "rmsprop", "adam", "modern"]
    distances = table.groupby("recipe")["distance"].first()
    assert distances["adam"] == pytest.approx(0.05)
    assert distances["sgd"] == pytest.approx(0.01)
    assert set(table["replicates"]) == {trainings["replicate"].nunique()}
    assert ((table["low"] < table["mean"]) & (table["mean"] < table["high"])).all()


def test_a_recipe_changes_what_it_names_and_nothing_else():
    config = settings.validate(
        {"recipes": {"compared": {"mine": {"optimizer": {"learning_rate": 0.5}}, "as_is": {}}}}
    )
    assert settings.recipe_training(config, "as_is") == config["training"]
    mine = settings.recipe_training(config, "mine")
    assert mine["optimizer"] == {**config["training"]["optimizer"], "learning_rate": 0.5}
    assert {key: mine[key] for key in mine if key != "optimizer"} == {
        key: value for key, value in config["training"].items() if key != "optimizer"
    }


def test_a_recipe_with_augmentation_or_smoothing_is_not_plain():
    config = settings.validate({})
    plain = {
        name: recipes.is_plain(settings.recipe_training(config, name))
        for name in config["recipes"]["compared"]
    }
    assert plain == {"adam": True, "sgd": True, "rmsprop": True, "modern": False}
