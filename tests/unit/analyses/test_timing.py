import itertools
import logging
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from convstudy.analyses.timing import measuring
from convstudy.analyses.timing import numbers as timing
from convstudy.config import settings
from convstudy.layers.networks import ARTICLE, build, costs, total
from convstudy.training.engine import backends
from scipy import stats

CONFIG = settings.validate({}, this_machine=False)
TIMING = {
    **CONFIG["timing"],
    "repeats": 3,
    "batch_size": 8,
    "training_steps": 1,
    "layers": {"channels": [16, 2], "sizes": [4], "batch_size": 2, "most_macs": 10_000},
}
MODULES = {name: ARTICLE.modules()[name] for name in ("conv-conv-conv", "depthwise-conv-separable")}


@pytest.fixture(scope="module")
def device() -> str:
    return backends.use_backend("tensorflow", "cpu", 1)


@pytest.fixture(autouse=True)
def short_repeats(monkeypatch):
    monkeypatch.setattr(measuring, "REPEAT_SECONDS", 0.001)


def processes_of(
    conv: list[float],
    separable: list[float],
    channels: list[int],
    noise: float = 0,
    seed: int = 0,
    number: int = 3,
) -> list[pd.DataFrame]:
    """Make what processes measure around these times, ms, at 8 x 8."""
    rng = np.random.default_rng(seed)
    return [
        pd.DataFrame(
            [
                {"pass": "forward", "size": 8, "channels": channels[place], "kind": kind}
                | {"ms": times[place] * np.exp(noise * rng.normal())}
                for kind, times in (("conv", conv), ("separable", separable))
                for place in range(len(times))
            ]
        )
        for _ in range(number)
    ]


CHANNELS = [8, 16, 64, 256]
# Conv2D takes c²/64 and the separable layer c/2: equal at 32.
CROSSING = ([c**2 / 64 for c in CHANNELS], [c / 2 for c in CHANNELS], CHANNELS)


def test_a_crossover_is_where_logarithmic_lines_meet():
    [row] = timing.crossovers(processes_of(*CROSSING), ARTICLE).to_dict("records")
    assert row["outcome"] == "crosses"
    assert row["channels"] == pytest.approx(32)
    assert [row["channels_low"], row["channels_high"]] == pytest.approx([32, 32])
    assert row["last_speedup"] == pytest.approx(256**2 / 64 / 128)
    # 9c² against 9c + c².
    assert row["last_macs_ratio"] == pytest.approx(9 * 256 / (9 + 256))
    assert row["macs_ratio"] == pytest.approx(9 * 32 / (9 + 32), rel=0.05)
    assert row["macs_channels"] == pytest.approx(9 / 8)


def test_processes_that_differ_give_a_crossover_an_interval():
    row = timing.crossovers(processes_of(*CROSSING, noise=0.1), ARTICLE).iloc[0]
    assert 8 < row["channels_low"] < row["channels"] < row["channels_high"] < 256
    assert row["first_speedup_low"] < row["first_speedup"] < row["first_speedup_high"]


def test_one_process_has_no_interval():
    row = timing.crossovers(processes_of(*CROSSING, noise=0.1, number=1), ARTICLE).iloc[0]
    assert row[["channels_low", "channels_high", "first_speedup_low"]].isna().all()
    assert row["outcome"] == "crosses"


def test_processes_are_put_together_by_their_geometric_mean():
    parts = [
        pd.DataFrame({"module": ["a", "b"], "ms": [1.0, time], "load_before": load})
        for time, load in ((2.0, 0.1), (8.0, 0.4))
    ]
    table = timing.combine(parts, ["ms"])
    assert list(table["ms"]) == pytest.approx([1, 4])
    assert list(table.loc[0, ["ms_low", "ms_high"]]) == pytest.approx([1, 1])
    half = stats.t.ppf(0.975, 1) * np.log([2, 8]).std(ddof=1) / np.sqrt(2)
    assert list(table.loc[1, ["ms_low", "ms_high"]]) == pytest.approx(
        [4 * np.exp(-half), 4 * np.exp(half)]
    )
    assert set(table["load_before"]) == {0.4}
    assert set(table["processes"]) == {2}
    assert list(table) == ["module", "ms", "ms_low", "ms_high", "load_before", "processes", "dof"]
    assert set(table["dof"]) == {1}


@pytest.mark.parametrize(
    ("separable", "outcome"), [([0.5, 0.5], "always faster"), ([2, 2], "never faster")]
)
def test_there_may_be_no_crossover(separable: list[float], outcome: str):
    found = timing.crossovers(processes_of([1, 1], separable, [8, 64]), ARTICLE).iloc[0]
    assert found["outcome"] == outcome
    assert found[["channels", "channels_low", "channels_high", "macs_ratio"]].isna().all()


def test_it_is_from_the_last_crossing_on_that_separable_layers_are_faster():
    # Faster, slower, faster: equal times at 8 and at 32.
    found = timing.crossovers(processes_of([1, 1, 4], [0.5, 2, 2], [4, 16, 64]), ARTICLE).iloc[0]
    assert found["channels"] == pytest.approx(32)


def test_channels_that_one_kind_lacks_do_not_count():
    found = timing.crossovers(processes_of([1, 1], [2, 2, 0.1], [8, 64, 512]), ARTICLE).iloc[0]
    assert (found["outcome"], found["last_channels"]) == ("never faster", 64)
    [row] = timing.crossovers(processes_of([], [1, 1], [8, 64]), ARTICLE).to_dict("records")
    assert row == {"pass": "forward", "size": 8, "kind": "separable", "outcome": "not measured"}


