"""The figure about the choice of the epoch."""

from matplotlib.figure import Figure

from convstudy.display import style
from convstudy.display.formats import CHANGE_POINTS, write
from convstudy.display.style import Drawing
from convstudy.results.run import Results


@style.styled
def optimism_differences(results: Results) -> Figure:
    """Draw the differences between the single-kind networks with their intervals."""
    table = results.table("epoch_selection/differences.csv")
    pairs = list(dict.fromkeys(zip(table["first"], table["second"], strict=True)))
    choices = list(dict.fromkeys(table["selection"]))
    figure, axis = style.new_figure(results, size=(7.6, 1.2 + 0.85 * len(pairs)))
    markers = dict(zip(choices, "osD", strict=False))
    for row in table.itertuples():
        shift = choices.index(row.selection) - (len(choices) - 1) / 2
        place = pairs.index((row.first, row.second)) + 0.22 * shift
        look = {"color": style.INK if row.clear else style.MUTED}
        axis.plot([100 * row.low, 100 * row.high], [place, place], lw=2, **look)
        axis.plot(
            100 * row.difference,
            place,
            markers[row.selection],
            ms=7,
            mfc=look["color"] if row.clear else "white",
            mec=look["color"],
        )
    axis.axvline(0, color=style.INK, lw=1)
    labels = ["\n− ".join(map(results.networks.label, pair)) for pair in pairs]
    axis.set_yticks(range(len(pairs)), labels)
    axis.tick_params(axis="y", labelcolor=style.INK, length=0)
    axis.set_ylim(len(pairs) - 0.4, -0.6)
    axis.set_xlabel("difference in test accuracy, points")
    handles = [
        style.legend_line(choice, marker=marker, color=style.INK, ls="")
        for choice, marker in markers.items()
    ]
    handles.append(
        style.legend_line("no clear difference", marker="o", color=style.MUTED, mfc="white", ls="")
    )
    style.legend_below(figure, handles, 2)
    return figure


def _differences(results: Results) -> list[str]:
    return [
        f"{results.networks.label(row.first)} minus {results.networks.label(row.second)},"
        f" {row.selection}:"
        f" {write(row.difference, CHANGE_POINTS)} points"
        for row in results.table("epoch_selection/differences.csv").itertuples()
    ]


DRAWINGS = {"optimism_differences": Drawing(optimism_differences, _differences)}
