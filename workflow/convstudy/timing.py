"""Measured times: of all modules, and of single layers over channels and feature-map sizes.

Everything that is compared is measured in turn, round by round, so that a machine which slows down
for a while slows all of it. What is compiled or allocated on a first call is no part of a time.
"""

import logging
import math
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from convstudy import layers, models, provenance, stats
from convstudy.layers import KINDS
from convstudy.logs import Progress
from convstudy.models import POSITIONS

logger = logging.getLogger(__name__)

# A repeat calls as often as it takes to fill this time. Its result is the median of its calls, for
# what else the machine does lengthens some of them.
REPEAT_SECONDS = 0.03
# Rounds of latency for each round of the rest: its calls are short, and a disturbance weighs more.
LATENCY_ROUNDS = 5
PASSES = ("forward", "forward and backward")
# A convolution's gradients by its inputs and by its weights take as many products as itself, each.
PASS_MACS = {"forward": 1, "forward and backward": 3}
# A call of no layer.
NOTHING = "nothing"
# Measured of every module, and the column that has it.
TIMES = {"latency": "latency_ms", "time of a batch": "fps", "training time": "epoch_seconds"}
COUNTS = {"parameters": "parameters", "MACs": "macs"}
# On what was measured, a column each.
WHERE = ("device", "processor", "threads", "backend", "precision")
# Weights of a 3x3 kernel for a pair of channels.
TAPS = 9
# A crossover below and beyond what was measured.
ALWAYS, NEVER = -math.inf, math.inf
OUTCOMES = {ALWAYS: "always faster", NEVER: "never faster"}
# Resampled repeats from which a crossover's interval comes.
DRAWS = 2000

Action = Callable[[], object]


def take_turns(
    actions: Mapping[Any, Action], repeats: int, what: str = ""
) -> dict[Any, list[float]]:
    """Measure actions in turn, round by round.

    Args:
        actions: What to call, by any key.
        repeats: Rounds.
        what: What is measured, for lines on how far it is; without it, there are none.

    Returns:
        Seconds a call of each round, by the same keys.
    """
    calls = {}
    progress = Progress(logger, f"{what}: compiled", len(actions))
    for key, action in actions.items():
        # The first call compiles; the second one tells how many fill a repeat.
        _seconds(action)
        calls[key] = max(1, math.ceil(REPEAT_SECONDS / _seconds(action)))
        progress.count(tell=bool(what))
    measured: dict[Any, list[float]] = {key: [] for key in actions}
    progress = Progress(logger, f"{what}: rounds", repeats)
    for _ in range(repeats):
        for key, action in actions.items():
            measured[key].append(_seconds(action, calls[key]))
        progress.count(tell=bool(what))
    return measured


def _seconds(action: Action, calls: int = 1) -> float:
    """Give the median seconds of so many calls."""
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        action()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def noise(images: int) -> Any:
    """Make a data set of noise: how long it takes does not depend on what images show."""
    from convstudy.data import Dataset

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (images, *models.INPUT_SHAPE), dtype=np.uint8)
    labels = rng.integers(0, models.CLASSES, images, dtype=np.uint8)
    return Dataset(pixels, labels, pixels[:0], labels[:0], pixels[:1], labels[:1], "noise")


