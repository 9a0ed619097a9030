"""Export a study as tables: its trials, their epochs and its totals."""

import logging
from collections.abc import Sequence
from typing import Any

import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from convstudy.core.errors import UserError
from convstudy.layers.networks import positions_in
from convstudy.search.study import Search
from convstudy.training.record import balanced, devices, summarise

logger = logging.getLogger(__name__)

BEST_ROWS = 5


def best_trials(trials: pd.DataFrame, rows: int = BEST_ROWS) -> pd.DataFrame:
    """Rank the completed trials by objective, as the article tabulates them."""
    done = trials[trials["state"] == "COMPLETE"].sort_values(["objective", "number"])
    best = done.head(rows).assign(rank=range(1, min(rows, len(done)) + 1))
    measured = [name for name in ("test_accuracy", "balanced_accuracy") if name in best]
    return best[["rank", *positions_in(best), "objective", "parameters", *measured, "number"]]


def export(search: Search) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return a study's trials, their epochs and a summary.

    Returns:
        trials: One row per trial, in order.
        curves: One row per epoch of each trial.
        summary: The study's settings and totals.

    Raises:
        UserError: If trials or epochs are missing.
    """
    with search.store.claim():
        study = search.study()
    budget = search.settings["trials"]
    stored = study.get_trials(deepcopy=False)[:budget]
    ended = sum(trial.state.is_finished() for trial in stored)
    if ended < budget:
        raise UserError(
            f"the study {search.name} has only {ended} of its {budget} trials; to run the missing"
            " ones: snakemake --cores all --forcerun search_modules"
        )
    rows, curves = [], []
    fields = ("epoch", "test_accuracy", "loss", "train_accuracy", "test_loss")
    for trial in stored:
        curve = search.curve_of(trial)
        records = curve.required(len(trial.intermediate_values))
        kinds = {position: trial.params[position] for position in search.space}
        drawn = {**kinds, "replicate": curve.replicate}
        rows.append(_row(search, trial, drawn, records) | {"curve": curve.name})
        curves += [
            {"number": trial.number, **drawn, **{field: record[field] for field in fields}}
            for record in records
        ]
    table = pd.DataFrame(rows)
    totals = {
        "study": search.name,
        "settings": study.user_attrs["settings"],
        "budget": budget,
        "trials": len(table),
        "states": table["state"].value_counts().sort_index().to_dict(),
        "combinations": len(table[list(search.space)].drop_duplicates()),
        "epochs_asked": int(table["epochs"].sum()),
        "epochs_trained": int(table["epochs_trained"].sum()),
        "epochs_reused": int(table["epochs_reused"].sum()),
    }
    return table, pd.DataFrame(curves), totals


def _row(
    search: Search, trial: FrozenTrial, drawn: dict[str, Any], records: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Describe a trial; warn if its objective does not match its stored curve."""
    summary = summarise(records)
    parameters = search.parameters(tuple(drawn[position] for position in search.space))
    complete = trial.state == TrialState.COMPLETE
    best = summary["test_accuracy_best"] or 0.0
    expected = 1 - best + search.penalty.of(parameters)
    if complete and abs(trial.value - expected) > 1e-9:
        logger.warning(
            "%s: trial %d ended with objective %.6g, but its curve has since been retrained and"
            " now gives %.6g",
            search.name,
            trial.number + 1,
            trial.value,
            expected,
        )
    name = search.trial_name(trial.number)
    trained = sum(record["trained_for"] == name for record in records)
    return {
        "number": trial.number,
        "state": trial.state.name,
        **drawn,
        "epochs": summary["epochs"],
        "objective": trial.value if complete else None,
        "test_accuracy": summary["test_accuracy_best"],
        **balanced(summary),
        "best_epoch": summary["best_epoch"],
        "test_accuracy_last": summary["test_accuracy_last"],
        "parameters": parameters,
        "penalty": search.penalty.of(parameters),
        "seconds": summary["seconds"],
        "epochs_trained": trained,
        "epochs_reused": len(records) - trained,
        "device": devices(records),
        "reason": trial.user_attrs.get("reason"),
    }
