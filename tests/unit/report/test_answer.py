"""The answer's sentences are true of the tables that they are made of."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from convstudy.analyses.module_table import numbers as module_table
from convstudy.claims import verdicts
from convstudy.layers.networks import ARTICLE
from convstudy.report import answer
from convstudy.report.answer import Answer
from helpers.tables import made_up

CONV, ENOUGH, SMALL = "conv-conv-conv", "conv-depthwise-depthwise", "depthwise-depthwise-depthwise"


def ranked(noise: float = 0.002, seed: int = 0, **accuracies: float) -> pd.DataFrame:
    """Rank all modules, at 0.4 but for those that are named (with _ for -)."""
    named = {name.replace("_", "-"): value for name, value in accuracies.items()}
    table, _ = made_up(
        3, 1, noise=noise, seed=seed, accuracies=dict.fromkeys(all_modules(), 0.4) | named
    )
    return module_table.rank(table, CONV)


def all_modules() -> list[str]:
    return list(ARTICLE.modules())


@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.parametrize("leaked", [0, 5])
def test_images_of_ones_own_must_beat_their_largest_class(equal: bool, leaked: int):
    table = pd.DataFrame({"label": ["Conv2D"], "mean": [0.9], "balanced_accuracy": [0.723]})
    results = SimpleNamespace(
        data={
            "largest_class": {"name": "tulip", "share": 0.616},
            "classes": ["rose", "tulip"],
            "duplicates": {"test_in_train": leaked},
            "available": {"test": 100},
        },
        table=lambda name: table.drop(columns="balanced_accuracy") if equal else table,
    )
    text = answer.to_beat(results)
    assert "“tulip”, the largest of 2 classes, would be right for 61.6 % of the test" in text
    assert ("which differ in size: Conv2D 72.3 %." in text) == (not equal)
    assert ("5 of 100 test images are also training images" in text) == bool(leaked)


def test_the_smallest_module_that_may_be_the_best_is_enough():
    lead, text = answer.of_modules(ranked(conv_conv_conv=0.5, conv_depthwise_depthwise=0.5))
    assert lead == "one Conv2D and two depthwise layers per stage were enough."
    assert re.match(r"conv · depthwise · depthwise reached (49\.\d|50\.\d) % \(", text)
    assert "37 % of the parameters of the all-Conv2D module; no module was clearly better" in text
    assert re.search(r"Below 10 % of the parameters, every module lost accuracy; the best, [a-z ·]+"
                     r", lost (9\.\d|10\.\d) points \(\d+\.\d to \d+\.\d\)\.", text)  # fmt: skip


def test_modules_that_are_alike_are_not_told_apart():
    lead, text = answer.of_modules(ranked(noise=0.02, seed=3))
    assert lead == "the 27 modules could not be told apart."
    assert re.match(r"Their mean accuracies lie between 3\d\.\d and 4\d\.\d %\.", text)
    assert "not clearly worse than the all-Conv2D module" in text


def test_all_conv2d_may_be_worth_its_parameters():
    lead, text = answer.of_modules(ranked(conv_conv_conv=0.6))
    assert lead == "the all-Conv2D module was worth its parameters."
    assert "every module with fewer parameters was clearly worse" in text


def test_a_small_module_that_is_the_best_is_said_to_be_enough_and_no_more():
    lead, text = answer.of_modules(ranked(depthwise_depthwise_depthwise=0.6))
    assert lead == "three depthwise layers per stage were enough."
    assert "6 % of the parameters" in text
    assert "Below" not in text


def test_sentences_are_true_of_random_tables():
    """Whatever the means, a module that is enough may be the best, and a loss leaves out zero."""
    rng = np.random.default_rng(0)
    leads = set()
    for _ in range(60):
        apart = rng.choice([0.0, 0.01, 0.05])
        accuracies = dict(zip(all_modules(), 0.5 + apart * rng.normal(size=27), strict=True))
        table, _ = made_up(3, 1, noise=0.01, seed=int(rng.integers(1000)), accuracies=accuracies)
        modules = module_table.rank(table, CONV)
        lead, text = answer.of_modules(modules)
        leads.add(lead)
        by_name = modules.set_index("module")
        if "were enough" in lead:
            name = text.partition(" reached")[0].replace(" · ", "-")
            assert by_name.loc[name, "rank_low"] == 1
            highest = by_name["mean"].idxmax()
            assert ("the highest mean was" in text) == (highest != name)
            assert (f"%, for {highest.replace('-', ' · ')})." in text) == (highest != name)
            smaller = by_name[by_name["parameters"] < by_name.loc[name, "parameters"]]
            assert (smaller["rank_low"] > 1).all()
        elif "told apart" in lead:
            assert (by_name["rank_low"] == 1).all()
        else:
            assert (by_name.drop(CONV)["rank_low"] > 1).all()
        few = modules[modules["share"] <= answer.SMALL]
        if "every module lost" in text:
            assert (few["minus_reference_high"] < 0).all()
        if "not clearly worse" in text:
            best = few.loc[few["mean"].idxmax()]
            assert best["minus_reference_low"] <= 0 <= best["minus_reference_high"]
    assert len(leads) > 5


def kinds(separable: tuple, depthwise: tuple, replicates: int = 3) -> pd.DataFrame:
    """Make the table of single kinds: differences from Conv2D, each with its ends."""
    rows = [("conv", "Conv2D", 100, (np.nan,) * 3), ("separable", "SeparableConv2D", 20, separable),
            ("depthwise", "DepthwiseConv2D", 10, depthwise)]  # fmt: skip
    return pd.DataFrame(
        [
            {"kind": kind, "label": label, "parameters": parameters, "mean": 0.5, "low": 0.48}
            | {"high": 0.52, "replicates": replicates, "article": 0.8}
            | dict(
                zip(
                    ("minus_reference", "minus_reference_low", "minus_reference_high"),
                    change,
                    strict=True,
                )
            )
            for kind, label, parameters, change in rows
        ]
    )


LOWER, OPEN, HIGHER = (-0.03, -0.05, -0.01), (-0.01, -0.03, 0.01), (0.03, 0.01, 0.05)
TIE = (0.0, -0.02, 0.02)


@pytest.mark.parametrize(
    ("separable", "depthwise", "lead"),
    [
        (LOWER, LOWER, "Conv2D was clearly the most accurate."),
        (LOWER, OPEN, "Conv2D was the most accurate, but not clearly."),
        (LOWER, HIGHER, "Conv2D was not the most accurate."),
        (TIE, OPEN, "no layer was clearly the most accurate."),
    ],
)
def test_the_kinds_are_told_apart_as_far_as_they_are(separable, depthwise, lead):
    assert answer.of_kinds(kinds(separable, depthwise))[0] == lead


def test_differences_are_said_with_their_ends():
    _, text = answer.of_kinds(kinds(LOWER, OPEN))
    assert text == (
        "Conv2D reached 50.0 % (48.0 to 52.0). SeparableConv2D, 5.0 times smaller, came out 3.0"
        " points lower (1.0 to 5.0); DepthwiseConv2D, 10.0 times smaller, came out 1.0 points lower"
        " (from 3.0 lower to 1.0 higher)."
    )
    _, text = answer.of_kinds(kinds(LOWER, HIGHER, replicates=1))
    assert "came out 3.0 points higher (1.0 to 5.0)" in text
    assert "With one training each" in text


def test_a_network_that_could_not_be_trained_is_named():
    table = kinds(LOWER, LOWER)
    table.loc[1, "mean"] = np.nan
    lead, text = answer.of_kinds(table)
    assert lead == "SeparableConv2D could not be trained."
    assert "nan" not in text


def full(order: str, inside: int, modules: pd.DataFrame | None = None, refuted: int = 0) -> Answer:
    """Answer for a run at the article's scale, in which so many accuracies are the article's."""
    names = [f"accuracy_{kind}" for kind in ("conv", "separable", "depthwise")]
    judged = pd.DataFrame(
        [
            {
                "id": "accuracy_order",
                "verdict": order,
                "statement": "An order.",
                "low": 1,
                "high": 2,
            },
            *(
                {"id": name, "verdict": verdicts.UNDECIDED, "statement": "A number."}
                | {"low": -1 if place < inside else 1, "high": 2}
                for place, name in enumerate(names)
            ),
            *(
                {"id": f"other_{place}", "verdict": verdicts.NOT_REPRODUCED, "statement": "No."}
                for place in range(refuted)
            ),
        ]
    )
    config = {"training": {"replicates": 5, "epochs": 100}}
    data = {"lossy": False, "used": {"train": 50_000}}
    results = SimpleNamespace(run={"config": config}, data=data, has=lambda name: False)
    return answer.full(judged, kinds(LOWER, LOWER), modules, results)


@pytest.mark.parametrize(
    ("verdict", "lead"),
    [
        (verdicts.REPRODUCED, "The article's order holds."),
        (verdicts.NOT_REPRODUCED, "The article's order does not hold."),
        (verdicts.UNDECIDED, "The article's order is not settled."),
    ],
)
def test_at_the_articles_scale_its_order_is_judged(verdict: str, lead: str):
    found = full(verdict, 3, refuted=2)
    assert found.lead == lead
    names = [name for name, _ in found.refuted]
    assert names == ["accuracy_order"] * (verdict == verdicts.NOT_REPRODUCED) + [
        "other_0",
        "other_1",
    ]
    assert found.conditions.startswith("50,000 training images, 100 epochs, 5 trainings each.")


@pytest.mark.parametrize(
    ("inside", "words"), [(3, "all three lie"), (1, "one lies"), (0, "none lie")]
)
def test_accuracies_within_one_more_training_are_counted(inside: int, words: str):
    assert f"Of the article's figures, {words} within" in full(verdicts.REPRODUCED, inside).text


def test_a_smaller_module_that_is_as_good_is_named_at_full_scale():
    modules = ranked(conv_conv_conv=0.5, conv_depthwise_depthwise=0.5)
    text = full(verdicts.REPRODUCED, 3, modules).text
    assert "· depthwise needs only 37 % of the parameters of the all-Conv2D module" in text
    assert "needs" not in full(verdicts.REPRODUCED, 3, ranked(conv_conv_conv=0.6)).text


def test_made_up_images_say_nothing_of_accuracy():
    judged = pd.DataFrame(
        {"basis": ["arithmetic"] * 2, "source": "Somewhere", "verdict": verdicts.REPRODUCED}
    )
    found = answer.made_up(judged)
    assert found.lead.endswith("counts hold: 2 of 2 statements.")
    wrong = judged.assign(verdict=[verdicts.REPRODUCED, verdicts.NOT_REPRODUCED])
    assert (
        answer.made_up(wrong).lead
        == "Of the article's 2 statements on arithmetic and counts, 1 hold."
    )


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (CONV, "three Conv2D layers"),
        ("separable-conv-separable", "one Conv2D and two separable layers"),
        ("depthwise-conv-separable", "one Conv2D, one separable and one depthwise layer"),
    ],
)
def test_layers_in_words(module: str, words: str):
    assert answer.in_words(module) == words
