"""Measured times: of all modules, and of single layers over channels and feature-map sizes.

Everything that is compared is measured in turn, round by round, so that a machine which slows down
for a while slows all of it. What is compiled or allocated on a first call is no part of a time.
Where things lie in memory differs from process to process and stays for its life, so the interval
of a time is that over several processes.
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
        the median of ``repeats`` repeats (of latency, `LATENCY_ROUNDS` times as many); and where it
        was measured.
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
        per_epoch = train_images / len(order)
        row["latency_ms"] = 1e3 * statistics.median(latencies[name])
        row["fps"] = len(pictures) / statistics.median(measured[name, "batch"])
        row["epoch_seconds"] = per_epoch * statistics.median(measured[name, "training"])
        rows.append(row)
    return pd.DataFrame(rows).assign(
        repeats=repeats, batch_size=timing["batch_size"], train_images=train_images, **where
    )


def _train(engine: Any, order: np.ndarray, moves: np.ndarray) -> None:
    """Train on images in this order."""
    for _ in engine.train(order, moves):
        pass


def measure_layers(
    training: Mapping[str, Any],
    timing: Mapping[str, Any],
    device: str,
) -> pd.DataFrame:
    """Measure single layers, as many channels out as in, over channels and feature-map sizes.

    Args:
        device: What `convstudy.engine.use_backend` gave.

    Returns:
        A row a point: ``pass`` (of `PASSES`; the backward one gives the gradients by inputs and
        weights), ``size`` (of the square feature map), ``channels``, ``kind``, ``macs`` (of a call
        on ``batch_size`` feature maps, see `PASS_MACS`), ``ms`` (milliseconds a call, the median of
        ``repeats``), ``overhead_ms`` (of a call that computes nothing), ``skipped`` (why it was not
        measured) and where it was measured.
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
                    row["ms"] = 1e3 * statistics.median(measured[direction, kind])
                    row["overhead_ms"] = 1e3 * statistics.median(measured[direction, NOTHING])
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
    columns = ["pass", "size", "channels", "kind", "macs", "ms", "overhead_ms", "skipped"]
    return table.reindex(columns=columns).assign(repeats=rounds, batch_size=batch, **where)


def over_processes(
    logarithms: np.ndarray, number: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give means over processes with their 95 % intervals, Student's; empty with one process.

    Args:
        logarithms: (processes, ...). Of times, or of ratios of times.
        number: See `stats.t_half_width`.

    Returns:
        mean, low, high: (...).
    """
    processes = len(logarithms)
    mean = logarithms.mean(axis=0)
    half = np.full_like(mean, np.nan)
    if processes > 1:
        error = logarithms.std(axis=0, ddof=1) / math.sqrt(processes)
        half = stats.t_half_width(error, processes - 1, number)
    return mean, mean - half, mean + half


def combine(parts: Sequence[pd.DataFrame], times: Sequence[str]) -> pd.DataFrame:
    """Put together what several processes measured: geometric means with 95 % intervals.

    Args:
        parts: The table of each process.
        times: Columns of times or speeds.

    Returns:
        The same rows and columns, with ``_low`` and ``_high`` for each of `times`, and
        ``processes``; of the loads, the highest.
    """
    table = parts[0].copy()
    for name in times:
        logarithms = np.log(np.array([part[name] for part in parts], float))
        found = np.exp(over_processes(logarithms))
        place = table.columns.get_loc(name)
        table[name] = found[0]
        for end, values in zip(("high", "low"), found[:0:-1], strict=True):
            table.insert(place + 1, f"{name}_{end}", values)
    load = max(part["load_before"].max() for part in parts)
    return table.assign(load_before=load, processes=len(parts))


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


def crossovers(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Find from how many channels on a separable layer is faster than a Conv2D.

    It is where the times of both are equal for the last time, on a line between measured channel
    counts with logarithmic axes.

    Args:
        parts: What `measure_layers` gives in each process.

    Returns:
        A row a size and pass. ``outcome`` is ``crosses``, ``always faster`` or ``never faster`` (of
        the separable layer, within ``first_channels`` to ``last_channels``), or ``not measured``.
        Where it crosses, ``channels`` says at how many. ``channels_low`` and ``channels_high`` are
        its 95 % interval, where the ends of the ratios' intervals cross; an end is empty where it
        lies outside what was measured. ``macs_ratio`` says by how many times Conv2D's MACs exceed
        the separable layer's there, where both take as long; ``macs_channels`` is where their MACs
        are equal. ``first_speedup`` and ``last_speedup`` say how many times faster the separable
        layer is at the first and the last channels, with ``_low`` and ``_high``, and with
        ``_any_low`` and ``_any_high`` where that row is picked out of all; ``last_macs_ratio`` says
        how many times fewer MACs it has at the last ones.
    """
    rows: list[dict[str, Any]] = []
    measured = pd.concat(parts, keys=range(len(parts)), names=["process", None])
    groups = measured.groupby(["pass", "size"], sort=False)
    for (direction, size), part in groups:
        row: dict[str, Any] = {"pass": direction, "size": size, "outcome": "not measured"}
        rows.append(row)
        done = part[part["ms"].notna() & part["kind"].isin(("conv", "separable"))]
        times = done.pivot_table("ms", ["process", "kind"], "channels").dropna(axis=1)
        if done["kind"].nunique() < 2 or times.empty:
            continue
        channels = times.columns.to_numpy()
        macs = [_macs("conv", size, one) / _macs("separable", size, one) for one in channels]
        conv, separable = (np.log(times.xs(kind, level="kind")) for kind in ("conv", "separable"))
        logarithms = (conv - separable).to_numpy()
        advantage = over_processes(logarithms)
        _, any_low, any_high = over_processes(logarithms, len(groups))
        # A greater advantage crosses at fewer channels.
        found, high, low = (float(crossing(channels, one)) for one in advantage)
        crosses = np.isfinite(found)
        row |= {
            "outcome": OUTCOMES.get(found, "crosses"),
            "channels": _finite(found),
            "channels_low": _finite(low),
            "channels_high": _finite(high),
            "macs_ratio": np.interp(np.log(found), np.log(channels), macs) if crosses else np.nan,
            "macs_channels": TAPS / (TAPS - 1),
        }
        for name, place in (("first", 0), ("last", -1)):
            row[f"{name}_channels"] = channels[place]
            ends = ("", "_low", "_high", "_any_low", "_any_high")
            for end, one in zip(ends, (*advantage, any_low, any_high), strict=True):
                row[f"{name}_speedup{end}"] = float(np.exp(one[place]))
        row["last_macs_ratio"] = macs[-1]
    return pd.DataFrame(rows)


def crossing(channels: np.ndarray, advantage: np.ndarray) -> float:
    """Find the channels from which on the separable layer stays faster.

    Args:
        channels: (channels,). Rising.
        advantage: (channels,). The logarithm of how many times longer Conv2D takes.

    Returns:
        `ALWAYS` where it is faster everywhere, `NEVER` where it is not at the last channels, nan
        where that is not known.
    """
    if np.isnan(advantage).any():
        return math.nan
    behind = np.flatnonzero(advantage <= 0)
    if not len(behind):
        return ALWAYS
    last = behind[-1]
    if last == len(channels) - 1:
        return NEVER
    logs = np.log(channels)
    share = advantage[last] / (advantage[last] - advantage[last + 1])
    return float(np.exp(logs[last] + share * (logs[last + 1] - logs[last])))


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
