"""The figures of one run: which tables go into which plot."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from convstudy import (
    article,
    exhaustive_plots,
    optimism_plots,
    pareto_plots,
    penalties_plots,
    pictures,
    plots,
    recipes_plots,
    replay_plots,
    tables,
    timing_plots,
)
from convstudy.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

EXTRA_FIGURES = {
    "exhaustive": exhaustive_plots.figures,
    "optimism": optimism_plots.figures,
    "recipes": recipes_plots.figures,
    "replay": replay_plots.figures,
    "penalties": penalties_plots.figures,
    "timing": timing_plots.figures,
    "pareto": pareto_plots.figures,
}


def figures(results: Results) -> "dict[str, Callable[[], Figure]]":
    """Give a function for each figure, by the names of `convstudy.plots.figure_names`."""
    synthetic = results.synthetic
    accuracies = tables.single_kind(results)
    replicates = results.training.groupby("kind")["test_accuracy_best"].agg(list)
    printed = pd.concat([tables.article_best(penalised) for penalised in (False, True)])
    epochs = tables.studies(results)
    make: dict[str, Callable[[], Figure]] = {
        f"example_{name}": partial(pictures.draw_example, name) for name in plots.EXAMPLES
    }
    make["counts"] = partial(plots.counts, results.counts, article.parameter_counts())
    make["learning_curves"] = partial(
        plots.learning_curves, results.curves, article.accuracies(), synthetic
    )
    make["single_kind"] = partial(
        plots.single_kind,
        accuracies.assign(accuracies=accuracies["kind"].map(replicates)),
        synthetic,
    )
    make["parameters_accuracy"] = partial(
        plots.parameters_accuracy,
        tables.all_trials(results),
        tables.front(results),
        printed,
        not results.reductions,
        synthetic,
    )
    for name, study in results.studies.items():
        make[f"trials_{name}"] = partial(
            plots.trial_history, study.trials, f"Study “{name}”", synthetic
        )
    make["reuse"] = partial(plots.reuse, epochs, results.training, synthetic)
    for extra in results.extras:
        make |= EXTRA_FIGURES[extra](results)
    return make


def draw_figures(results: Results, folder: Path) -> None:
    """Draw all figures into a folder, as PNG and SVG."""
    for name, draw in figures(results).items():
        plots.save(draw(), folder / name)
        logger.info("%s", folder / name)
