"""Several objectives: penalties other than parameters, and the front of error, size and latency.

Everything is computed from the module table and the measured times, without training.
"""

import logging
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from convstudy.core.progress import Progress
from convstudy.layers.networks import positions_in
from convstudy.results.accuracies import DRAWS, draw_means, means, resolution

logger = logging.getLogger(__name__)

# Columns that describe what was measured on.
WHERE = ("device", "processor", "threads", "backend", "precision")

# Quantities that can be penalised, with their columns.
QUANTITIES = {
    "parameters": "parameters",
    "MACs": "macs",
    "latency": "latency_ms",
    "training time": "epoch_seconds",
}
NO_PENALTY = "nothing"
# The quantities that are minimised together.
OBJECTIVES = ("error", "parameters", "latency_ms")
# The reference point of the hypervolume, with each objective scaled from 0 (the best module) to 1
# (the worst): slightly beyond 1, so that modules that are worst in one objective also count.
REFERENCE = 1.1
SAMPLERS = ("tpe", "nsga2", "random")
# With NSGA-II's default of 50, a study of 50 trials would be random.
POPULATION = 10


def joined(table: pd.DataFrame, times: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Join accuracies and times by module.

    Args:
        table: The first table of `convstudy.analyses.module_table.numbers.tabulate`.
        times: The result of `convstudy.analyses.timing.measuring.measure_modules`.

    Returns:
        modules: The result of `convstudy.results.accuracies.means`, with the columns of
            `QUANTITIES` and `WHERE`.
        dof: Degrees of freedom of its errors.
    """
    found, dof = means(table)
    measured = times.set_index("module")[["latency_ms", "epoch_seconds", *WHERE]]
    return found.join(measured, how="inner"), dof


def penalties(modules: pd.DataFrame, dof: int, weights: Sequence[float]) -> pd.DataFrame:
    """Find the best module by test error and a penalty on each quantity.

    Args:
        modules, dof: The result of `joined`.
        weights: Added to the error for each `unit`, the quantity's median over all modules.

    Returns:
        One row per quantity and weight: ``penalty`` (on what), ``weight``, ``unit``, ``module``
        (the winner), ``objective``, ``mean`` (its accuracy), ``low``, ``high`` (95 % interval), all
        its `QUANTITIES`, ``probability`` (that it wins, estimated from the replicates) and
        ``alike`` (how many others may be the best one, see `accuracies.resolution`); the last two
        are empty with one replicate.
    """
    accuracies = draw_means(modules, dof) if dof else np.empty((0, len(modules)))
    chosen = [(NO_PENALTY, 0.0)]
    chosen += [(quantity, weight) for quantity in QUANTITIES for weight in weights]
    amount = ["mean", "low", "high", *QUANTITIES.values()]
    rows = []
    for quantity, weight in chosen:
        amounts = modules[QUANTITIES[quantity]] if weight else pd.Series(0.0, modules.index)
        unit = amounts.median() if weight else np.nan
        added = weight * amounts / unit if weight else amounts
        objective = 1 - modules["mean"] + added
        winner = objective.idxmin()
        near = objective - objective[winner] <= resolution(modules, winner)
        wins = (1 - accuracies + added.to_numpy()).argmin(axis=1) == objective.argmin()
        chances = (wins.mean(), near.sum() - 1) if dof else (np.nan, np.nan)
        about = (quantity, weight, unit, winner, objective[winner])
        rows.append((*about, *modules.loc[winner, amount], *chances))
    columns = ["penalty", "weight", "unit", "module", "objective", *amount]
    return pd.DataFrame(rows, columns=[*columns, "probability", "alike"])


def objectives(modules: pd.DataFrame) -> np.ndarray:
    """Return the values to minimise, (modules, objectives), see `OBJECTIVES`."""
    return modules.assign(error=1 - modules["mean"])[list(OBJECTIVES)].to_numpy(float)


def front(modules: pd.DataFrame, dof: int) -> pd.DataFrame:
    """Find the modules that no other module matches in error, parameters and latency.

    Args:
        modules, dof: The result of `joined`.

    Returns:
        One row per module, the front first, then by error: ``module``, its layers, the objectives,
        ``mean``, ``low``, ``high`` (accuracy with its 95 % interval), ``on_front``, its ``number``
        there (from 1), ``probability`` (that it is on the front, estimated from the replicates;
        empty with one replicate), and the columns of `WHERE`. Times are treated as exact.
    """
    import moocore

    values = objectives(modules)
    share = np.full(len(modules), np.nan)
    if dof:
        counted = np.zeros(len(modules))
        for accuracies in draw_means(modules, dof):
            counted += moocore.is_nondominated(np.column_stack([1 - accuracies, values[:, 1:]]))
        share = counted / DRAWS
    table = modules[[*positions_in(modules), *WHERE]].assign(
        **dict(zip(OBJECTIVES, values.T, strict=True)),
        **modules[["mean", "low", "high"]],
        on_front=moocore.is_nondominated(values),
        probability=share,
    )
    table = table.sort_values(["on_front", "error"], ascending=[False, True])
    table = table.reset_index(names="module").astype({"parameters": int})
    return table.assign(number=(table.index + 1).where(table["on_front"]).astype("Int64"))


def hypervolume(values: np.ndarray, of: np.ndarray) -> float:
    """Return the volume that points dominate, up to the reference point.

    Args:
        values: (points, objectives). All are minimised.
        of: (modules, objectives). All modules, whose best and worst values are scaled to 0 and 1;
            the reference point is `REFERENCE` in each objective.
    """
    import moocore

    best, worst = of.min(axis=0), of.max(axis=0)
    scaled = (values - best) / np.where(worst > best, worst - best, 1)
    return float(moocore.hypervolume(scaled, ref=np.full(values.shape[1], REFERENCE)))


def replay(table: pd.DataFrame, modules: pd.DataFrame, trials: int, studies: int) -> pd.DataFrame:
    """Replay multi-objective studies on the module table.

    The k-th trial of a module gets the error of its k-th replicate, starting over after the last.
    A study is scored by the hypervolume of the modules it has tried, using their mean errors, as a
    share of the hypervolume of all modules.

    Args:
        table: The first table of `convstudy.analyses.module_table.numbers.tabulate`.
        modules: The result of `joined`.
        trials, studies: Trials per study, and studies per sampler, each with its own seed.

    Returns:
        One row per sampler (of `SAMPLERS`) and number of trials: ``share_5``, ``share_50`` and
        ``share_95`` (quantiles of the share over the studies), and ``complete`` (the fraction of
        studies that have tried the whole front).
    """
    done = table[(table["status"] == "finished") & table["module"].isin(modules.index)]
    errors = (1 - done["test_accuracy_best"]).groupby(done["module"]).agg(list).to_dict()
    values = pd.DataFrame(objectives(modules), modules.index, OBJECTIVES)
    whole = hypervolume(values.to_numpy(), values.to_numpy())
    space = {position: tuple(table[position].unique()) for position in positions_in(table)}
    rows = []
    progress = Progress(logger, "studies:", studies * len(SAMPLERS))
    for sampler, seed in product(SAMPLERS, range(studies)):
        shares: list[float] = []
        tried: list[str] = []
        share = 0.0
        for module in _study(sampler, seed, trials, errors, values, space):
            if module in errors and module not in tried:
                tried.append(module)
                share = hypervolume(values.loc[tried].to_numpy(), values.to_numpy()) / whole
            shares.append(share)
        rows.append({"sampler": sampler, "shares": shares})
        progress.count()
    parts = []
    for sampler in SAMPLERS:
        reached = np.array([row["shares"] for row in rows if row["sampler"] == sampler])
        quantiles = np.quantile(reached, [0.05, 0.5, 0.95], axis=0)
        parts.append(
            pd.DataFrame(
                {
                    "sampler": sampler,
                    "trials": np.arange(1, trials + 1),
                    **dict(zip(("share_5", "share_50", "share_95"), quantiles, strict=True)),
                    "complete": (reached > 1 - 1e-9).mean(axis=0),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _study(
    name: str,
    seed: int,
    trials: int,
    errors: Mapping[str, Sequence[float]],
    values: pd.DataFrame,
    space: Mapping[str, Sequence[str]],
) -> list[str]:
    """Let Optuna search; return the modules it tried, in order."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    samplers: dict[str, Any] = {
        "tpe": lambda: optuna.samplers.TPESampler(
            n_startup_trials=10, multivariate=True, constant_liar=False, group=False, seed=seed
        ),
        "nsga2": lambda: optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed),
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
    }
    study = optuna.create_study(directions=["minimize"] * len(OBJECTIVES), sampler=samplers[name]())
    tried: list[str] = []
    for _ in range(trials):
        trial = study.ask()
        kinds = [trial.suggest_categorical(*choice) for choice in space.items()]
        module = "-".join(kinds)
        if module in errors:
            replicates = errors[module]
            error = replicates[tried.count(module) % len(replicates)]
            study.tell(trial, [error, *values.loc[module].iloc[1:]])
        else:
            # All of its trainings ended early.
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        tried.append(module)
    return tried
