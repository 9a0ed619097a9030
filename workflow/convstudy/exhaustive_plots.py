"""Figures of the exhaustive table."""

from typing import TYPE_CHECKING

from convstudy import plots
from convstudy.layers import KINDS
from convstudy.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@plots.styled
def exhaustive_accuracy(results: Results) -> "Figure":
    """Draw each module's replicates, mean and interval, the best module first."""
    summary, table = (results.table(f"exhaustive/{name}.csv") for name in ("summary", "table"))
    figure, axis = plots.new_figure(results, size=(7.6, 0.9 + 0.235 * len(summary)))
    places = {module: place for place, module in enumerate(summary["module"])}
    done = table[table["status"] == "finished"]
    axis.plot(done["test_accuracy_best"], done["module"].map(places), "|", color=plots.MUTED, ms=7)
    axis.hlines(places.values(), summary["low"], summary["high"], color=plots.INK, lw=2.2)
    axis.plot(summary["mean"], list(places.values()), "o", ms=6, color=plots.INK, mec="white")
    axis.set_yticks(list(places.values()), [name.replace("-", " · ") for name in places])
    axis.tick_params(axis="y", labelcolor=plots.INK, labelsize=8.5, length=0, pad=34)
    axis.set_ylim(len(summary) - 0.3, -0.7)
    axis.set_xlabel("best test accuracy over epochs")
    axis.margins(x=0.04)
    plots.percent_axis(axis.xaxis)
    for row in summary.itertuples():
        plots.glyph(axis, [row.layer1, row.layer2, row.layer3], places[row.module], step=0.022)
    handles = [
        *(
            plots.legend_line(KINDS[kind].label, marker="s", color=colour, ls="")
            for kind, colour in plots.colours().items()
        ),
        plots.legend_line("one replicate", marker="|", ms=9, color=plots.MUTED, ls=""),
        plots.legend_line("mean, 95 % interval", marker="o", color=plots.INK, lw=2.2),
    ]
    plots.legend_below(figure, handles, 3)
    return figure
