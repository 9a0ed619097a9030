"""Figures of the penalty's weight."""

from typing import TYPE_CHECKING

import numpy as np

from convstudy import extras, plots
from convstudy.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Modules that are never as likely as this to be the best have no row.
LEAST = 0.01
# The study's weight times these has a panel each.
FACTORS = (0, 0.1, 1, 10)


@plots.styled
def penalties_winner(results: Results) -> "Figure":
    """Draw each module's chance to be the best one by weight, and the exact winners over it."""
    envelope = results.table("penalties/envelope.csv")
    chances = results.table("penalties/probabilities.csv")
    weight = extras.penalty(results.run["config"])["weight"]
    wide = chances.pivot_table(index="module", columns="weight", values="probability", dropna=False)
    likely = wide.index[wide.max(axis=1) >= LEAST]
    # Large modules win at small weights: the rows go down as the winners go right.
    middle = wide.loc[likely].fillna(0.0).mul(np.log(wide.columns), axis=1).sum(axis=1)
    order = (middle / wide.loc[likely].sum(axis=1)).sort_values().index
    rows = list(order) or list(envelope["module"])
    figure, axis = plots.new_figure(results, size=(7.6, 1.7 + 0.33 * len(rows)))
    weights = wide.columns.to_numpy()
    if len(order):
        mesh = axis.pcolormesh(
            weights,
            range(len(rows)),
            wide.loc[rows].to_numpy(),
            cmap="Greys",
            vmin=0,
            vmax=1.25,
            shading="nearest",
            rasterized=True,
        )
        bar = figure.colorbar(mesh, ax=axis, pad=0.01, fraction=0.03, boundaries=np.linspace(0, 1))
        bar.set_ticks([0, 0.5, 1])
        plots.percent_axis(bar.ax.yaxis)
        bar.set_label("chance to be the best")
        bar.outline.set_visible(False)
    left, right = weights[0], weights[-1]
    for row in envelope.itertuples():
        if row.module in rows:
            place = rows.index(row.module)
            ends = np.clip([row.from_weight, row.to_weight], left, right)
            axis.plot(ends, [place, place], color=plots.PALETTE[1], lw=3, solid_capstyle="butt")
            if row.from_low == row.from_low and row.from_weight > 0:
                interval = np.clip([row.from_low, row.from_high], left, right)
                axis.plot(interval, [place - 0.5] * 2, color=plots.PALETTE[0], lw=1.6)
                axis.plot(row.from_weight, place - 0.5, "|", color=plots.PALETTE[0], ms=9, mew=1.6)
    axis.axvline(weight, color=plots.INK, lw=1, ls=":")
    axis.set_xscale("log")
    axis.set_xlim(left, right)
    axis.grid(visible=False)
    axis.set_ylim(len(rows) - 0.5, -0.6)
    axis.set_yticks(range(len(rows)), [name.replace("-", " · ") for name in rows])
    axis.tick_params(axis="y", labelcolor=plots.INK, labelsize=8.5, length=0, pad=34)
    axis.set_xlabel("weight of the penalty (logarithmic)")
    for place, name in enumerate(rows):
        plots.glyph(axis, name.split("-"), place, step=0.026)
    handles = [
        plots.legend_line("the best module by the means", color=plots.PALETTE[1], lw=3),
        plots.legend_line("change, 95 % interval", color=plots.PALETTE[0], marker="|", lw=1.6),
        plots.legend_line(f"the study's weight, {weight:g}", color=plots.INK, lw=1, ls=":"),
    ]
    plots.legend_below(figure, handles, 3)
    return figure


@plots.styled
def penalties_accuracy(results: Results) -> "Figure":
    """Draw accuracy against parameters, and the winner and its objective for some weights."""
    summary = results.table("exhaustive/summary.csv")
    envelope = results.table("penalties/envelope.csv")
    penalty = extras.penalty(results.run["config"])
    figure, axes = plots.new_figure(
        results, 1, len(FACTORS), size=(7.6, 3.6), sharex=True, sharey=True
    )
    size, mean = summary["parameters"] / 1e3, summary["mean"]
    margin = 0.08 * (mean.max() - mean.min() or 1)
    for axis, factor in zip(axes, FACTORS, strict=True):
        weight = factor * penalty["weight"]
        on = (envelope["from_weight"] <= weight) & (weight < envelope["to_weight"])
        best = envelope[on].iloc[0]
        axis.vlines(size, summary["low"], summary["high"], color=plots.FAINT, lw=1.2)
        axis.plot(size, mean, "o", ms=4.5, color=plots.MUTED, mec="white")
        ends = np.array([0, 1.05 * size.max()])
        slope = weight / penalty["unit"] * 1e3
        level = best["mean"] + slope * (ends - best["parameters"] / 1e3)
        axis.plot(ends, level, color=plots.PALETTE[1], lw=1.2)
        axis.plot(best["parameters"] / 1e3, best["mean"], "D", ms=8, color=plots.PALETTE[1])
        axis.set_title(f"weight {weight:g}")
        axis.set_xlabel("\n".join(["thousand parameters", *best["module"].split("-")]))
        axis.set_xlim(*ends)
        axis.set_ylim(mean.min() - 2 * margin, mean.max() + 2 * margin)
    axes[0].set_ylabel("mean best test accuracy")
    plots.percent_axis(axes[0].yaxis)
    handles = [
        plots.legend_line("a module, 95 % interval", color=plots.MUTED, marker="o", mec="white"),
        plots.legend_line("the best one, named below", color=plots.PALETTE[1], marker="D", ls=""),
        plots.legend_line("as good as the best one", color=plots.PALETTE[1], lw=1.2),
    ]
    plots.legend_below(figure, handles, 3)
    return figure
