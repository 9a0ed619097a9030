"""The figure about stacks of layers."""

from matplotlib.figure import Figure

from convstudy.analyses.depth.numbers import COSTS
from convstudy.display import style
from convstudy.display.formats import ACCURACY, write
from convstudy.display.style import Drawing
from convstudy.results.run import Results

TITLES = {"parameters": "Parameters", "MACs": "MACs of an image", "time": "Time of a batch, ms"}


@style.styled
def depth_accuracy(results: Results) -> Figure:
    """Draw the stacks' accuracy against each cost, one line per kind."""
    summary, networks = results.table("depth/summary.csv"), results.networks
    looks = style.kind_looks(networks)
    figure, axes = style.new_figure(results, 1, len(COSTS), size=(7.6, 4.0), sharey=True)
    below = list(looks)[:2][-1]
    for axis, (name, column) in zip(axes, COSTS.items(), strict=True):
        for kind, look in looks.items():
            mine = summary[summary["kind"] == kind].sort_values("layers")
            ends = [mine["mean"] - mine["low"], mine["high"] - mine["mean"]]
            axis.errorbar(mine[column], mine["mean"], ends, elinewidth=0.8, lw=1.4, **look)
            # Where curves cross, sides tell whose numbers these are.
            side = (-8, -9) if kind == below else (4, 4)
            for row in mine.itertuples():
                axis.annotate(
                    str(row.layers),
                    (getattr(row, column), row.mean),
                    xytext=side,
                    textcoords="offset points",
                    fontsize=7.5,
                    color=style.INK,
                )
        alone = summary[(summary["kind"] == networks.reference) & (summary["layers"] == 1)]
        axis.axhline(alone["mean"].iloc[0], color=style.INK, lw=1, ls=":")
        axis.set_xscale("log")
        axis.margins(x=0.1)
        axis.set_title(TITLES[name], fontsize=10)
        style.plain_ticks(axis.xaxis)
    axes[0].set_ylabel("best test accuracy over epochs")
    style.percent_axis(axes[0].yaxis)
    handles = [style.legend_line(networks.label(kind), **look) for kind, look in looks.items()]
    label = f"one {networks.label(networks.reference)} per stage"
    handles.append(style.legend_line(label, color=style.INK, lw=1, ls=":"))
    for axis in axes:
        lowest = style.largest_class(axis, results)
    style.legend_below(figure, handles + lowest, 2)
    return figure


def _means(results: Results) -> list[str]:
    rows = results.table("depth/summary.csv").itertuples()
    label = results.networks.label
    return [f"{label(row.kind)}, {row.layers}: {write(row.mean, ACCURACY)}" for row in rows]


DRAWINGS = {"depth_accuracy": Drawing(depth_accuracy, _means)}
