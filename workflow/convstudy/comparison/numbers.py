"""What two runs found: accuracies, verdicts and times, and which of them differ clearly.

Two runs that differ in nothing but seeds must rarely look different, so the chance of a false alarm
is 5 % for the page as a whole (Bonferroni): half of it for times, if they are judged, and half for
accuracies; of these, half for the mean over all networks and half for the single ones.
docs/statistics.md has the simulation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from convstudy.claims import verdicts
from convstudy.comparison import differing
from convstudy.comparison.runs import (
    MODULES,
    SINGLE,
    Json,
    Network,
    Trainings,
    claims_of,
    identity,
    same_test_images,
    trainings,
)
from convstudy.results.run import Results
from convstudy.stats import intervals
from convstudy.training import record

# Between two sittings, a shared machine alone can change times by some ten per cent.
LEAST_FACTOR = 1.5
EQUAL, DIFFERENT, NOTHING = "equal", "different", "nothing to compare"
MEAN = "all of these"
BEST = "best epoch on the test images"
# Reasons why a claim is undecided that come from the settings, not from the numbers.
SETTLED = (
    *(verdicts.NOT_MADE, verdicts.SYNTHETIC),
    *("reduced scale", "other settings", "lossy images"),
)
# Versions that may change times.
TIMED_WITH = ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy", "python")


@dataclass(frozen=True)
class Comparison:
    """Two runs, and what differs between them. Differences are the second minus the first.

    Attributes:
        a, b: The runs.
        names: What they are called.
    """

    a: Results
    b: Results
    names: tuple[str, str]

    @cached_property
    def settings(self) -> tuple[list[differing.Setting], list[differing.Setting]]:
        """The settings that differ, and those that do not."""
        return differing.settings(self.a, self.b)

    @cached_property
    def trainings(self) -> tuple[Trainings, Trainings]:
        """The trainings of both runs."""
        return trainings(self.a), trainings(self.b)

    @cached_property
    def networks(self) -> pd.DataFrame:
        """The accuracies of each network that both runs trained; see `accuracies`."""
        shares = 1 + self.times["reason"].eq("").any()
        return accuracies(*self.trainings, same_test_images(self.a, self.b), shares)

    @cached_property
    def times(self) -> pd.DataFrame:
        """The speed of each single-kind training; see `speeds`."""
        a, b = (
            {network: curves for network, curves in found.items() if network[0] == SINGLE}
            for found in self.trainings
        )
        return speeds(a, b, [run.run["config"] for run in (self.a, self.b)])

    @cached_property
    def ledgers(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The claims that each run judged."""
        return claims_of(self.a), claims_of(self.b)

    @property
    def judged(self) -> bool:
        """Whether both runs judged claims."""
        return all(map(len, self.ledgers))

    @cached_property
    def claims(self) -> pd.DataFrame:
        """The claims that only one of the runs judged, or judged otherwise; see `changed`."""
        a, b = self.ledgers
        if not self.judged:
            a = b = a.iloc[:0]
        return changed(a, b, self.names)

    @property
    def clear(self) -> list[str]:
        """What differs clearly, beside settings."""
        found = [f"accuracy: {name}" for name in clear(self.networks)["network"]]
        found += [f"speed: {name}" for name in clear(self.times)["network"]]
        return found + [f"verdict: {name}" for name in clear(self.claims)["id"]]

    @property
    def outcome(self) -> str:
        """`EQUAL` if no setting differs and nothing else does clearly; `NOTHING` if nothing met."""
        if self.networks.empty and not self.judged:
            return NOTHING
        return DIFFERENT if self.settings[0] or self.clear else EQUAL


