"""Measured times of all modules, and of single layers by channels and feature-map size.

Everything that is compared is measured in turn, round by round, so that a temporary slowdown of the
machine affects all of it. Times exclude compilation and allocation, which happen on a first call.
"""

import contextlib
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

from convstudy.analyses.timing.numbers import PASSES, layer_macs
from convstudy.core import environment
from convstudy.core.progress import Progress
from convstudy.layers.kinds import LayerKind, UncountableError
from convstudy.layers.networks import Networks

logger = logging.getLogger(__name__)

# A repeat makes as many calls as fill this time. Its result is the median of its calls, since other
# work on the machine lengthens some of them.
REPEAT_SECONDS = 0.03
# Latency rounds per round of the rest: its calls are short, so disturbances weigh more.
LATENCY_ROUNDS = 5
# The gradients by inputs and by weights each take as many products as the convolution itself.
PASS_MACS = {"forward": 1, "forward and backward": 3}

# A call without a layer.
NOTHING = "nothing"
Action = Callable[[], object]


def take_turns(
    actions: Mapping[Any, Action], repeats: int, what: str = ""
) -> dict[Any, list[float]]:
    """Measure actions in turn, round by round.

    Args:
        actions: What to call, keyed by anything.
        repeats: Number of rounds.
        what: What is measured, for progress messages; none if empty.

    Returns:
        Seconds per call in each round, by the same keys.
    """
    calls = {}
    progress = Progress(logger, f"{what}: compiled", len(actions))
    for key, action in actions.items():
        # The first call compiles; the second shows how many fill a repeat.
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
    """Return the median seconds of a number of calls."""
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        action()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def noise(images: int, networks: Networks) -> Any:
    """Make a data set of noise; times do not depend on what the images show."""
    from convstudy.data.dataset import Dataset

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (images, *networks.input_shape), dtype=np.uint8)
    labels = rng.integers(0, networks.classes, images, dtype=np.uint8)
    return Dataset(pixels, labels, pixels[:0], labels[:0], pixels[:1], labels[:1], "noise")


def place(training: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Describe what is measured on, and warn if the machine is busy.

    Args:
        device: The result of `convstudy.training.engine.backends.use_backend`.
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
        "processor": environment.hardware()["processor"],
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
    only_batches: bool = False,
) -> pd.DataFrame:
    """Measure inference and training of all modules, in turn.

    Inference is a compiled function of the Keras model, in inference mode, on images (uint8) that
    are on the device already; training uses the project's own engine.

    Args:
        model, training, timing: The config's sections.
        train_images: Images per epoch.
        device: The result of `convstudy.training.engine.backends.use_backend`.
        modules: Layer kinds by name; all modules by default.
        only_batches: Whether to leave out latency and training.

    Returns:
        One row per module: its layers, ``parameters``, ``macs`` (per image) at the trained width,
        ``latency_ms`` (one image, milliseconds), ``fps`` (images per second in batches of
        ``batch_size``) and ``epoch_seconds`` (an epoch of ``train_images``, without tests), each
        the median of ``repeats`` repeats (`LATENCY_ROUNDS` times as many for latency); and what it
        was measured on.
    """
    where = place(training, device)
    networks = Networks.of(model)
    images = timing["training_steps"] * training["batch_size"]
    modules = networks.modules() if modules is None else modules
    latency, others = _module_calls(model, training, timing, images, modules)
    if only_batches:
        latency, others = {}, {key: call for key, call in others.items() if key[1] == "batch"}
    repeats = timing["repeats"]
    latencies = take_turns(latency, LATENCY_ROUNDS * repeats, "latency")
    measured = take_turns(others, repeats, "batches" if only_batches else "batches and training")
    rows = []
    for name, kinds in modules.items():
        cost = networks.count(kinds, model["width"])
        row: dict[str, Any] = {
            "module": name,
            **dict(zip(networks.positions, kinds, strict=False)),
            "parameters": cost.parameters,
            "macs": cost.macs,
        }
        if not only_batches:
            row["latency_ms"] = 1e3 * statistics.median(latencies[name])
        row["fps"] = timing["batch_size"] / statistics.median(measured[name, "batch"])
        if not only_batches:
            seconds = statistics.median(measured[name, "training"])
            row["epoch_seconds"] = train_images / images * seconds
        rows.append(row)
    return pd.DataFrame(rows).assign(
        repeats=repeats, batch_size=timing["batch_size"], train_images=train_images, **where
    )


