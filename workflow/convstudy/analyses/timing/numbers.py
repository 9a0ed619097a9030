"""Measured times combined: of modules with their counts, and of layers with their crossovers.

Memory layout differs between processes and stays fixed within one, so intervals of times are
computed over several processes.
"""

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from convstudy.layers.kinds import LayerKind
from convstudy.layers.networks import Networks, costs, total
from convstudy.stats import intervals

PASSES = ("forward", "forward and backward")
# Times measured for every module, with their columns.
TIMES = {"latency": "latency_ms", "time of a batch": "fps", "training time": "epoch_seconds"}
COUNTS = {"parameters": "parameters", "MACs": "macs"}
# Weights of a 3x3 kernel, per pair of channels.
TAPS = 9
# A crossover below or above the measured range.
ALWAYS, NEVER = -math.inf, math.inf
OUTCOMES = {ALWAYS: "always faster", NEVER: "never faster"}


def over_processes(
    logarithms: np.ndarray, number: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return means over processes with Student's 95 % intervals (empty with one process).

    Args:
        logarithms: (processes, ...). Logarithms of times or of ratios of times.
        number: See `intervals.t_half_width`.

    Returns:
        mean, low, high: (...).
    """
    processes = len(logarithms)
    mean = logarithms.mean(axis=0)
    half = np.full_like(mean, np.nan)
    if processes > 1:
        error = logarithms.std(axis=0, ddof=1) / math.sqrt(processes)
        half = intervals.t_half_width(error, processes - 1, number)
    return mean, mean - half, mean + half


def combine(parts: Sequence[pd.DataFrame], times: Sequence[str]) -> pd.DataFrame:
    """Combine the results of several processes: geometric means with 95 % intervals.

    Returns:
        The same rows and columns, with ``_low`` and ``_high`` for each of `times`,
        ``processes``, degrees of freedom ``dof``, and the highest of the loads.
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
    return table.assign(load_before=load, processes=len(parts), dof=len(parts) - 1)


def layer_macs(kind: LayerKind, size: int, channels: int) -> int:
    """Count the multiply-accumulates of a kind on one feature map.

    Raises:
        UncountableError: If its groups do not divide the channels.
    """
    return total(costs(kind.layers("layer", channels), (size, size, channels))).macs


def crossovers(parts: Sequence[pd.DataFrame], networks: Networks) -> pd.DataFrame:
    """Find the number of channels above which other kinds are faster than the first.

    In the article's networks, that is a separable layer instead of a Conv2D.

    It is the last point where both times are equal, interpolated between measured channel counts on
    logarithmic axes.

    Args:
        parts: The result of `measuring.measure_layers` in each process.
        networks: Those of the run; compared are their `Networks.replacements`.

    Returns:
        One row per size, pass and ``kind``. ``outcome`` is ``crosses``, ``always faster`` or
        ``never faster`` (that kind, from ``first_channels`` to ``last_channels``), or ``not
        measured``. ``channels`` is the crossover, if any. ``channels_low`` and ``channels_high``
        are its 95 % interval, where the ends of the ratios' intervals cross; an end outside the
        measured range is empty. ``macs_ratio`` is the first kind's MACs over this one's at the
        crossover, where both take equally long; ``macs_channels`` is where the MACs of a separable
        layer and a Conv2D are equal. ``first_speedup`` and ``last_speedup`` are the kind's
        speed-ups at the first and last channels, with ``_low`` and ``_high``, of ``dof`` degrees
        of freedom; ``last_macs_ratio`` is the ratio of MACs at the last channels.
    """
    first, others = networks.reference, networks.replacements
    rows: list[dict[str, Any]] = []
    measured = pd.concat(parts, keys=range(len(parts)), names=["process", None])
    groups = measured.groupby(["pass", "size"], sort=False)
    for ((direction, size), part), kind in product(groups, others):
        row: dict[str, Any] = {"pass": direction, "size": size, "kind": kind}
        row["outcome"] = "not measured"
        rows.append(row)
        done = part[part["ms"].notna() & part["kind"].isin((first, kind))]
        times = done.pivot_table("ms", ["process", "kind"], "channels").dropna(axis=1)
        if done["kind"].nunique() < 2 or times.empty:
            continue
        channels = times.columns.to_numpy()
        macs = [
            layer_macs(networks.kinds[first], size, one)
            / layer_macs(networks.kinds[kind], size, one)
            for one in channels
        ]
        slow, fast = (np.log(times.xs(name, level="kind")) for name in (first, kind))
        logarithms = (slow - fast).to_numpy()
        advantage = over_processes(logarithms)
        # With a greater advantage, the crossover is at fewer channels.
        found, high, low = (float(crossing(channels, one)) for one in advantage)
        crosses = np.isfinite(found)
        row |= {
            "outcome": OUTCOMES.get(found, "crosses"),
            "channels": _finite(found),
            "channels_low": _finite(low),
            "channels_high": _finite(high),
            "macs_ratio": np.interp(np.log(found), np.log(channels), macs) if crosses else np.nan,
            "macs_channels": TAPS / (TAPS - 1) if networks.is_article else np.nan,
        }
        for name, place in (("first", 0), ("last", -1)):
            row[f"{name}_channels"] = channels[place]
            for end, one in zip(("", "_low", "_high"), advantage, strict=True):
                row[f"{name}_speedup{end}"] = float(np.exp(one[place]))
        row["last_macs_ratio"] = macs[-1]
        row["dof"] = len(logarithms) - 1
    return pd.DataFrame(rows)


def crossing(channels: np.ndarray, advantage: np.ndarray) -> float:
    """Find the number of channels above which a layer stays faster than another.

    Args:
        channels: (channels,). Increasing.
        advantage: (channels,). Logarithm of the other layer's time over this one's.

    Returns:
        `ALWAYS` if it is faster everywhere, `NEVER` if it is not at the last channels, nan if
        unknown.
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
    """Compute how well parameters and MACs predict the modules' times.

    Returns:
        ``time`` (of `TIMES`), ``against`` (of `COUNTS`), ``spearman`` (correlation of ranks) and
        ``pearson`` (of logarithms).
    """
    from scipy.stats import pearsonr, spearmanr

    rows = []
    for name, column in TIMES.items():
        # Images per second are the inverse of a time.
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
