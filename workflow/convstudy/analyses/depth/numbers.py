"""Stacks: single-kind networks with more or fewer layers, by accuracy, size and time.

The article says that cheap layers exist to be stacked: one alone is less accurate than a Conv2D,
several are more accurate.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from convstudy.layers.networks import Networks, stack
from convstudy.stats import intervals
from convstudy.training import record

# What a stack costs, with the columns.
COSTS = {"parameters": "parameters", "MACs": "macs", "time": "batch_ms"}
# Between two numbers of layers, where a curve is drawn as a line.
STEPS = 50


def tabulate(
    descriptions: Sequence[Mapping[str, Any]], networks: Networks, width: float
) -> pd.DataFrame:
    """Tabulate the trainings, one row each.

    Args:
        descriptions: Results of `Curve.describe`, with ``model`` (the kind), ``layers`` and
            ``parameters``.
        networks: Those of the run.
        width: The trained width.
    """

    def about(one: Mapping[str, Any]) -> dict[str, Any]:
        kinds = (one["model"],) * one["layers"]
        return {
            "kind": one["model"],
            "layers": one["layers"],
            "replicate": one["replicate"],
            "parameters": one["parameters"],
            "macs": networks.count(kinds, width).macs,
        }

    return record.tabulate(descriptions, about, ("device", "status", "curve"))


def summarise(trainings: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """Summarise the stacks.

    Args:
        trainings: The result of `tabulate`.
        times: Combined measurements, see `timing.numbers.combine`, of the stacks.

    Returns:
        One row per kind and number of layers: ``kind``, ``layers``, ``parameters``, ``macs`` (of
        one image), ``batch_ms`` (milliseconds of a batch of images, with its 95 % interval over
        processes, ``_low`` and ``_high``), ``replicates``, and ``mean`` with ``low`` and ``high``:
        the best test accuracy over epochs with its 95 % interval over new trainings and images.
    """
    rows = []
    for (kind, layers), part in trainings.groupby(["kind", "layers"], sort=False):
        low, high = intervals.accuracy_interval(record.right(part, "test_accuracy_best"))
        timed = times[times["module"] == stack(str(kind), int(layers))].iloc[0]
        ends = {"batch_ms": "fps", "batch_ms_low": "fps_high", "batch_ms_high": "fps_low"}
        rows.append(
            {
                "kind": kind,
                "layers": layers,
                **part.iloc[0][["parameters", "macs"]].to_dict(),
                **{to: 1e3 * timed["batch_size"] / timed[fps] for to, fps in ends.items()},
                "replicates": len(part),
                "mean": part["test_accuracy_best"].mean(),
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def contrasts(trainings: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Compare stacks with one layer of the reference, where they cost no more.

    Args:
        trainings: The result of `tabulate`.
        reference: The kind that the others are compared with.

    Returns:
        One row per other kind and cost (``parameters`` and ``MACs``): ``kind``, ``cost``,
        ``layers`` of the largest stack that costs no more, and its mean accuracy minus that of one
        layer of the reference, ``value`` with the 95 % interval ``low``, ``high`` (see
        `intervals.crossed`), its standard ``error`` and degrees of freedom ``dof``. Which stack is
        compared does not depend on any accuracy.
    """
    right = _right(trainings)
    cost = trainings.groupby(["kind", "layers"])[["parameters", "macs"]].first()
    columns = ["kind", "cost", "layers", "value", "low", "high", "error", "dof"]
    rows: list[tuple[Any, ...]] = []
    alone = (reference, 1)
    for kind in dict.fromkeys(trainings["kind"]):
        for name in ("parameters", "MACs"):
            column = COSTS[name]
            of_kind = cost.loc[kind][column]
            within = of_kind.index[of_kind <= cost.loc[alone, column]]
            if kind == reference or within.empty or alone not in right:
                continue
            largest = int(within.max())
            pair = [right[kind, largest], right[alone]]
            value, error, dof = intervals.crossed_error(pair, (1, -1))
            ends = intervals.t_interval(value, error, dof)
            rows.append((kind, name, largest, value, *ends, error, dof))
    return pd.DataFrame(rows, columns=columns)


