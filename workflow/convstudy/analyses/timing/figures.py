"""The figures of measured times."""

from itertools import product

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from convstudy.analyses.timing.numbers import PASSES, TIMES
from convstudy.display import style
from convstudy.display.formats import THREE, write
from convstudy.display.style import Drawing
from convstudy.layers.networks import positions_in
from convstudy.results.run import Results
from convstudy.stats import intervals

# Titles of the panels.
SHOWN = {
    "latency": "Latency, ms",
    "time of a batch": "Images per second",
    "training time": "Training, s per epoch",
}


def place(table: pd.DataFrame) -> str:
    """Describe what a table's times were measured on."""
    row = table.iloc[0]
    threads = "1 thread" if row["threads"] == 1 else f"{row['threads']} threads"
    on = f"{row['processor']}, {threads}" if row["device"].startswith("cpu") else row["device"]
    return f"{on}, {row['backend']}, {row['precision']}"


@style.styled
def timing_modules(results: Results) -> Figure:
    """Draw the modules' times against their multiply-accumulates."""
    table = results.table("timing/modules.csv")
    figure, axes = style.new_figure(None, 1, len(SHOWN), size=(7.6, 4.0))
    kinds = table[positions_in(table)].to_numpy()
    leading = [style.leading_kind(list(row)) for row in kinds]
    for axis, (name, title) in zip(axes, SHOWN.items(), strict=True):
        column = TIMES[name]
        for kind, look in style.module_looks(results.networks).items():
            mine = table[[one == kind for one in leading]]
            ends = [mine[column] - mine[f"{column}_low"], mine[f"{column}_high"] - mine[column]]
            axis.errorbar(
                mine["macs"] / 1e6, mine[column], ends, ls="", mec="white", elinewidth=1, **look
            )
        # A line of time proportional to MACs, starting at the module with the fewest.
        few = table.loc[table["macs"].idxmin()]
        slower = column == "fps"
        macs = np.array([few["macs"], table["macs"].max()])
        times = few[column] * (macs / few["macs"]) ** (-1 if slower else 1)
        axis.plot(macs / 1e6, times, color=style.MUTED, lw=1, ls=":")
        axis.set_ylim(*_around(table[[column, f"{column}_low", f"{column}_high"]], 0.35))
        work = table["macs"].max() / table["macs"].min()
        spread = table[column].max() / table[column].min()
        axis.set_title(f"{title}\n{work:.0f}× MACs, {spread:.1f}× slower", fontsize=10)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("million MACs per image")
        style.plain_ticks(axis.xaxis)
        style.plain_ticks(axis.yaxis)
    handles = [
        style.legend_line(label, ls="", **style.module_looks(results.networks)[kind])
        for kind, label in style.module_labels(results.networks).items()
    ]
    handles.append(style.legend_line("time proportional to MACs", color=style.MUTED, lw=1, ls=":"))
    style.legend_below(figure, [*handles, style.legend_line(place(table), ls="")], 2)
    return figure


def _around(table: pd.DataFrame, share: float) -> tuple[float, float]:
    """Return the limits of a logarithmic axis, with a share of the range as margin."""
    low, high = np.log(table.min(axis=None)), np.log(table.max(axis=None))
    return tuple(np.exp([low - share * (high - low), high + share * (high - low)]))


@style.styled
def timing_layers(results: Results) -> Figure:
    """Draw the speed-up over the first kind by channels, one line per feature-map size.

    Kinds that can replace it have a row of panels each.
    """
    table, networks = results.table("timing/layers.csv"), results.networks
    first, others = networks.reference, networks.replacements
    sizes = sorted(set(table["size"]))
    figure, axes = style.new_figure(
        None,
        len(others),
        len(PASSES),
        size=(7.6, 1.2 + 3.2 * len(others)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for (row, kind), (column, direction) in product(enumerate(others), enumerate(PASSES)):
        axis, last = axes[row][column], {}
        for number, size in enumerate(sizes):
            mine = table[(table["pass"] == direction) & (table["size"] == size)]
            found = speedups(mine, first, kind)
            look = {"color": style.PALETTE[number], "marker": "osD^vP"[number], "ms": 5}
            ends = [found["value"] - found["low"], found["high"] - found["value"]]
            axis.errorbar(found.index, found["value"], ends, lw=1.4, elinewidth=0.8, **look)
            last[f"{size} × {size}"] = look
        axis.axhline(1, color=style.INK, lw=1)
        axis.set_xscale("log", base=4)
        axis.set_yscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.set_title(direction.capitalize())
        axis.set_xlabel("channels")
        if column == 0:
            axis.set_ylabel(f"{networks.label(first)} time / {networks.label(kind)} time")
    style.plain_ticks(axes[0][0].yaxis)
    faster = "separable" if networks.is_article else "the other kind"
    handles = [style.legend_line(f"{name} feature map", **look) for name, look in last.items()]
    handles.append(style.legend_line(f"equally fast ({faster} faster above)", color=style.INK))
    handles.append(style.legend_line(place(table), ls=""))
    style.legend_below(figure, handles, 2)
    return figure


def speedups(layers: pd.DataFrame, first: str, other: str) -> pd.DataFrame:
    """Divide the first kind's times by another one's.

    Args:
        layers: Rows of timing/layers.csv for one pass and feature map.
        first, other: The kinds.

    Returns:
        By channels: ``value`` with its 95 % interval, ``low`` and ``high``.
    """
    measured = layers[layers["ms"].notna()].set_index("channels")
    slow, fast = (
        measured.loc[measured["kind"] == kind, ["ms", "ms_low", "ms_high"]]
        for kind in (first, other)
    )
    both = slow.index.intersection(fast.index)
    ends = [one.loc[both, name] for one in (slow, fast) for name in slow]
    value, low, high = intervals.ratio(*(end.to_numpy() for end in ends))
    return pd.DataFrame({"value": value, "low": low, "high": high}, index=both)


def _ranges(results: Results) -> list[str]:
    table = results.table("timing/modules.csv")
    return [
        f"{time}: from {write(table[column].min(), THREE)} to {write(table[column].max(), THREE)}"
        for time, column in (("latency in ms", "latency_ms"), ("images per second", "fps"))
    ]


def _crossovers(results: Results) -> list[str]:
    return [
        f"{row['pass']}, {row['size']} × {row['size']}: {_kind(row, results)}{row['outcome']}"
        + (f" at {write(row['channels'], THREE)} channels" if row["channels"] > 0 else "")
        for _, row in results.table("timing/crossover.csv").iterrows()
    ]


def _kind(row: pd.Series, results: Results) -> str:
    """Name the kind, unless there is only one."""
    if len(results.networks.replacements) == 1:
        return ""
    return f"{results.networks.label(row['kind'])} "


DRAWINGS = {
    "timing_modules": Drawing(timing_modules, _ranges),
    "timing_layers": Drawing(timing_layers, _crossovers),
}
