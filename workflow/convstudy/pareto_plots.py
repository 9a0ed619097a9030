"""Figures of several objectives."""

from typing import TYPE_CHECKING

from convstudy import plots
from convstudy.models import POSITIONS
from convstudy.results import Results
from convstudy.timing_plots import place

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLERS = {
    "tpe": ("TPE", {"color": plots.INK, "ls": "-"}),
    "nsga2": ("NSGA-II", {"color": plots.PALETTE[3], "ls": "--"}),
    "random": ("random", {"color": plots.MUTED, "ls": ":"}),
}


@plots.styled
def pareto_front(results: Results) -> "Figure":
    """Draw all modules by error and parameters, and by error and latency."""
    front = results.table("pareto/front.csv")
    best = front[front["on_front"]]
    height = 4.2 + 0.11 * len(best)
    figure, axes = plots.new_figure(results, 1, 2, size=(7.6, height), sharey=True)
    kinds = front[list(POSITIONS)].to_numpy()
    leading = [plots.leading_kind(list(row)) for row in kinds]
    columns = {
        "parameters": "parameters",
        "latency_ms": f"latency of one image, ms\n{place(front)}",
    }
    for axis, (column, label) in zip(axes, columns.items(), strict=True):
        axis.vlines(front[column], 1 - front["high"], 1 - front["low"], color=plots.FAINT, lw=1)
        for kind, look in plots.module_looks().items():
            mine = front[[one == kind for one in leading]]
            for on_front, part in mine.groupby("on_front"):
                fill = look["color"] if on_front else "white"
                axis.plot(part[column], part["error"], ls="", mfc=fill, mec=look["color"], **look)
        for row in best.itertuples():
            axis.annotate(
                f"{row.number:g}",
                (getattr(row, column), row.error),
                xytext=(4, 5),
                textcoords="offset points",
                fontsize=8,
                fontweight="bold",
            )
        axis.set_xscale("log")
        axis.set_xlabel(label)
        plots.plain_ticks(axis.xaxis)
    axes[0].set_ylabel("test error")
    plots.percent_axis(axes[0].yaxis)
    key = [
        plots.legend_line(
            row.module.replace("-", " · "), marker=f"${row.number:g}$", color=plots.INK, ms=7, ls=""
        )
        for row in best.itertuples()
    ]
    looks = [
        plots.legend_line(label, ls="", **plots.module_looks()[kind])
        for kind, label in plots.module_labels().items()
    ]
    plots.legend_below(figure, [*looks, *key], 3)
    return figure


@plots.styled
def pareto_hypervolume(results: Results) -> "Figure":
    """Draw how much of the hypervolume studies have reached after so many trials."""
    reached = results.table("pareto/hypervolume.csv")
    figure, axis = plots.new_figure(results, size=(7.6, 3.8))
    handles = []
    for sampler, (label, look) in SAMPLERS.items():
        mine = reached[reached["sampler"] == sampler]
        color = look["color"]
        axis.fill_between(
            mine["trials"], mine["share_5"], mine["share_95"], color=color, alpha=0.12, lw=0
        )
        axis.plot(mine["trials"], mine["share_50"], **look)
        handles.append(plots.legend_line(label, **look))
    axis.set_xlabel("trials")
    axis.set_ylabel("share of the hypervolume of all modules")
    plots.percent_axis(axis.yaxis)
    plots.whole_axis(axis.xaxis)
    plots.legend_below(figure, handles, len(handles))
    return figure