def test_actions_take_turns_after_a_warm_up():
    called: list[str] = []
    actions = {name: lambda name=name: called.append(name) for name in "ab"}
    measured = measuring.take_turns(actions, 3)
    assert {key: len(times) for key, times in measured.items()} == {"a": 3, "b": 3}
    runs = re.sub(r"(.)\1+", r"\1", "".join(called))
    assert runs == "ab" * 4


def test_of_stacks_only_batches_are_measured(device: str):
    stacks = {"conv_1": ("conv",)}
    model = {**CONFIG["model"], "width": 0.0625}
    training = {**CONFIG["training"], "batch_size": 16}
    table = measuring.measure_modules(
        model, training, TIMING, 5000, device, stacks, only_batches=True
    )
    assert table["fps"].gt(0).all()
    assert not {"latency_ms", "epoch_seconds"} & set(table)


def test_modules_are_measured_with_their_counts(device: str, monkeypatch):
    # A clock on which everything takes 0.1 s.
    ticks = itertools.count()
    clock = SimpleNamespace(perf_counter=lambda: next(ticks) / 10)
    monkeypatch.setattr(measuring, "time", clock)
    training = {**CONFIG["training"], "batch_size": 16}
    table = measuring.measure_modules(
        {**CONFIG["model"], "width": 0.125}, training, TIMING, 5000, device, MODULES
    )
    assert list(table["module"]) == list(MODULES)
    for name, row in zip(MODULES, table.to_dict("records"), strict=True):
        layers = ARTICLE.architecture(MODULES[name], 0.125)
        assert row["parameters"] == build(layers).count_params()
        assert row["macs"] == total(costs(layers)).macs
        assert (row["device"], row["threads"], row["repeats"]) == ("cpu", 1, 3)
        # One image, batches of 8 images, and one step of 16.
        assert row["latency_ms"] == pytest.approx(100)
        assert row["fps"] == pytest.approx(80)
        assert row["epoch_seconds"] == pytest.approx(0.1 * 5000 / 16)


def test_layers_are_measured_and_what_is_skipped_is_recorded(device: str, caplog):
    with caplog.at_level(logging.INFO, logger="convstudy"):
        table = measuring.measure_layers(CONFIG["model"], CONFIG["training"], TIMING, device)
    assert len(table) == len(timing.PASSES) * 2 * len(ARTICLE.kinds)
    skipped = table[table["skipped"].notna()]
    # 9 · 16² · 4² · 2 = 73,728 of Conv2D and 12,800 of the separable layer are more than 10,000.
    assert set(zip(skipped["kind"], skipped["channels"], strict=True)) == {
        ("conv", 16),
        ("separable", 16),
    }
    assert skipped["ms"].isna().all()
    assert "73,728 MACs, more than most_macs: 10,000" in skipped["skipped"].iloc[0]
    assert "4 of 12 points were skipped" in caplog.text
    done = table[table["skipped"].isna()]
    assert (done["overhead_ms"] > 0).all()
    conv = done[(done["kind"] == "conv") & (done["channels"] == 2)].set_index("pass")
    assert list(conv.loc[list(timing.PASSES), "macs"]) == [1152, 3 * 1152]


def test_a_compiled_call_computes_outputs_and_gradients(device: str):
    import keras

    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    x = keras.ops.convert_to_tensor([[1.0, 2.0, 3.0]])
    upstream = keras.ops.convert_to_tensor([[1.0, 10.0]])
    alone = backends.compiled_call(model)(x)
    outputs, (by_inputs, by_kernel, by_bias) = backends.compiled_call(model, gradients=True)(
        x, upstream
    )
    for found in (alone, outputs):
        np.testing.assert_allclose(found, model(x), rtol=1e-6)
    kernel = model.get_weights()[0]
    np.testing.assert_allclose(by_inputs, upstream @ kernel.T, rtol=1e-6)
    np.testing.assert_allclose(by_kernel, np.outer([1, 2, 3], [1, 10]), rtol=1e-6)
    np.testing.assert_allclose(by_bias, [1, 10])


def test_correlations_are_those_of_times():
    macs = np.array([1e6, 2e6, 4e6])
    modules = pd.DataFrame(
        {"parameters": [3, 2, 1], "macs": macs, "latency_ms": macs**2, "fps": 1 / macs}
    ).assign(epoch_seconds=[1, 3, 2])
    found = timing.correlations(modules).set_index(["time", "against"])
    for name in ("latency", "time of a batch"):
        assert found.loc[(name, "MACs"), "spearman"] == pytest.approx(1)
        assert found.loc[(name, "MACs"), "pearson"] == pytest.approx(1)
        assert found.loc[(name, "parameters"), "spearman"] == pytest.approx(-1)
    assert found.loc[("training time", "MACs"), "spearman"] == pytest.approx(0.5)


def test_a_busy_machine_is_told(caplog, monkeypatch):
    monkeypatch.setattr(measuring.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(measuring.os, "getloadavg", lambda: (0.9, 0, 0))
    assert measuring.place(CONFIG["training"], "cpu")["load_before"] == 0.9
    assert not caplog.text
    monkeypatch.setattr(measuring.os, "getloadavg", lambda: (3.0, 0, 0))
    measuring.place(CONFIG["training"], "cpu")
    assert "the machine is busy (load 3.0 on 2 cores)" in caplog.text
