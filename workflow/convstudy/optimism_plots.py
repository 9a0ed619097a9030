"""Figures of honest accuracy."""

from typing import TYPE_CHECKING

from convstudy import plots
from convstudy.layers import KINDS
from convstudy.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@plots.styled
def optimism_differences(results: Results) -> "Figure":
    """Draw the differences between the single-kind networks with their intervals."""
    table = results.table("optimism/differences.csv")
    pairs = list(dict.fromkeys(zip(table["first"], table["second"], strict=True)))
    choices = list(dict.fromkeys(table["selection"]))
    figure, axis = plots.new_figure(results, size=(7.6, 1.2 + 0.85 * len(pairs)))
    markers = dict(zip(choices, "osD", strict=False))
    for row in table.itertuples():
        shift = choices.index(row.selection) - (len(choices) - 1) / 2
        place = pairs.index((row.first, row.second)) + 0.22 * shift
        look = {"color": plots.INK if row.clear else plots.MUTED}
        axis.plot([100 * row.low, 100 * row.high], [place, place], lw=2, **look)
        axis.plot(
            100 * row.difference,
            place,
            markers[row.selection],
            ms=7,
            mfc=look["color"] if row.clear else "white",
            mec=look["color"],
        )
    axis.axvline(0, color=plots.INK, lw=1)
    labels = [f"{KINDS[first].label}\n− {KINDS[second].label}" for first, second in pairs]
    axis.set_yticks(range(len(pairs)), labels)
    axis.tick_params(axis="y", labelcolor=plots.INK, length=0)
    axis.set_ylim(len(pairs) - 0.4, -0.6)
    axis.set_xlabel("difference of test accuracies, points")
    handles = [
        plots.legend_line(choice, marker=marker, color=plots.INK, ls="")
        for choice, marker in markers.items()
    ]
    handles.append(
        plots.legend_line("no clear difference", marker="o", color=plots.MUTED, mfc="white", ls="")
    )
    plots.legend_below(figure, handles, 2)
    return figure
