"""The figure about the replayed searches."""

import pandas as pd
from matplotlib.figure import Figure

from convstudy.analyses.replay import numbers as replay
from convstudy.analyses.replay.numbers import LABELS
from convstudy.analyses.replay.studies import SAMPLERS
from convstudy.display import style
from convstudy.display.formats import DISTANCE, write
from convstudy.display.style import Drawing
from convstudy.results.run import Results

HEADINGS = {"accuracy": "Accuracy alone", "penalised": "With the penalty"}
# Sampler, pruner, and whether pruning includes the penalty.
WAYS = (
    *((sampler, "median", "article") for sampler in SAMPLERS),
    ("tpe", "none", "article"),
    ("tpe", "median", "objective"),
)
DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (4, 1.5, 1, 1.5)), "-", (0, (5, 2)))
MARKERS = "os^vDP"


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
        f" {write(row.regret_mean, DISTANCE)} points"
        for row in mine.itertuples()
    ]


DRAWINGS = {"replay_epochs": Drawing(replay_epochs, _regrets)}