def crossings(trainings: pd.DataFrame, summary: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Find how many layers of a kind are as accurate as one of the reference.

    Between whole numbers of layers, accuracy and the logarithm of each cost are interpolated. The
    interval holds all numbers of layers whose difference from the reference is not clear: the
    inversion of a test (E. C. Fieller, J. R. Stat. Soc. B 16, 175, 1954).

    Args:
        trainings: The result of `tabulate`.
        summary: The result of `summarise`.
        reference: The kind that the others are compared with.

    Returns:
        One row per other kind: ``kind``; ``outcome`` (``crosses``, ``always above``, ``always
        below``); ``layers``, where it first crosses, with ``layers_low`` and ``layers_high`` (an
        end outside the stacks is empty); and ``parameters``, ``MACs`` and ``time`` there, each as a
        share of those of one layer of the reference.
    """
    right, rows = _right(trainings), []
    known = summary.set_index(["kind", "layers"])
    alone = (reference, 1)
    for kind in dict.fromkeys(trainings["kind"]):
        if kind == reference:
            continue
        of_kind = {layers: one for (name, layers), one in right.items() if name == kind}
        found = crossing(of_kind, right[alone])
        place, numbers = found.get("layers", np.nan), sorted(of_kind)
        for name, column in COSTS.items():
            logs = np.log([known.loc[(kind, one), column] for one in numbers])
            there = np.exp(np.interp(place, numbers, logs)) if np.isfinite(place) else np.nan
            found[name] = there / known.loc[alone, column]
        rows.append({"kind": kind, **found})
    columns = ["kind", "outcome", "layers", "layers_low", "layers_high", *COSTS]
    return pd.DataFrame(rows).reindex(columns=columns)


def crossing(
    stacks: Mapping[int, np.ndarray], alone: np.ndarray, steps: int = STEPS
) -> dict[str, Any]:
    """Find where a kind's accuracy first rises above another network's.

    Args:
        stacks: For each number of layers, which images its replicates classified correctly,
            (replicates, images).
        alone: The same of the other network.
        steps: Places between two numbers of layers.

    Returns:
        ``outcome``, ``layers`` if it crosses, ``layers_low`` and ``layers_high``; see `crossings`.
    """
    numbers = sorted(stacks)
    order = np.arange(steps * (len(numbers) - 1) + 1) / steps
    places = np.interp(order, range(len(numbers)), numbers)
    found = []
    for place in order:
        below, share = int(place), place % 1
        parts = [(stacks[numbers[below]], 1 - share), (alone, -1.0)]
        if share:
            parts.append((stacks[numbers[below + 1]], share))
        found.append(intervals.crossed([one for one, _ in parts], [one for _, one in parts]))
    value, low, high = np.array(found).T
    last, above = len(places) - 1, np.flatnonzero(value > 0)
    unclear = np.flatnonzero((low <= 0) & (high >= 0))
    if not len(above):
        row: dict[str, Any] = {"outcome": "always below"}
        ends = (last, last + 1)
    elif not above[0]:
        row = {"outcome": "always above"}
        ends = (-1, 0)
    else:
        row = {"outcome": "crosses", "layers": float(places[above[0]])}
        ends = (above[0] - 1, above[0])
    start, end = (unclear[0], unclear[-1]) if len(unclear) else ends
    # The set may go on beyond the stacks.
    row["layers_low"] = float(places[start]) if start > 0 else np.nan
    row["layers_high"] = float(places[end]) if 0 <= end < last else np.nan
    return row


def _right(trainings: pd.DataFrame) -> dict[tuple[str, int], np.ndarray]:
    """Return which images each stack's replicates classified correctly."""
    return {
        (str(kind), int(layers)): record.right(part, "test_accuracy_best")
        for (kind, layers), part in trainings.groupby(["kind", "layers"])
    }
