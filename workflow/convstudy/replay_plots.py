"""Figures of the replayed searches."""

from typing import TYPE_CHECKING, Any

from convstudy import plots
from convstudy.replay import LABELS, PRUNERS, SAMPLERS
from convstudy.results import Results

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A row of panels each: objective, whether the penalty counts in pruning, heading.
ROWS = (
    ("accuracy", "article", "Accuracy alone"),
    ("penalised", "article", "Penalty, but not in pruning"),
    ("penalised", "objective", "Penalty, in pruning, too"),
)
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (4, 1.5, 1, 1.5)))
MARKERS = "osD^v"


@plots.styled
def replay_trials(results: Results) -> "Figure":
    """Draw regret against trials, a row an objective, a column a pruner, a line a sampler."""
    history, summary = (results.table(f"replay/{name}.csv") for name in ("history", "summary"))
    figure, axes = plots.new_figure(
        results, len(ROWS), len(PRUNERS), size=(7.6, 8.4), sharex=True, sharey="row"
    )
    looks = dict(zip(SAMPLERS, zip(plots.PALETTE, DASHES, strict=False), strict=False))
    for row, (objective, pruning, heading) in enumerate(ROWS):
        for column, pruner in enumerate(PRUNERS):
            axis = axes[row][column]
            # Without a pruner, nothing tells the last two rows apart.
            asked = "article" if pruner == "none" else pruning
            mine = _of(history, objective, pruner, asked)
            for sampler, (colour, dash) in looks.items():
                line = mine[mine["sampler"] == sampler]
                ends = (100 * line[f"regret_{end}"] for end in (10, 90))
                axis.fill_between(line["trials"], *ends, color=colour, alpha=0.1, lw=0)
                axis.plot(line["trials"], 100 * line["regret_mean"], color=colour, ls=dash)
            resolution = _of(summary, objective, pruner, asked)["resolution"].iloc[0]
            _mark_noise(axis, 100 * resolution)
            if row == 0:
                axis.set_title(LABELS[pruner])
            if row == len(ROWS) - 1:
                axis.set_xlabel("trials")
            axis.set_xlim(1, history["trials"].max())
            plots.whole_axis(axis.xaxis)
        axes[row][0].set_ylabel(f"{heading}\nregret, points")
        axes[row][0].set_ylim(bottom=0)
    handles = [
        plots.legend_line(LABELS[sampler], color=colour, ls=dash)
        for sampler, (colour, dash) in looks.items()
    ]
    handles.append(plots.legend_line("below: not told apart from the best", color=plots.INK, lw=1))
    plots.legend_below(figure, handles, 3)
    return figure


@plots.styled
def replay_epochs(results: Results) -> "Figure":
    """Draw regret against epochs, a row an objective, a column a sampler, a line a pruner."""
    history = results.table("replay/history.csv")
    objectives = {"accuracy": "Accuracy alone", "penalised": "With the penalty"}
    figure, axes = plots.new_figure(
        results,
        len(objectives),
        len(SAMPLERS),
        size=(7.6, 6.0),
        sharex=True,
        sharey="row",
    )
    variants = [
        (pruner, pruning)
        for pruner in PRUNERS
        for pruning in (("article",) if pruner == "none" else ("article", "objective"))
    ]
    colours = {"none": plots.INK, "median": plots.PALETTE[0], "hyperband": plots.PALETTE[1]}
    for row, (objective, heading) in enumerate(objectives.items()):
        for column, sampler in enumerate(SAMPLERS):
            axis = axes[row][column]
            for pruner, pruning in variants:
                line = _of(history, objective, pruner, pruning)
                line = line[line["sampler"] == sampler]
                if line.empty:
                    continue
                dash = "-" if pruning == "article" else (0, (3, 1.5))
                marker = MARKERS[list(PRUNERS).index(pruner)]
                x, y = line["epochs_mean"], 100 * line["regret_mean"]
                axis.plot(x, y, color=colours[pruner], ls=dash)
                axis.plot(x.iloc[-1], y.iloc[-1], marker, color=colours[pruner], ms=6, mec="white")
            if row == 0:
                axis.set_title(LABELS[sampler].replace(" as ", "\nas "))
            if row == len(objectives) - 1:
                axis.set_xlabel("epochs")
        axes[row][0].set_ylabel(f"{heading}\nmean regret, points")
        axes[row][0].set_ylim(bottom=0)
    axes[0][0].set_xlim(left=0)
    handles = [
        plots.legend_line(LABELS[pruner], color=colour, marker=MARKERS[place], mec="white")
        for place, (pruner, colour) in enumerate(colours.items())
    ]
    handles.append(plots.legend_line("penalty in pruning, too", color=plots.INK, ls=(0, (3, 1.5))))
    plots.legend_below(figure, handles, 4)
    return figure


def _of(table: "pd.DataFrame", objective: str, pruner: str, pruning: str) -> "pd.DataFrame":
    """Give the rows of a panel."""
    return table[
        (table["objective"] == objective)
        & (table["pruner"] == pruner)
        & (table["penalty_pruning"] == pruning)
    ]


def _mark_noise(axis: "Axes", resolution: float) -> None:
    """Draw the regret that the table does not tell apart from none."""
    if resolution == resolution:
        axis.axhline(resolution, color=plots.INK, lw=1)
