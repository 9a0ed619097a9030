"""Replayed studies scored: regret, epochs, and how often they find the best module."""

import logging
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import numpy as np
import pandas as pd

from convstudy.analyses.replay import optuna_2018
from convstudy.analyses.replay.studies import Design
from convstudy.stats import intervals

logger = logging.getLogger(__name__)

LABELS = {
    "accuracy": "accuracy alone",
    "penalised": "with the penalty",
    "tpe_optuna_0_5": "TPE of Optuna 0.5.0",
    "tpe_independent": "independent TPE",
    "tpe_multivariate": "multivariate TPE",
    "random": "random search",
    "grid": "grid search",
    "none": "no pruner",
    "median": "median pruner",
    "median_from_1": "median pruner from the first epoch",
    "hyperband": "Hyperband",
}
_KEYS = ("objective", "sampler", "pruner", "penalty_pruning")


def module_quality(table: pd.DataFrame, penalty: Mapping[str, float]) -> pd.DataFrame:
    """Estimate how good each module is, from the table.

    Args:
        table: ``table.csv`` of the table.
        penalty: ``weight`` and ``unit``.

    Returns:
        By module: ``regret`` (mean objective minus the lowest one), ``expected_regret`` (mean over
        the plausible true means), ``probability_best``, and ``told_apart``: whether the regret is
        above the ``resolution``, so that it is not the best module (see `accuracies.resolution`).
        All but the first are empty if no module has replicates.
    """
    from convstudy.results import accuracies

    means, dof = accuracies.means(table)
    cost = penalty["weight"] * means["parameters"] / penalty["unit"]
    objective = 1 - means["mean"] + cost
    found = (objective - objective.min()).to_frame("regret")
    found[["expected_regret", "probability_best", "told_apart", "resolution"]] = np.nan
    if dof and len(means) > 1:
        drawn = 1 - accuracies.draw_means(means, dof) + cost.to_numpy()
        lowest = drawn.min(axis=1, keepdims=True)
        found["expected_regret"] = (drawn - lowest).mean(axis=0)
        found["probability_best"] = (drawn == lowest).mean(axis=0)
        found["resolution"] = accuracies.resolution(means, objective.idxmin())
        found["told_apart"] = (found["regret"] > found["resolution"]).astype(float)
    return found


