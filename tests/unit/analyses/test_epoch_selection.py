import numpy as np
import pytest
from convstudy.analyses.epoch_selection import numbers as epoch_selection
from helpers.results import described

IMAGES = 403


def guesses(accuracy: float, epochs: int, seed: int) -> np.ndarray:
    """Draw right images: each epoch is equally good, and differs by chance alone."""
    return np.random.default_rng(seed).random((epochs, IMAGES)) < accuracy


def test_each_choice_takes_its_epoch():
    right = np.zeros((3, 10), bool)
    right[0, :4] = right[1, :7] = right[2, :5] = True
    training = described("conv", 0, right, validation_accuracy=[0.9, 0.1, 0.2])
    choices, _ = epoch_selection.measure([training], [])
    chosen = choices.set_index("selection")
    assert list(chosen.loc[epoch_selection.ON_TEST, ["epoch", "test_accuracy"]]) == [2, 0.7]
    assert list(chosen.loc[epoch_selection.LAST, ["epoch", "test_accuracy"]]) == [3, 0.5]
    assert list(chosen.loc[epoch_selection.ON_VALIDATION, ["epoch", "test_accuracy"]]) == [1, 0.4]
    assert chosen.loc[epoch_selection.ON_VALIDATION, "flattery"] == pytest.approx(0.3)


def test_choosing_by_the_images_that_judge_flatters():
    trainings = [described(f"m{seed}", 0, guesses(0.5, 20, seed)) for seed in range(12)]
    table = epoch_selection.measure([], trainings)[1].set_index("selection")
    halves = table.loc[epoch_selection.ON_HALF]
    # The highest of 20 means of 201 coin tosses lies 1.87 standard errors above 0.5.
    assert halves["difference"] == pytest.approx(1.87 * 0.5 / np.sqrt(IMAGES // 2), rel=0.15)
    assert halves["low"] > 0
    assert halves["mean"] == pytest.approx(0.5, abs=0.015)
    # All twelve compete: the highest of 240 lies 2.8 errors above.
    best = table.loc[epoch_selection.BEST_OF_ALL]
    assert best["difference"] == pytest.approx(2.8 * 0.5 / np.sqrt(IMAGES // 2), rel=0.25)
    assert best["mean"] == pytest.approx(0.5, abs=0.05)


def test_one_epoch_cannot_flatter():
    trainings = [described(f"m{seed}", 0, guesses(0.5, 1, seed)) for seed in range(4)]
    table = epoch_selection.measure(trainings, [])[1].set_index("selection")
    assert table.loc[epoch_selection.LAST, "difference"] == 0
    halves = table.loc[epoch_selection.ON_HALF]
    assert halves["low"] < 0 < halves["high"]


def test_without_validation_images_nothing_is_chosen_by_them():
    choices, _ = epoch_selection.measure([described("conv", 0, guesses(0.5, 3, 0))], [])
    assert epoch_selection.ON_VALIDATION not in set(choices["selection"])


def test_the_same_difference_is_clear_where_the_same_images_are_right():
    base = guesses(0.6, 1, 1)
    better = base.copy()
    better[0, np.flatnonzero(~base[0])[:12]] = True
    table = epoch_selection.compare([described("a", 0, base), described("b", 0, better)])
    row = table.set_index("selection").loc[epoch_selection.LAST]
    assert row["difference"] == pytest.approx(-12 / IMAGES)
    assert row["high"] < 0
    assert row["clear"]
    # Unpaired, so small a difference would be lost in the chance of the images.
    unpaired = epoch_selection.compare(
        [described("a", 0, base), described("b", 0, guesses(0.63, 1, 5))]
    )
    assert unpaired["high"].iloc[0] - unpaired["low"].iloc[0] > 3 * (row["high"] - row["low"])


def test_an_interval_covers_the_chance_in_the_seeds():
    def model(name: str, skill: float) -> list[dict]:
        rng = np.random.default_rng(len(name))
        skills = skill + rng.normal(0, 0.1, 5)
        return [
            described(name, number, guesses(one, 1, 10 * number + len(name)))
            for number, one in enumerate(skills)
        ]

    one = epoch_selection.compare([model("a", 0.5)[0], model("bb", 0.5)[0]]).iloc[0]
    five = epoch_selection.compare(model("a", 0.5) + model("bb", 0.5)).iloc[0]
    assert (one["replicates"], five["replicates"]) == (1, 5)
    # The images' chance alone would shrink with the square root of five.
    assert five["high"] - five["low"] > 0.6 * (one["high"] - one["low"])


def test_every_replicate_counts_whichever_model_has_more():
    trainings = [described("a", number, guesses(0.5, 1, number)) for number in range(3)]
    trainings += [described("b", number, guesses(0.5, 1, 9 + number)) for number in range(2)]
    found = epoch_selection.compare(trainings)
    accuracies = {
        name: [one["records"][0]["test_accuracy"] for one in trainings if one["model"] == name]
        for name in "ab"
    }
    assert set(found["replicates"]) == {2}
    assert found["difference"].iloc[0] == pytest.approx(
        np.mean(accuracies["a"]) - np.mean(accuracies["b"])
    )
