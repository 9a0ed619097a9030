"""How often replayed studies return what the article's two studies returned.

The article ran each study once, which is a single random draw. Here its sampler and pruner search
the module table hundreds of times, on the whole table and with each replicate left out in turn.
What nearly all of these studies return is due to the method; the rest is chance.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from convstudy.analyses.replay.studies import CurveTable
from convstudy.article import facts
from convstudy.stats import intervals

if TYPE_CHECKING:
    import pandas as pd

# The article's search method, for each of its studies.
DESIGNS = {name: f"{name}-tpe_optuna_0_5-median-article" for name in ("accuracy", "penalised")}
PENALISED_RANKS = (
    "separable-separable-depthwise",
    "separable-separable-separable",
    "conv-depthwise-depthwise",
    "conv-separable-separable",
)


def _best(trials: "pd.DataFrame") -> "pd.Series":
    """Return each module's lowest objective among completed trials, lowest first."""
    return trials.groupby("module")["objective"].min().dropna().sort_values(kind="stable")


def _first(trials: "pd.DataFrame") -> str:
    best = _best(trials)
    return str(best.index[0]) if len(best) else ""


def _in_order(trials: "pd.DataFrame", modules: tuple[str, ...]) -> bool:
    """Check whether all of these modules completed, with increasing objectives."""
    best = _best(trials)
    return set(modules) <= set(best.index) and best[list(modules)].is_monotonic_increasing


def _among_five_best(trials: "pd.DataFrame", module: str) -> bool:
    best = trials.dropna(subset=["objective"]).nsmallest(5, "objective")
    return bool((best["module"] == module).any())


def _completed(trials: "pd.DataFrame") -> float:
    return float((trials["state"] == "COMPLETE").mean())


Studies = Mapping[str, "pd.DataFrame"]


class Table(NamedTuple):
    """What the statements need to know about a table: its longest curve and its best module."""

    epochs: int
    best: str


# For each claim, whether it holds in a pair of studies (accuracy alone, with the penalty).
STATEMENTS: dict[str, Callable[[Studies, Table], bool]] = {
    "conv_wins": lambda pair, _: _first(pair["accuracy"]) == "conv-conv-conv",
    "separable_wins": lambda pair, _: _first(pair["penalised"]).count("separable") >= 2,
    "penalised_ranks": lambda pair, _: _in_order(pair["penalised"], PENALISED_RANKS),
    "mobilenet_does_well": lambda pair, _: _among_five_best(
        pair["penalised"], "conv-depthwise-depthwise"
    ),
    # They have the same number of parameters, so the objective orders them by accuracy.
    "place_matters": lambda pair, _: _in_order(
        pair["penalised"], ("conv-depthwise-depthwise", "depthwise-depthwise-conv")
    ),
    "two_with_two_depthwise": lambda pair, _: (
        pair["penalised"].query("state == 'COMPLETE'")["module"].str.count("depthwise").eq(2).sum()
        == facts.figure("studies.penalised.with_two_depthwise")
    ),
    "never_tried": lambda pair, _: (
        not (pair["penalised"]["module"] == "depthwise-depthwise-depthwise").any()
    ),
    "most_are_pruned": lambda pair, _: max(map(_completed, pair.values())) < 0.5,
    "epochs_are_saved": lambda pair, table: all(
        one["epochs"].sum() < table.epochs * len(one) for one in pair.values()
    ),
    "best_is_not_certain": lambda pair, table: _first(pair["accuracy"]) != table.best,
}


def tabulate(replayed: Mapping[Any, Studies], recorded: CurveTable) -> "pd.DataFrame":
    """Count how often each statement holds.

    Args:
        replayed: For each replicate left out (None for the whole table): the result of `replay`
            for each study of `DESIGNS`.
        recorded: The table's curves.

    Returns:
        One row per claim and table: ``claim``, ``left_out``, ``studies``, ``share`` of studies
        where it holds, with its 95 % interval, ``low`` and ``high`` (Wilson).
    """
    import pandas as pd

    rows = []
    for left_out, studies in replayed.items():
        by_study = {name: one.groupby("study") for name, one in studies.items()}
        numbers = sorted(next(iter(by_study.values())).groups)
        kept = recorded if left_out is None else recorded.without(left_out)
        errors = kept.errors()
        table = Table(recorded.epochs, min(errors, key=lambda module: errors[module]))
        pairs = [
            {name: groups.get_group(number) for name, groups in by_study.items()}
            for number in numbers
        ]
        for claim, holds in STATEMENTS.items():
            share = sum(holds(pair, table) for pair in pairs) / len(pairs)
            low, high = intervals.wilson(share, len(pairs))
            rows.append((claim, left_out, len(pairs), share, low, high))
    columns = ["claim", "left_out", "studies", "share", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype({"left_out": "Int64"})