def score(trials: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Score each study after each trial, by the module that it would pick at that point.

    A study picks the module of the completed trial with the lowest objective. Before any trial has
    completed, its regret is that of a random module.

    Args:
        trials: See `studies.replay`.
        known: See `module_quality`.

    Returns:
        One row per trial: ``study``, ``trial``; ``regret``, ``expected_regret``,
        ``probability_best`` of the picked module; whether the best module was drawn and completed
        (``drawn_best``) or picked (``picked_best``), or a module was picked that cannot be told
        apart from it (``picked_alike``); totals so far: ``epochs``, ``epochs_trained`` (reused
        curves cost nothing), ``combinations``.
    """
    study = trials["study"]
    best = known["regret"].idxmin()
    objective = trials["objective"].fillna(np.inf)
    before = objective.groupby(study).cummin().groupby(study).shift(fill_value=np.inf)
    picked = trials["module"].where(objective < before).groupby(study).ffill()
    scores = trials[["study", "trial"]].copy()
    for column in ("regret", "expected_regret", "probability_best"):
        scores[column] = picked.map(known[column]).fillna(known[column].mean())
    completed = (trials["module"] == best) & trials["objective"].notna()
    scores["drawn_best"] = completed.groupby(study).cummax().astype(float)
    scores["picked_best"] = (picked == best).astype(float)
    alike = (1 - known["told_apart"]).rename("picked_alike")
    scores["picked_alike"] = picked.map(alike)
    if alike.notna().any():
        scores["picked_alike"] = scores["picked_alike"].fillna(0.0)
    curve = [study, trials["module"], trials["replicate"]]
    longest = trials["epochs"].groupby(curve).cummax()
    had = longest.groupby(curve).shift(fill_value=0)
    scores["epochs"] = trials["epochs"].groupby(study).cumsum()
    scores["epochs_trained"] = (longest - had).groupby(study).cumsum()
    new = ~trials.duplicated(["study", "module"])
    scores["combinations"] = new.groupby(study).cumsum()
    return scores


def history(scores: pd.DataFrame) -> pd.DataFrame:
    """Summarise what studies of one design reach after each trial.

    Returns:
        One row per number of trials: ``trials``; ``regret_mean`` and quantiles over studies,
        ``regret_10``, ``regret_50``, ``regret_90``; the shares of studies that completed the best
        module (``drawn``), pick it (``picked``) or pick one that cannot be told apart from it
        (``alike``); means of epochs and combinations.
    """
    groups = scores.groupby("trial")
    regret = groups["regret"]
    found = regret.mean().to_frame("regret_mean")
    for per_cent in (10, 50, 90):
        found[f"regret_{per_cent}"] = regret.quantile(per_cent / 100)
    shares = {"drawn": "drawn_best", "picked": "picked_best", "alike": "picked_alike"}
    for name, column in shares.items():
        found[name] = groups[column].mean()
    for column in ("epochs", "epochs_trained", "combinations"):
        found[f"{column}_mean"] = groups[column].mean()
    return found.rename_axis("trials").reset_index()


def summarise(scores: pd.DataFrame, known: pd.DataFrame) -> dict[str, Any]:
    """Summarise what studies of one design reach at their end, with 95 % intervals.

    Returns:
        ``studies``, ``trials``; ``probability_best`` that a study picks the best module, with
        ``probability_low`` and ``probability_high`` (Wilson); the same for ``drawn`` and ``alike``;
        ``probability_table``, the chance that the picked module is the best, from the table;
        ``regret_mean`` with ``regret_low`` and ``regret_high``, where eight in ten studies end, and
        ``expected_regret_mean``; ``resolution``, the smallest difference the table can resolve;
        means of epochs and combinations, with their intervals.
    """
    last = scores.groupby("study").last()
    found: dict[str, Any] = {"studies": len(last), "trials": int(scores["trial"].max())}
    for name, short, column in (
        ("probability_best", "probability", "picked_best"),
        ("drawn", "drawn", "drawn_best"),
        ("alike", "alike", "picked_alike"),
    ):
        share = last[column].mean()
        low, high = intervals.wilson(share, len(last)) if share == share else (np.nan, np.nan)
        found |= {name: share, f"{short}_low": low, f"{short}_high": high}
    low, high = last["regret"].quantile([0.1, 0.9])
    found |= {
        "probability_table": last["probability_best"].mean(),
        "regret_mean": last["regret"].mean(),
        "regret_low": low,
        "regret_high": high,
        "expected_regret_mean": last["expected_regret"].mean(),
        "resolution": known["resolution"].median(),
    }
    for column in ("epochs", "epochs_trained", "combinations"):
        found[f"{column}_mean"] = last[column].mean()
        found[f"{column}_low"], found[f"{column}_high"] = intervals.mean_interval(last[column])
    return found


def collect(
    trials: Mapping[Design, pd.DataFrame], table: pd.DataFrame, penalty: Mapping[str, float]
) -> dict[str, pd.DataFrame]:
    """Score the replayed studies of all designs.

    Args:
        trials: Results of `replay`, by design.
        table: ``table.csv`` of the table.
        penalty: ``weight`` and ``unit`` of the penalised objective.

    Returns:
        ``summary`` (one row per design), ``history`` (per design and number of trials),
        and ``optuna_2018`` and ``completed`` (see `optuna_2018`).
    """
    weights = {"accuracy": 0.0, "penalised": penalty["weight"]}
    known = {name: module_quality(table, {**penalty, "weight": weights[name]}) for name in weights}
    scores = {design: score(one, known[design.objective]) for design, one in trials.items()}
    regrets = {design: one.groupby("study")["regret"].last() for design, one in scores.items()}
    summaries, histories = [], []
    for design, one in scores.items():
        which = dict(zip(_KEYS, astuple(design), strict=True))
        which["weight"] = weights[design.objective]
        summaries.append({**which, **summarise(one, known[design.objective])})
        histories.append(pd.DataFrame([which]).merge(history(one), how="cross"))
    return {
        "summary": pd.DataFrame(summaries),
        "history": pd.concat(histories, ignore_index=True),
        "optuna_2018": optuna_2018.measure(trials, regrets),
        "completed": optuna_2018.completed(trials),
    }


def written(row: Any) -> str:
    """Describe a row's design: objective, sampler and pruner."""
    return f"{LABELS[row.objective].capitalize()}, {searches(row)}"


def searches(row: Any) -> str:
    """Describe a row's sampler and pruner."""
    return f"{LABELS[row.sampler]} and {LABELS[row.pruner]}"
