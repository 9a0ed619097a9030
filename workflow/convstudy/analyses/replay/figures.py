"""The figures about the replayed searches."""

import pandas as pd
from matplotlib.figure import Figure

from convstudy.analyses.replay import numbers as replay
from convstudy.analyses.replay.numbers import LABELS
from convstudy.analyses.replay.studies import SAMPLERS
from convstudy.display import style
from convstudy.display.formats import DISTANCE, span, write
from convstudy.display.style import Drawing
from convstudy.results.run import Results
from convstudy.search.settings import STARTUP_TRIALS

HEADINGS = {"accuracy": "Accuracy alone", "penalised": "With the penalty"}
# Sampler, pruner, and whether pruning includes the penalty.
WAYS = (
    *((sampler, "median", "article") for sampler in SAMPLERS),
    ("tpe_optuna_0_5", "none", "article"),
    ("tpe_optuna_0_5", "median", "objective"),
)
DASHES = ("-", (0, (3, 1)), (0, (5, 2)), (0, (1, 1.2)), (0, (4, 1.5, 1, 1.5)), "-", (0, (5, 2)))
MARKERS = "osX^vDP"
WORDS = {"median": "steps counted from 0", "median_from_1": "steps counted from 1"}
STEPS = {
    "median": {"color": style.PALETTE[0], "marker": "o", "ms": 4},
    "median_from_1": {"color": style.PALETTE[1], "marker": "s", "ms": 4, "ls": (0, (5, 2))},
}


@style.styled
def replay_epochs(results: Results) -> Figure:
    """Draw regret against epochs, one panel per objective and one line per search method."""
    history = results.table("replay/history.csv")
    summary = results.table("replay/summary.csv")
    figure, axes = style.new_figure(results, 1, len(HEADINGS), size=(7.6, 4.4), sharex=True)
    handles = []
    for axis, (objective, heading) in zip(axes, HEADINGS.items(), strict=True):
        last = []
        for place, (sampler, pruner, pruning) in enumerate(WAYS):
            if objective == "accuracy" and pruning == "objective":
                continue
            line = _of(history, objective, sampler, pruner, pruning)
            look = {
                "color": style.INK if place >= len(SAMPLERS) else style.PALETTE[place],
                "ls": DASHES[place],
            }
            end = {"marker": MARKERS[place], "ms": 7, "mec": "white"}
            x, y = line["epochs_mean"], 100 * line["regret_mean"]
            axis.plot(x, y, **look)
            axis.plot(x.iloc[-1], y.iloc[-1], color=look["color"], **end)
            last.append(y.iloc[-1])
            if objective == "penalised":
                words = f"{LABELS[sampler]}, {LABELS[pruner]}"
                words += ", penalty in pruning" if pruning == "objective" else ""
                handles.append(style.legend_line(words, **look, **end))
        resolution = 100 * summary.loc[summary["objective"] == objective, "resolution"].iloc[0]
        # Show the end, which matters; the first trials are far above.
        axis.set_ylim(0, 1.6 * max(*last, resolution if resolution == resolution else 0, 0.5))
        if resolution == resolution:
            axis.axhspan(0, resolution, color=style.FAINT, alpha=0.35, lw=0)
        axis.set_title(heading)
        axis.set_xlabel("epochs used by a study")
        axis.set_ylabel("mean regret, points")
    handles.append(
        style.legend_line("indistinguishable from the best", color=style.FAINT, alpha=0.6, lw=8)
    )
    axes[0].set_xlim(left=0)
    style.legend_below(figure, handles, 2)
    return figure


@style.styled
def completed_trials(results: Results) -> Figure:
    """Draw how many trials of a study complete, one panel per objective."""
    shares = results.table("replay/completed.csv")
    article = results.table("replay/optuna_2018.csv").set_index("objective")["article_completed"]
    numbers = range(shares["completed"].max() + 2)
    figure, axes = style.new_figure(results, 1, len(HEADINGS), size=(7.6, 3.2), sharey=True)
    for axis, (objective, heading) in zip(axes, HEADINGS.items(), strict=True):
        for pruner, look in STEPS.items():
            mine = shares[(shares["objective"] == objective) & (shares["pruner"] == pruner)]
            share = mine.set_index("completed")["share"].reindex(numbers, fill_value=0.0)
            axis.plot(numbers, share, **look)
        axis.axvline(article[objective].iloc[0], color=style.INK, ls=(0, (2, 2)), lw=1.2)
        axis.axvspan(0, STARTUP_TRIALS + 0.5, color=style.FAINT, alpha=0.35, lw=0)
        axis.set_title(heading)
        axis.set_xlabel("completed trials of a study")
        axis.set_ylabel("share of studies")
        style.percent_axis(axis.yaxis)
        style.whole_axis(axis.xaxis)
        axis.set_xlim(0, numbers[-1])
    axes[0].set_ylim(bottom=0)
    handles = [style.legend_line(WORDS[pruner], **look) for pruner, look in STEPS.items()]
    handles += [
        style.legend_line("the article's study", color=style.INK, ls=(0, (2, 2)), lw=1.2),
        style.legend_line(
            "all completed trials drawn at random", color=style.FAINT, alpha=0.6, lw=8
        ),
    ]
    style.legend_below(figure, handles, 2)
    return figure


def _of(
    table: pd.DataFrame, objective: str, sampler: str, pruner: str, pruning: str
) -> pd.DataFrame:
    """Return the rows of one line."""
    return table[
        (table["objective"] == objective)
        & (table["sampler"] == sampler)
        & (table["pruner"] == pruner)
        & (table["penalty_pruning"] == pruning)
    ]


def _regrets(results: Results) -> list[str]:
    table = results.table("replay/summary.csv")
    mine = table[(table["pruner"] == "median") & (table["penalty_pruning"] == "article")]
    return [
        f"{replay.written(row)}: {row.epochs_mean:.0f} epochs, regret"
        f" {write(row.regret_mean, DISTANCE)} points (eight in ten studies:"
        f" {span(row.regret_low, row.regret_high, DISTANCE)})"
        for row in mine.itertuples()
    ]


def _numbers_completed(results: Results) -> list[str]:
    return [
        f"{LABELS[row.objective]}, {WORDS[row.pruner]}: median {row.completed_median:g}, the"
        f" article's study {row.article_completed}"
        for row in results.table("replay/optuna_2018.csv").itertuples()
    ]


DRAWINGS = {
    "replay_epochs": Drawing(replay_epochs, _regrets),
    "completed_trials": Drawing(completed_trials, _numbers_completed),
}