def clear(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a comparison that differ clearly."""
    return table[table["clear"].astype(bool)]


def accuracies(a: Trainings, b: Trainings, paired: bool, shares: int = 1) -> pd.DataFrame:
    """Compare the networks that both runs trained.

    At the best epoch on the test images; if the trainings are not equally long, after the last
    epoch that all of them have. An interval needs two trainings in each run.

    Args:
        a, b: What `trainings` returns.
        paired: Whether both were tested on the same images.
        shares: Into how many parts the chance of a false alarm is divided before.

    Returns:
        A row per network, and first the mean over `SINGLE` and `MODULES`, if there are two:
        ``part``, ``network``, ``epoch`` (where they are compared), ``a``, ``b`` (mean accuracies),
        ``difference`` with ``low`` and ``high`` (for all rows at once), ``clear`` (whether the
        interval excludes zero), ``epochs_a``, ``epochs_b``, ``trainings_a``, ``trainings_b``,
        ``last_a``, ``last_b`` (after the last epoch of each), ``parameters_a``, ``parameters_b``,
        ``same`` (the number of trainings that both runs share).
    """
    rows, judged, seen = [], [], set()
    for network in [network for network in a if network in b]:
        curves = a[network], b[network]
        names = tuple(frozenset(map(identity, part)) for part in curves)
        # The same trainings may belong to several parts of a run.
        if names in seen:
            continue
        seen.add(names)
        row, right = _row(network, *curves)
        row["same"] = len(names[0] & names[1])
        rows.append(row)
        # Trainings that both runs share cannot differ.
        if names[0] != names[1] and min(map(len, right)) > 1:
            judged.append((row, right))
    if not rows:
        return pd.DataFrame(columns=["part", "network", "clear"])
    main = [(row, right) for row, right in judged if row["part"] in (SINGLE, MODULES)]
    if len(main) > 1:
        shares *= 2
        a_right, b_right = ([right[side] for _, right in main] for side in (0, 1))
        _, *mean_ends = _difference(a_right, b_right, shares, paired)
    for row, right in judged:
        ends = _difference([right[0]], [right[1]], shares * len(judged), paired)
        _, row["low"], row["high"] = ends
    if len(main) > 1:
        rows.insert(0, _mean([row for row, _ in main], *mean_ends))
    table = pd.DataFrame(rows)
    table["clear"] = (table["low"] > 0) | (table["high"] < 0)
    return table


def _row(
    network: Network, a: Sequence[Json], b: Sequence[Json]
) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Compare a network's trainings; return the row, and which images each run has right."""
    lengths = {len(curve["records"]) for curve in (*a, *b)}
    common = min(lengths) if len(lengths) > 1 else None
    row: dict[str, Any] = {"part": network[0], "network": network[1]}
    row["epoch"] = f"epoch {common}" if common else BEST
    right = []
    for side, curves in (("a", a), ("b", b)):
        shown = [_at(curve["records"], common) for curve in curves]
        row[side] = float(np.mean([epoch["test_accuracy"] for epoch in shown]))
        row[f"last_{side}"] = float(
            np.mean([curve["records"][-1]["test_accuracy"] for curve in curves])
        )
        row[f"epochs_{side}"] = max(len(curve["records"]) for curve in curves)
        row[f"trainings_{side}"] = len(curves)
        row[f"parameters_{side}"] = curves[0]["parameters"]
        one_by_one = [
            record.unpack(epoch["test_right"], curve["test_images"])
            for epoch, curve in zip(shown, curves, strict=True)
        ]
        right.append(np.array(one_by_one))
    row |= {"difference": row["b"] - row["a"], "low": math.nan, "high": math.nan}
    return row, right


def _at(records: Sequence[Json], epoch: int | None) -> Json:
    return records[(epoch or record.best_epoch(records, "test_accuracy") or 1) - 1]


def _mean(rows: Sequence[dict[str, Any]], low: float, high: float) -> dict[str, Any]:
    found = {
        name: float(np.mean([row[name] for row in rows]))
        for name in ("a", "b", "difference", "last_a", "last_b")
    }
    epochs = list(dict.fromkeys(row["epoch"] for row in rows))
    return {
        "part": f"mean of {len(rows)} networks",
        "network": MEAN,
        "epoch": " or ".join(epochs),
        **found,
        "same": sum(row["same"] for row in rows),
        "low": low,
        "high": high,
    }


def _difference(
    a: Sequence[np.ndarray], b: Sequence[np.ndarray], number: int, paired: bool
) -> tuple[float, float, float]:
    """Return the second runs' mean accuracy minus the first ones', with its interval."""
    weight = 1 / len(a)
    if paired:
        weights = [*[-weight] * len(a), *[weight] * len(b)]
        return intervals.crossed([*a, *b], weights, number=number)
    ours, theirs = (intervals.crossed(part, [weight] * len(part), number=number) for part in (b, a))
    return ours[0] - theirs[0], *intervals.difference(ours, theirs)


def speeds(a: Trainings, b: Trainings, configs: Sequence[Json]) -> pd.DataFrame:
    """Compare how fast both runs trained the same kinds.

    Judged only if processor, device, threads, precision and versions are the same, and from several
    processes: each training was one.

    Returns:
        A row per kind: ``network``, ``a``, ``b`` (images per second: geometric means over trainings
        of the median over epochs), ``factor`` with ``low`` and ``high`` (Welch's t interval of the
        mean logarithms, for all rows at once), ``clear`` (whether it lies beyond `LEAST_FACTOR`),
        ``reason`` (why it is not judged).
    """
    from scipy import stats

    rows = []
    for network in [network for network in a if network in b]:
        sides = a[network], b[network]
        logs = [np.log([_speed(curve) for curve in curves]) for curves in sides]
        a_mean, b_mean = (math.exp(one.mean()) for one in logs)
        row = {"network": network[1], "a": a_mean, "b": b_mean, "factor": b_mean / a_mean}
        rows.append((row, logs, _not_judged(*sides, configs)))
    judged = sum(not reason for *_, reason in rows)
    for row, logs, reason in rows:
        low = high = math.nan
        if not reason:
            test = stats.ttest_ind(logs[1], logs[0], equal_var=False)
            ends = test.confidence_interval(1 - 0.05 / 2 / judged)
            low, high = math.exp(ends.low), math.exp(ends.high)
        row |= {"low": low, "high": high, "reason": reason}
        row["clear"] = low > LEAST_FACTOR or high < 1 / LEAST_FACTOR
    return pd.DataFrame(
        [row for row, *_ in rows],
        columns=["network", "a", "b", "factor", "low", "high", "clear", "reason"],
    )


def _speed(curve: Json) -> float:
    return float(np.median([epoch["images_per_second"] for epoch in curve["records"]]))


def _timed(curve: Json) -> tuple[Any, ...]:
    """Tell a training from a repetition with the same seed, which may find the very same."""
    return identity(curve), tuple(epoch["seconds"] for epoch in curve["records"])


def _not_judged(a: Sequence[Json], b: Sequence[Json], configs: Sequence[Json]) -> str:
    """Say why two speeds cannot be compared, if so."""
    if {_timed(curve) for curve in a} & {_timed(curve) for curve in b}:
        return "the same trainings"
    if min(len(a), len(b)) < 2:
        return "a single training"
    for what, of in {
        "device": lambda curve, _: record.devices(curve["records"]),
        "processor": lambda curve, _: sorted({str(e.get("processor")) for e in curve["records"]}),
        "backend": lambda curve, _: sorted({str(e.get("backend")) for e in curve["records"]}),
        "threads": lambda curve, _: curve["environment"].get("threads"),
        "precision": lambda _, config: config["training"]["precision"],
        "compiler": lambda _, config: config["training"].get("jit_compile"),
        "versions": lambda curve, _: {
            name: curve["environment"]["versions"].get(name) for name in TIMED_WITH
        },
    }.items():
        found = [
            {str(of(curve, config)) for curve in curves}
            for curves, config in zip((a, b), configs, strict=True)
        ]
        if found[0] != found[1] or len(found[0]) > 1:
            return f"other {what}" if found[0] != found[1] else f"several {what}s"
    return ""


def changed(a: pd.DataFrame, b: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Find the claims whose verdict, or what they show at their run's scale, is not the same.

    Verdicts on trained networks may flip by chance, so such a flip is no clear difference by
    itself; the networks' accuracies are compared for that.

    Args:
        a, b: Two tables of claims.
        names: What the runs are called.

    Returns:
        A row per such claim: ``id``, ``statement``, ``basis``, ``a`` and ``b`` (the
        verdicts), ``why``, ``clear`` (whether chance cannot explain it).
    """
    one, other = a.set_index("id"), b.set_index("id")
    rows = []
    for name in [*one.index, *(name for name in other.index if name not in one.index)]:
        mine, theirs = (table.loc[name] if name in table.index else None for table in (one, other))
        verdicts_of = [None if side is None else _verdict(side) for side in (mine, theirs)]
        if verdicts_of[0] == verdicts_of[1]:
            continue
        if mine is None or theirs is None:
            only = names[0] if theirs is None else names[1]
            why, sure = f"only in {only}: added, removed or renamed since", False
        else:
            why, sure = _why(mine, theirs, names)
        about = (one if mine is not None else other).loc[name]
        rows.append(
            {
                "id": name,
                "statement": about["statement"],
                "basis": about["basis"],
                "a": verdicts_of[0],
                "b": verdicts_of[1],
                "why": why,
                "clear": sure,
            }
        )
    columns = ["id", "statement", "basis", "a", "b", "why", "clear"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("clear", ascending=False, kind="stable", ignore_index=True)


def _verdict(claim: pd.Series) -> str:
    here = claim["here"]
    return claim["verdict"] + ("" if pd.isna(here) else f", in this run: {here}")


def _why(a: pd.Series, b: pd.Series, names: Sequence[str]) -> tuple[str, bool]:
    """Say why a verdict changed, and whether chance cannot be the reason."""
    reasons = ["" if pd.isna(side["reason"]) else str(side["reason"]) for side in (a, b)]
    settled = [next((why for why in SETTLED if one.startswith(why)), "") for one in reasons]
    if settled[0] != settled[1]:
        said = [f"{name}: {one or 'decided'}" for name, one in zip(names, reasons, strict=True)]
        # A study may happen not to try a network that a claim is about.
        return "; ".join(said), verdicts.NOTHING not in reasons
    numbers = [_numbers(side) for side in (a, b)]
    exact = a["basis"] == "arithmetic"
    return f"{names[0]}: {numbers[0]}; {names[1]}: {numbers[1]}", exact


def _numbers(claim: pd.Series) -> str:
    if pd.isna(claim["effect"]):
        return str(claim["evidence"])
    text = f"{claim['effect']:.3g}"
    if pd.notna(claim["low"]):
        text += f" ({claim['low']:.3g} to {claim['high']:.3g})"
    return f"{text} {claim['unit']}".replace("-", "\N{MINUS SIGN}")
