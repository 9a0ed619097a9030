import numpy as np
import pandas as pd
import pytest
from convstudy.analyses.pareto import numbers as pareto
from convstudy.layers.networks import ARTICLE
from helpers.tables import made_up

BIG, MIDDLE, SMALL = "conv-conv-conv", "conv-conv-depthwise", "depthwise-depthwise-depthwise"
BEATEN = "separable-separable-separable"


def measured(latencies: dict[str, float]) -> pd.DataFrame:
    """Make up measured times."""
    rows = [
        {"module": module, "latency_ms": ms, "epoch_seconds": 10 / ms}
        for module, ms in latencies.items()
    ]
    where = {"device": "cpu", "processor": "one", "threads": 1}
    return pd.DataFrame(rows).assign(**where, backend="tensorflow", precision="float32")


@pytest.fixture
def example():
    # The middle one is dear in nothing; the last one is beaten by the smallest in all three.
    accuracies = {BIG: 0.9, MIDDLE: 0.85, SMALL: 0.7, BEATEN: 0.6}
    table, _ = made_up(replicates=1, accuracies=accuracies)
    return table, measured({BIG: 4.0, MIDDLE: 3.0, SMALL: 1.0, BEATEN: 2.0})


def test_the_front_is_what_none_beats(example):
    modules, dof = pareto.joined(*example)
    front = pareto.front(modules, dof)
    assert list(front["module"]) == [BIG, MIDDLE, SMALL, BEATEN]
    assert list(front["on_front"]) == [True, True, True, False]
    assert list(front["number"].dropna()) == [1, 2, 3]
    # A single replicate tells no probability.
    assert front[["probability", "low"]].isna().all(axis=None)
    assert front["error"].iloc[0] == pytest.approx(0.1)


def test_probabilities_are_those_of_the_replicates():
    # Two modules as good as each other, of which one is smaller and faster: a coin toss.
    accuracies = {BIG: [0.81, 0.79, 0.80], SMALL: [0.79, 0.80, 0.81], BEATEN: [0.1, 0.1, 0.1]}
    table, _ = made_up(accuracies=accuracies)
    modules, dof = pareto.joined(table, measured({BIG: 4.0, SMALL: 1.0, BEATEN: 2.0}))
    front = pareto.front(modules, dof).set_index("module")
    assert front.loc[SMALL, "probability"] == 1
    assert front.loc[BIG, "probability"] == pytest.approx(0.5, abs=0.03)
    assert front.loc[BEATEN, "probability"] < 0.01


def test_the_hypervolume_of_a_hand_made_example():
    # Scaled: (0, 1) and (1, 0), reference 1.1: two rectangles of 1.1 x 0.1, less what both cover.
    points = np.array([[2.0, 300.0], [4.0, 100.0]])
    assert pareto.hypervolume(points, points) == pytest.approx(2 * 1.1 * 0.1 - 0.01)
    # The best of all in everything dominates the whole square.
    ideal = np.array([[2.0, 100.0]])
    assert pareto.hypervolume(ideal, points) == pytest.approx(1.21)


def test_a_penalty_chooses_by_its_own_quantity(example):
    modules, dof = pareto.joined(*example)
    found = pareto.penalties(modules, dof, [0.001, 0.5]).set_index(["penalty", "weight"])
    assert len(found) == 1 + 4 * 2
    assert found.loc[("nothing", 0.0), "module"] == BIG
    assert found.loc[("latency", 0.001), "module"] == BIG
    assert found.loc[("latency", 0.5), "module"] == SMALL
    # All have as many MACs, and the biggest trains fastest here.
    assert found.loc[("MACs", 0.5), "module"] == BIG
    assert found.loc[("training time", 0.5), "module"] == BIG
    # The unit is the median: 2.5 ms.
    row = found.loc[("latency", 0.5)]
    assert (row["unit"], row["objective"]) == (2.5, pytest.approx(0.3 + 0.5 * 1 / 2.5))


def random_table(seed: int):
    rng = np.random.default_rng(seed)
    accuracies = {name: rng.uniform(0.5, 0.9) for name in ARTICLE.modules()}
    table, _ = made_up(replicates=2, noise=0.01, seed=seed, accuracies=accuracies)
    return table, measured({name: rng.uniform(1, 5) for name in ARTICLE.modules()})


def test_a_replay_rises_to_all_and_is_the_same_each_time():
    table, times = random_table(0)
    modules, _ = pareto.joined(table, times)
    reached = pareto.replay(table, modules, trials=20, studies=3)
    assert reached.equals(pareto.replay(table, modules, trials=20, studies=3))
    assert len(reached) == 20 * len(pareto.SAMPLERS)
    for _, mine in reached.groupby("sampler"):
        assert list(mine["trials"]) == list(range(1, 21))
        assert mine["share_50"].is_monotonic_increasing
        assert mine["complete"].is_monotonic_increasing
        assert 0.5 < mine["share_50"].iloc[-1] <= 1
        assert (mine["share_5"] <= mine["share_50"]).all()
    # The first trials are random in each sampler, and the later ones are not.
    by_sampler = reached.pivot_table("share_50", "sampler", "trials")
    assert len(by_sampler[list(range(1, 11))].drop_duplicates()) == 1
    assert len(by_sampler.drop_duplicates()) == 3


def test_the_share_is_one_as_soon_as_the_front_is_tried():
    # One module beats all others in everything.
    table, times = random_table(1)
    best = SMALL
    table.loc[table["module"] == best, "test_accuracy_best"] = 0.99
    times.loc[times["module"] == best, "latency_ms"] = 0.1
    modules, dof = pareto.joined(table, times)
    assert list(pareto.front(modules, dof).query("on_front")["module"]) == [best]
    reached = pareto.replay(table, modules, trials=20, studies=3)
    assert ((reached["share_5"] == 1) == (reached["complete"] == 1)).all()
    assert reached.groupby("sampler")["complete"].last().min() > 0


def test_a_module_that_never_ended_well_is_left_out(example):
    table, times = example
    table.loc[table["module"] == BIG, "status"] = "diverged"
    modules, dof = pareto.joined(table, times)
    assert BIG not in modules.index
    assert BIG not in set(pareto.front(modules, dof)["module"])
    # Studies draw it, and modules that the table lacks, in vain.
    reached = pareto.replay(table, modules, trials=10, studies=2)
    assert reached["share_50"].between(0, 1).all()
