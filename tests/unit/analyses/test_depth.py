import numpy as np
import pandas as pd
import pytest
from convstudy.analyses.depth import numbers as depth
from convstudy.layers.networks import ARTICLE, Networks, stack, with_layers
from helpers.results import with_right

IMAGES = 2000
LAYERS = (1, 2, 3, 4)


def made_up(separable: list[float], conv: float = 0.6, replicates: int = 3) -> pd.DataFrame:
    """Make up trainings of one Conv2D and of stacks of separable layers with these accuracies."""
    rng = np.random.default_rng(0)
    stacks = [("conv", 1, conv)]
    stacks += [("separable", *one) for one in zip(LAYERS, separable, strict=False)]
    return with_right(
        pd.DataFrame(
            [
                {"kind": kind, "layers": layers, "replicate": replicate}
                | {"parameters": ARTICLE.parameters((kind,) * layers)}
                | {"macs": ARTICLE.count((kind,) * layers).macs}
                | {"test_accuracy_best": accuracy + rng.normal(0, 0.002)}
                for kind, layers, accuracy in stacks
                for replicate in range(replicates)
            ]
        ).assign(test_accuracy_last=lambda table: table["test_accuracy_best"]),
        IMAGES,
    )


def summary_of(trainings: pd.DataFrame) -> pd.DataFrame:
    names = [stack(*one) for one in trainings[["kind", "layers"]].drop_duplicates().to_numpy()]
    times = pd.DataFrame({"module": names, "batch_size": 100, "fps": 1000.0})
    times = times.assign(fps_low=900.0, fps_high=1100.0)
    return depth.summarise(trainings, times)


def crossing(separable: list[float], **how: float) -> dict:
    trainings = made_up(separable, **how)
    [row] = depth.crossings(trainings, summary_of(trainings), "conv").to_dict("records")
    return row


def test_a_stack_crosses_where_lines_meet():
    row = crossing([0.5, 0.58, 0.66, 0.7])
    assert row["outcome"] == "crosses"
    assert row["layers"] == pytest.approx(2.25, abs=0.1)
    assert 1 < row["layers_low"] < row["layers"] < row["layers_high"] < 3
    assert 0 < row["parameters"] < 1
    assert row["time"] == pytest.approx(1)


def test_a_stack_may_never_reach_it_or_always_exceed_it():
    assert crossing([0.5, 0.51, 0.52, 0.53])["outcome"] == "always below"
    found = crossing([0.7, 0.71, 0.72, 0.73])
    assert found["outcome"] == "always above"
    assert np.isnan(found["layers"])


def test_an_end_outside_the_stacks_is_empty():
    row = crossing([0.5, 0.52, 0.58, 0.605])
    assert row["outcome"] == "crosses"
    assert np.isnan(row["layers_high"])


def test_the_largest_stack_that_costs_no_more_is_compared():
    found = depth.contrasts(made_up([0.5, 0.58, 0.66, 0.7]), "conv").set_index("cost")
    # Four separable layers have fewer parameters and MACs than one Conv2D.
    assert list(found["layers"]) == [4, 4]
    row = found.loc["parameters"]
    assert row["value"] == pytest.approx(0.1, abs=0.01)
    assert row["low"] > 0


def test_a_kind_that_costs_more_is_not_compared():
    trainings = made_up([0.5, 0.6])
    trainings["parameters"] = np.where(trainings["kind"] == "conv", 1, 2)
    assert set(depth.contrasts(trainings, "conv")["cost"]) == {"MACs"}


def test_stacks_are_networks_with_other_stages():
    model = with_layers({"stages": [{"channels": 8, "layers": 2, "pooling": 1}]}, 3)
    networks = Networks.of(model)
    alone = networks.architecture(networks.single_kind()["conv"])
    assert alone == networks.architecture(networks.stacks(3)["conv_3"])