def _module_calls(
    model: Mapping[str, Any],
    training: Mapping[str, Any],
    timing: Mapping[str, Any],
    images: int,
    modules: Mapping[str, Sequence[str]],
) -> tuple[dict[str, Action], dict[tuple[str, str], Action]]:
    """Compile calls of every module: on one image, on a batch, and of training."""
    from keras import ops

    from convstudy.training.engine.backends import compiled_call
    from convstudy.training.engine.steps import draw_augmentation
    from convstudy.training.trainer import Recipe, Trainer

    networks = Networks.of(model)
    dataset = noise(images, networks)
    pictures = noise(timing["batch_size"], networks).train_images
    recipe = Recipe.from_settings(training, training["epochs"])
    one, many = ops.convert_to_tensor(pictures[:1]), ops.convert_to_tensor(pictures)
    order = np.arange(images)
    moves = draw_augmentation(training["augmentation"], images, np.random.default_rng(0))
    latency: dict[str, Action] = {}
    others: dict[tuple[str, str], Action] = {}
    for name, kinds in modules.items():
        trainer = Trainer(
            networks.architecture(kinds, model["width"], model["batch_normalization_momentum"]),
            recipe,
            training["seed"],
            dataset,
            jit_compile=training["jit_compile"],
        )
        call = compiled_call(trainer.model, jit_compile=training["jit_compile"])
        latency[name] = partial(call, one)
        others[name, "batch"] = partial(call, many)
        others[name, "training"] = partial(_train, trainer.engine, order, moves)
    return latency, others


def _train(engine: Any, order: np.ndarray, moves: np.ndarray) -> None:
    """Train on the images in this order."""
    for _ in engine.train(order, moves):
        pass


def measure_layers(
    model: Mapping[str, Any], training: Mapping[str, Any], timing: Mapping[str, Any], device: str
) -> pd.DataFrame:
    """Measure single kinds, with equal channels in and out, by channels and feature-map size.

    Args:
        model, training, timing: The config's sections.
        device: The result of `convstudy.training.engine.backends.use_backend`.

    Returns:
        One row per point: ``pass`` (of `PASSES`; backward computes the gradients by inputs and
        weights), ``size`` (of the square feature map), ``channels``, ``kind``, ``macs`` (per call
        on ``batch_size`` feature maps, see `PASS_MACS`), ``ms`` (milliseconds per call, the median
        of ``repeats``), ``overhead_ms`` (of a call that computes nothing), ``skipped`` (why it was
        not measured) and what it was measured on.
    """
    import keras

    where = place(training, device)
    settings = timing["layers"]
    batch, most, rounds = settings["batch_size"], settings["most_macs"], timing["repeats"]
    keras.config.set_dtype_policy(training["precision"])
    kinds = Networks.of(model).kinds
    points = [
        (size, channels)
        for size in sorted(settings["sizes"])
        for channels in sorted(settings["channels"])
    ]
    progress = Progress(logger, "layers: points", len(points))
    rows: list[dict[str, Any]] = []
    for size, channels in points:
        macs = {}
        for kind, made in kinds.items():
            # Groups need not divide the smallest numbers of channels.
            with contextlib.suppress(UncountableError):
                macs[kind] = batch * layer_macs(made, size, channels)
        chosen = {kind: kinds[kind] for kind in macs if macs[kind] <= most}
        actions = _layer_calls(chosen, size, channels, batch, training["jit_compile"])
        measured = take_turns(actions, rounds)
        for direction in PASSES:
            for kind in macs:
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


def _layer_calls(
    kinds: Mapping[str, LayerKind], size: int, channels: int, batch: int, jit_compile: bool | str
) -> dict[tuple[str, str], Action]:
    """Compile layers, and an empty call to measure overhead, by pass and kind."""
    import keras

    from convstudy.training.engine.backends import compiled_call

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
            layers = [
                getattr(keras.layers, layer.type)(name=layer.name, **layer.arguments)
                for layer in kinds[kind].layers(kind, channels)
            ]
            made = layers[0] if len(layers) == 1 else keras.Sequential(layers)
        model = keras.Model(inputs, made(inputs))
        for direction, gradients in zip(PASSES, (False, True), strict=True):
            call = compiled_call(model, gradients, jit_compile)
            actions[direction, kind] = partial(call, *arrays[: 1 + gradients])
    return actions
