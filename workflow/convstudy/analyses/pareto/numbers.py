"""Several objectives: other penalties than parameters, and the front of error, size and latency.

All of it comes from the table of modules and the measured times, without training.
"""

import logging
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from convstudy.core.progress import Progress
from convstudy.layers.kinds import KINDS
from convstudy.layers.models import POSITIONS
from convstudy.results.accuracies import DRAWS, draw_means, means, resolution

logger = logging.getLogger(__name__)

# On what was measured, a column each.
WHERE = ("device", "processor", "threads", "backend", "precision")

# What a penalty can be on, and the column that has it.
QUANTITIES = {
    "parameters": "parameters",
    "MACs": "macs",
    "latency": "latency_ms",
    "training time": "epoch_seconds",
}
NO_PENALTY = "nothing"
# What is minimised together.
OBJECTIVES = ("error", "parameters", "latency_ms")
# The point to which the hypervolume reaches, where each objective goes from 0 (the best of all
# modules) to 1 (the worst): a little beyond, so that the worst in one objective count, too.
REFERENCE = 1.1
SAMPLERS = ("tpe", "nsga2", "random")
# NSGA-II's own 50 would make a study of 50 trials random.
POPULATION = 10


def joined(table: pd.DataFrame, times: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Join accuracies and times by module.

    Args:
        table: The first one of `convstudy.analyses.module_table.numbers.tabulate`.
        times: What `convstudy.analyses.timing.measuring.measure_modules` gives.

    Returns:
        modules: What `convstudy.results.accuracies.means` gives, with all columns of
            `QUANTITIES`, and `WHERE`.
        dof: Degrees of freedom of its errors.
    """
    found, dof = means(table)
    measured = times.set_index("module")[["latency_ms", "epoch_seconds", *WHERE]]
    return found.join(measured, how="inner"), dof


def penalties(modules: pd.DataFrame, dof: int, weights: Sequence[float]) -> pd.DataFrame:
    """Find the best module by test error and a penalty on each quantity.

    Args:
        modules, dof: What `joined` gives.
        weights: What is added to the error for each `unit`, the quantity's median over all modules.

    Returns:
        A row a quantity and weight: ``penalty`` (on what), ``weight``, ``unit``, ``module`` (the
        winner), ``objective``, ``mean`` (its accuracy), ``low``, ``high`` (95 % interval), its
        amounts of all `QUANTITIES`, ``probability`` (that it wins, as far as the replicates tell)
        and ``alike`` (how many others may be the best one, see `accuracies.resolution`); the last
        two are empty with one replicate.
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
    """Give what is minimised, (modules, objectives), see `OBJECTIVES`."""
    return modules.assign(error=1 - modules["mean"])[list(OBJECTIVES)].to_numpy(float)


def front(modules: pd.DataFrame, dof: int) -> pd.DataFrame:
    """Tell for which modules no other one is at least as good in error, parameters and latency.

    Args:
        modules, dof: What `joined` gives.

    Returns:
        A row a module, the front first, then by error: ``module``, its layers, the objectives,
        ``mean``, ``low``, ``high`` (accuracy with its 95 % interval), ``on_front``, its ``number``
        there (from 1), ``probability`` (that it is on the front, as far as the replicates tell;
        empty with one replicate), and on what latencies were measured. Times count as exact.
    """
    import moocore

    values = objectives(modules)
    share = np.full(len(modules), np.nan)
    if dof:
        counted = np.zeros(len(modules))
        for accuracies in draw_means(modules, dof):
            counted += moocore.is_nondominated(np.column_stack([1 - accuracies, values[:, 1:]]))
        share = counted / DRAWS
    table = modules[[*POSITIONS, *WHERE]].assign(
        **dict(zip(OBJECTIVES, values.T, strict=True)),
        **modules[["mean", "low", "high"]],
        on_front=moocore.is_nondominated(values),
        probability=share,
    )
    table = table.sort_values(["on_front", "error"], ascending=[False, True])
    table = table.reset_index(names="module").astype({"parameters": int})
    return table.assign(number=(table.index + 1).where(table["on_front"]).astype("Int64"))


def hypervolume(values: np.ndarray, of: np.ndarray) -> float:
    """Give the volume that points dominate, up to the reference point.

    Args:
        values: (points, objectives). Each to be minimised.
        of: (modules, objectives). All modules, whose best and worst values are 0 and 1; the
            reference point is `REFERENCE` in each objective.
    """
    import moocore

    best, worst = of.min(axis=0), of.max(axis=0)
    scaled = (values - best) / np.where(worst > best, worst - best, 1)
    return float(moocore.hypervolume(scaled, ref=np.full(values.shape[1], REFERENCE)))


def replay(table: pd.DataFrame, modules: pd.DataFrame, trials: int, studies: int) -> pd.DataFrame:
    """Replay studies of several objectives on the table.

    The k-th trial of a module gets the error of its k-th replicate, and then the first one again.
    What a study has reached is the hypervolume of the modules that it has tried, by their mean
    errors, as a share of the hypervolume of all modules.

    Args:
        table: The first one of `convstudy.analyses.module_table.numbers.tabulate`.
        modules: What `joined` gives.
        trials, studies: Trials a study, and studies a sampler, each with a seed of its own.

    Returns:
        A row a sampler (of `SAMPLERS`) and number of trials: ``share_5``, ``share_50`` and
        ``share_95`` (quantiles of the share over the studies), and ``complete`` (the fraction of
        studies that have tried all of the front).
    """
    done = table[(table["status"] == "finished") & table["module"].isin(modules.index)]
    errors = (1 - done["test_accuracy_best"]).groupby(done["module"]).agg(list).to_dict()
    values = pd.DataFrame(objectives(modules), modules.index, OBJECTIVES)
    whole = hypervolume(values.to_numpy(), values.to_numpy())
    rows = []
    progress = Progress(logger, "studies:", studies * len(SAMPLERS))
    for sampler, seed in product(SAMPLERS, range(studies)):
        shares: list[float] = []
        tried: list[str] = []
        share = 0.0
        for module in _study(sampler, seed, trials, errors, values):
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
    name: str, seed: int, trials: int, errors: Mapping[str, Sequence[float]], values: pd.DataFrame
) -> list[str]:
    """Let Optuna search, and give the modules that it tried, in order."""
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
        kinds = [trial.suggest_categorical(position, tuple(KINDS)) for position in POSITIONS]
        module = "-".join(kinds)
        if module in errors:
            mine = errors[module]
            error = mine[tried.count(module) % len(mine)]
            study.tell(trial, [error, *values.loc[module].iloc[1:]])
        else:
            # Every training of it ended early.
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        tried.append(module)
    return tried