def place(training: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Say on what was measured, and warn where others keep the machine busy.

    Args:
        device: What `convstudy.engine.use_backend` gives.
    """
    load = os.getloadavg()[0]
    cores = os.cpu_count() or 1
    if load > 0.5 * cores:
        logger.warning(
            "the machine is busy (load %.1f on %d cores): times are longer and vary more than on"
            " an idle one",
            load,
            cores,
        )
    return {
        "device": device,
        "processor": provenance.hardware()["processor"],
        "threads": training["threads"],
        "backend": training["backend"],
        "precision": training["precision"],
        "load_before": round(load, 2),
    }


def measure_modules(
    model: Mapping[str, Any],
    training: Mapping[str, Any],
    timing: Mapping[str, Any],
    train_images: int,
    device: str,
    modules: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Measure inference and training of all modules, in turn.

    Inference is a compiled function of the Keras model, in inference mode, on images (uint8) that
    the device has already; training is the project's engine, as in a training.

    Args:
        model, training, timing: The config's sections.
        train_images: Images of an epoch.
        device: What `convstudy.engine.use_backend` gave.
        modules: Layer kinds by name; all modules by default.

    Returns:
        A row a module: its layers, ``parameters`` and ``macs`` (of one image) at the trained width;
        ``latency_ms`` (one image, milliseconds), ``fps`` (images a second in batches of
        ``batch_size``) and ``epoch_seconds`` (an epoch of ``train_images``, without tests), each
        the median of ``repeats`` repeats (of latency, `LATENCY_ROUNDS` times as many) with ``_low``
        and ``_high``, see `stats.median_interval`; and where it was measured.
    """
    from keras import ops

    from convstudy.engine import compiled_call, draw_moves
    from convstudy.training.trainer import Recipe, Trainer

    where = place(training, device)
    modules = modules or models.modules()
    steps, batch = timing["training_steps"], training["batch_size"]
    dataset = noise(steps * batch)
    recipe = Recipe.from_settings(training, training["epochs"])
    momentum = model["batch_normalization_momentum"]
    pictures = noise(timing["batch_size"]).train_images
    one, many = ops.convert_to_tensor(pictures[:1]), ops.convert_to_tensor(pictures)
    order = np.arange(steps * batch)
    moves = draw_moves(training["augmentation"], len(order), np.random.default_rng(0))
    latency: dict[str, Action] = {}
    others: dict[tuple[str, str], Action] = {}
    for name, kinds in modules.items():
        trainer = Trainer(
            models.architecture(kinds, model["width"], momentum),
            recipe,
            training["seed"],
            dataset,
            jit_compile=training["jit_compile"],
        )
        call = compiled_call(trainer.model, jit_compile=training["jit_compile"])
        latency[name] = partial(call, one)
        others[name, "batch"] = partial(call, many)
        others[name, "training"] = partial(_train, trainer.engine, order, moves)
    repeats = timing["repeats"]
    latencies = take_turns(latency, LATENCY_ROUNDS * repeats, "latency")
    measured = take_turns(others, repeats, "batches and training")
    rows = []
    for name, kinds in modules.items():
        cost = models.total(models.costs(models.architecture(kinds, model["width"])))
        row: dict[str, Any] = {
            "module": name,
            **dict(zip(POSITIONS, kinds, strict=False)),
            "parameters": cost.parameters,
            "macs": cost.macs,
        }
        row |= _columns("latency_ms", [1e3 * each for each in latencies[name]])
        row |= _columns("fps", [len(pictures) / each for each in measured[name, "batch"]])
        per_epoch = train_images / len(order)
        row |= _columns("epoch_seconds", [per_epoch * each for each in measured[name, "training"]])
        rows.append(row)
    return pd.DataFrame(rows).assign(
        repeats=repeats, batch_size=timing["batch_size"], train_images=train_images, **where
    )


def _train(engine: Any, order: np.ndarray, moves: np.ndarray) -> None:
    """Train on images in this order."""
    for _ in engine.train(order, moves):
        pass


def _columns(name: str, repeats: Sequence[float]) -> dict[str, float]:
    """Give a column each to the median and the ends of its interval."""
    low, high = stats.median_interval(repeats)
    return {name: float(np.median(repeats)), f"{name}_low": low, f"{name}_high": high}


def measure_layers(
    training: Mapping[str, Any],
    timing: Mapping[str, Any],
    device: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure single layers, as many channels out as in, over channels and feature-map sizes.

    Args:
        device: What `convstudy.engine.use_backend` gave.

    Returns:
        layers: A row a point: ``pass`` (of `PASSES`; the backward one gives the gradients by inputs
            and weights), ``size`` (of the square feature map), ``channels``, ``kind``, ``macs`` (of
            a call on ``batch_size`` feature maps, see `PASS_MACS`), ``ms`` (milliseconds a call,
            the median of ``repeats``), ``ms_low``, ``ms_high`` (its interval),
            ``gmacs_per_second``, ``overhead_ms`` (of a call that computes nothing), ``skipped``
            (why it was not measured) and where it was measured.
        repeats: Every measurement: ``pass``, ``size``, ``channels``, ``kind``, ``repeat``, ``ms``.
    """
    import keras

    where = place(training, device)
    settings = timing["layers"]
    batch, most, rounds = settings["batch_size"], settings["most_macs"], timing["repeats"]
    keras.config.set_dtype_policy(training["precision"])
    points = [
        (size, channels)
        for size in sorted(settings["sizes"])
        for channels in sorted(settings["channels"])
    ]
    progress = Progress(logger, "layers: points", len(points))
    rows: list[dict[str, Any]] = []
    repeats: list[dict[str, Any]] = []
    for size, channels in points:
        macs = {kind: batch * _macs(kind, size, channels) for kind in KINDS}
        chosen = [kind for kind in KINDS if macs[kind] <= most]
        actions = _layer_calls(chosen, size, channels, batch, training["jit_compile"])
        measured = take_turns(actions, rounds)
        for direction in PASSES:
            for kind in KINDS:
                which = {"pass": direction, "size": size, "channels": channels, "kind": kind}
                row: dict[str, Any] = {**which, "macs": PASS_MACS[direction] * macs[kind]}
                if kind in chosen:
                    times = [1e3 * each for each in measured[direction, kind]]
                    repeats += [
                        {**which, "repeat": number, "ms": each} for number, each in enumerate(times)
                    ]
                    row |= _columns("ms", times)
                    row["gmacs_per_second"] = row["macs"] / row["ms"] / 1e6
                    row["overhead_ms"] = 1e3 * float(np.median(measured[direction, NOTHING]))
                else:
                    row["skipped"] = (
                        f"a call has {macs[kind]:,} MACs, more than most_macs: {most:,}"
                    )
                rows.append(row)
        progress.count()
        keras.backend.clear_session()
    table = pd.DataFrame(rows)
    if "skipped" in table:
        logger.info(
            "%d of %d points were skipped: a call has more than timing.layers.most_macs (%s)",
            table["skipped"].notna().sum(),
            len(table),
            f"{most:,}",
        )
    columns = ["ms", "ms_low", "ms_high", "gmacs_per_second", "overhead_ms", "skipped"]
    table = table.reindex(columns=["pass", "size", "channels", "kind", "macs", *columns])
    return table.assign(repeats=rounds, batch_size=batch, **where), pd.DataFrame(repeats)


def _macs(kind: str, size: int, channels: int) -> int:
    """Count a layer's multiply-accumulates on one feature map."""
    return layers.cost(KINDS[kind].layer("layer", channels), (size, size, channels)).macs


def _layer_calls(
    kinds: Sequence[str], size: int, channels: int, batch: int, jit_compile: bool | str
) -> dict[tuple[str, str], Action]:
    """Compile layers and, to see what a call costs by itself, nothing; by pass and kind."""
    import keras

    from convstudy.engine import compiled_call

    precision = keras.config.dtype_policy().compute_dtype
    rng = np.random.default_rng(0)
    arrays = [
        keras.ops.convert_to_tensor(rng.normal(size=(batch, size, size, channels)), precision)
        for _ in range(2)
    ]
    actions: dict[tuple[str, str], Action] = {}
    for kind in (*kinds, NOTHING):
        inputs = keras.Input((size, size, channels), dtype=precision)
        made = keras.layers.Identity()
        if kind != NOTHING:
            layer = KINDS[kind].layer(kind, channels)
            made = getattr(keras.layers, layer.type)(name=layer.name, **layer.arguments)
        model = keras.Model(inputs, made(inputs))
        for direction, gradients in zip(PASSES, (False, True), strict=True):
            call = compiled_call(model, gradients, jit_compile)
            actions[direction, kind] = partial(call, *arrays[: 1 + gradients])
    return actions


def crossovers(repeats: pd.DataFrame) -> pd.DataFrame:
    """Find from how many channels on a separable layer is faster than a Conv2D.

    It is where the two median times are equal for the last time, on a line between measured
    channel counts with logarithmic axes.

    Args:
        repeats: The second one of `measure_layers`.

    Returns:
        A row a size and pass. ``outcome`` is ``crosses``, ``always faster`` or ``never faster`` (of
        the separable layer, within ``first_channels`` to ``last_channels``), or ``not measured``.
        Where it crosses, ``channels`` says at how many. ``channels_low`` and ``channels_high`` are
        the 95 % interval over resampled repeats; an end is empty where it lies outside what was
        measured, and ``always_share`` and ``never_share`` are the shares of resamples with those
        outcomes. ``macs_ratio`` says by how many times Conv2D's MACs exceed the separable layer's
        there, where both take as long; ``macs_channels`` is where their MACs are equal.
        ``first_speedup`` and ``last_speedup`` say how many times faster the separable layer is at
        the first and the last channels, with ``_low`` and ``_high``, and ``last_macs_ratio`` how
        many times fewer MACs it has at the last ones.
    """
    rows: list[dict[str, Any]] = []
    for (direction, size), part in repeats.groupby(["pass", "size"], sort=False):
        row: dict[str, Any] = {"pass": direction, "size": size, "outcome": "not measured"}
        rows.append(row)
        kinds = [
            part[part["kind"] == kind].pivot_table("ms", "channels", "repeat")
            for kind in ("conv", "separable")
        ]
        both = kinds[0].index.intersection(kinds[1].index)
        if both.empty:
            continue
        channels = both.to_numpy()
        times = np.stack([kind.loc[both].to_numpy() for kind in kinds])
        macs = [_macs("conv", size, one) / _macs("separable", size, one) for one in channels]
        advantage = _advantage(times)
        found = float(_crossing(channels, advantage)[0])
        rng = np.random.default_rng(0)
        number = times.shape[-1]
        # Both kinds of a round are resampled together: they were measured side by side.
        chosen = rng.integers(0, number, (DRAWS, len(channels), number))
        drawn = _advantage(np.take_along_axis(times[:, None], chosen[None], axis=-1))
        crossings = _crossing(channels, drawn)
        low, high = np.quantile(crossings, [0.025, 0.975], method="inverted_cdf")
        crosses = np.isfinite(found)
        row |= {
            "outcome": OUTCOMES.get(found, "crosses"),
            "channels": _finite(found),
            "channels_low": _finite(low),
            "channels_high": _finite(high),
            "always_share": float(np.mean(crossings == ALWAYS)),
            "never_share": float(np.mean(crossings == NEVER)),
            "macs_ratio": np.interp(np.log(found), np.log(channels), macs) if crosses else np.nan,
            "macs_channels": TAPS / (TAPS - 1),
        }
        for name, place in (("first", 0), ("last", -1)):
            low, high = np.exp(np.quantile(drawn[:, place], [0.025, 0.975]))
            row |= {
                f"{name}_channels": channels[place],
                f"{name}_speedup": float(np.exp(advantage[0, place])),
                f"{name}_speedup_low": low,
                f"{name}_speedup_high": high,
            }
        row["last_macs_ratio"] = macs[-1]
    return pd.DataFrame(rows)


def _advantage(times: np.ndarray) -> np.ndarray:
    """Give the logarithm of how many times longer Conv2D takes.

    Args:
        times: (2, ..., channels, repeats). Of Conv2D and the separable layer.

    Returns:
        (draws, channels).
    """
    conv, separable = np.log(np.median(times, axis=-1))
    return np.atleast_2d(conv - separable)


def _crossing(channels: np.ndarray, advantage: np.ndarray) -> np.ndarray:
    """Find the channels from which on the advantage stays above zero.

    Args:
        channels: (channels,). Rising.
        advantage: (draws, channels).

    Returns:
        (draws,). `ALWAYS` where it is above zero everywhere, `NEVER` where it is not at the last
        channels.
    """
    logs = np.log(channels)
    found = np.full(len(advantage), ALWAYS)
    for row, values in enumerate(advantage):
        behind = np.flatnonzero(values <= 0)
        if not len(behind):
            continue
        last = behind[-1]
        if last == len(channels) - 1:
            found[row] = NEVER
            continue
        share = values[last] / (values[last] - values[last + 1])
        found[row] = np.exp(logs[last] + share * (logs[last + 1] - logs[last]))
    return found


def _finite(value: float) -> float:
    return float(value) if np.isfinite(value) else np.nan


def correlations(modules: pd.DataFrame) -> pd.DataFrame:
    """Say how far parameters and MACs tell the times of the modules.

    Args:
        modules: What `measure_modules` gives.

    Returns:
        ``time`` (of `TIMES`), ``against`` (of `COUNTS`), ``spearman`` (correlation of ranks) and
        ``pearson`` (of logarithms).
    """
    from scipy.stats import pearsonr, spearmanr

    rows = []
    for name, column in TIMES.items():
        # Images a second are the inverse of a time.
        times = 1 / modules[column] if column == "fps" else modules[column]
        for against, counted in COUNTS.items():
            rows.append(
                {
                    "time": name,
                    "against": against,
                    "spearman": spearmanr(times, modules[counted]).statistic,
                    "pearson": pearsonr(np.log(times), np.log(modules[counted])).statistic,
                }
            )
    return pd.DataFrame(rows)
