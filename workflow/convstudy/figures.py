"""The figures of a run: each is a function of its results, of the figure's own name."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from convstudy import (
    answer_plots,
    optimism_plots,
    penalties_plots,
    pictures,
    plots,
    recipes_plots,
    replay_plots,
    timing_plots,
)
from convstudy.results import Results, figure_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)


def figures(results: Results) -> "dict[str, Callable[[], Figure]]":
    """Give a function for each figure, by the names of `convstudy.results.figure_names`."""
    names = figure_names(results.extras)
    return {name: _function(name, results) for name in names}


def _function(name: str, results: Results) -> "Callable[[], Figure]":
    sort, _, rest = name.partition("_")
    if sort == "example":
        return partial(pictures.draw_example, rest)
    modules = {
        "answer": answer_plots,
        "optimism": optimism_plots,
        "penalties": penalties_plots,
        "recipes": recipes_plots,
        "replay": replay_plots,
        "timing": timing_plots,
    }
    return partial(getattr(modules.get(sort, plots), name), results)


def draw_figures(results: Results, folder: Path) -> None:
    """Draw all figures into a folder, as PNG and SVG, and below ``narrow`` for phones."""
    for name, draw in figures(results).items():
        plots.save(draw(), folder / name)
        with plots.narrow_screen():
            plots.save(draw(), folder / "narrow" / name, ["svg"])
        logger.info("%s", folder / name)
