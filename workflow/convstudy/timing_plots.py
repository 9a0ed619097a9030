"""Figures of measured times."""

from typing import TYPE_CHECKING, Any

from convstudy import plots
from convstudy.layers import KINDS
from convstudy.models import POSITIONS
from convstudy.results import Results
from convstudy.timing import PASSES, TIMES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Heading and axis label of the modules' times.
SHOWN = {
    "latency": ("Latency", "ms, one image"),
    "time of a batch": ("Frames a second", "images/s, in batches"),
    "training time": ("Training", "s an epoch"),
}


def place(table: "pd.DataFrame") -> str:
    """Say on what a table's times were measured."""
    row = table.iloc[0]
    threads = "1 thread" if row["threads"] == 1 else f"{row['threads']} threads"
    on = f"{row['processor']}, {threads}" if row["device"].startswith("cpu") else row["device"]
    return f"{on}, {row['backend']}, {row['precision']}"


@plots.styled
def timing_modules(results: Results) -> "Figure":
    """Draw the modules' times against their multiply-accumulates."""
    table = results.table("timing/modules.csv")
    correlations = results.table("timing/correlations.csv")
    figure, axes = plots.new_figure(None, 1, len(SHOWN), size=(7.6, 3.7))
    kinds = table[list(POSITIONS)].to_numpy()
    leading = [plots.leading_kind(list(row)) for row in kinds]
    for axis, (name, (title, unit)) in zip(axes, SHOWN.items(), strict=True):
        column = TIMES[name]
        for kind, look in plots.module_looks().items():
            mine = table[[one == kind for one in leading]]
            ends = [mine[column] - mine[f"{column}_low"], mine[f"{column}_high"] - mine[column]]
            axis.errorbar(
                mine["macs"] / 1e6, mine[column], ends, ls="", mec="white", elinewidth=1, **look
            )
        found = correlations[
            (correlations["time"] == name) & (correlations["against"] == "MACs")
        ].iloc[0]
        axis.set_title(f"{title}\nrank correlation {found['spearman']:.2f}", fontsize=10)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("million MACs an image")
        axis.set_ylabel(unit)
        plots.plain_ticks(axis.xaxis)
        plots.plain_ticks(axis.yaxis)
    handles = [
        plots.legend_line(label, ls="", **plots.module_looks()[kind])
        for kind, label in plots.module_labels().items()
    ]
    plots.legend_below(figure, [*handles, plots.legend_line(place(table), ls="")], 2)
    return figure


@plots.styled
def timing_layers(results: Results) -> "Figure":
    """Draw single layers' times against channels, a column a feature-map size, a row a pass."""
    table = results.table("timing/layers.csv")
    crossovers = results.table("timing/crossover.csv")
    sizes = sorted(set(table["size"]))
    figure, axes = plots.new_figure(
        None,
        len(PASSES),
        len(sizes),
        size=(7.6, 5.6),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for row, direction in zip(axes, PASSES, strict=True):
        for axis, size in zip(row, sizes, strict=True):
            mine = table[(table["pass"] == direction) & (table["size"] == size)]
            for kind, look in plots.kind_looks().items():
                one = mine[(mine["kind"] == kind) & mine["ms"].notna()]
                axis.fill_between(
                    one["channels"], one["ms_low"], one["ms_high"], color=look["color"], alpha=0.2
                )
                axis.plot(one["channels"], one["ms"], lw=1.4, **look)
            nothing = mine.groupby("channels")["overhead_ms"].median()
            axis.plot(nothing.index, nothing, color=plots.MUTED, lw=1, ls=":")
            _mark(axis, crossovers, direction, size)
            axis.set_xscale("log", base=4)
            axis.set_yscale("log")
            axis.xaxis.set_major_formatter("{x:g}")
            axis.tick_params(axis="x", labelsize=8)
        row[0].set_ylabel(f"{direction}, ms")
    for axis, size in zip(axes[0], sizes, strict=True):
        axis.set_title(f"{size} × {size}")
    for axis in axes[-1]:
        axis.set_xlabel("channels")
    handles = [
        *(
            plots.legend_line(KINDS[kind].label, **look)
            for kind, look in plots.kind_looks().items()
        ),
        plots.legend_line("a call that computes nothing", color=plots.MUTED, lw=1, ls=":"),
        plots.legend_line("separable is faster from here on", color=plots.INK, lw=1.2),
        plots.legend_line(place(table), ls=""),
    ]
    plots.legend_below(figure, handles, 3)
    return figure


def _mark(axis: Any, crossovers: "pd.DataFrame", direction: str, size: int) -> None:
    """Mark from where on a separable layer is faster, with the interval, or say that nowhere."""
    chosen = crossovers[(crossovers["pass"] == direction) & (crossovers["size"] == size)]
    if chosen.empty:
        return
    row = chosen.iloc[0]
    text = row["outcome"]
    if text == "crosses":
        first, last = row["first_channels"], row["last_channels"]
        low = row["channels_low"] if row["channels_low"] > 0 else first
        high = row["channels_high"] if row["channels_high"] > 0 else last
        axis.axvspan(low, high, color=plots.FAINT, alpha=0.5, lw=0)
        axis.axvline(row["channels"], color=plots.INK, lw=1.2)
        text = f"from {row['channels']:.3g} on"
    axis.text(0.04, 0.96, text, transform=axis.transAxes, va="top", fontsize=8.5).set_bbox(
        {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.8}
    )
