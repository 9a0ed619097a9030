"""Figures of the article's own study: learning curves, differences, parameters and accuracy."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from convstudy.analyses.article_study import tables
from convstudy.analyses.article_study.example_diagrams import draw_example
from convstudy.analyses.article_study.tradeoff import answer_tradeoff
from convstudy.article import facts
from convstudy.core import libraries
from convstudy.display import style
from convstudy.display.formats import ACCURACY, CHANGE_POINTS, WHOLE, write
from convstudy.display.style import Drawing
from convstudy.layers.examples import examples
from convstudy.layers.networks import Networks
from convstudy.results import reference_runs
from convstudy.results.run import Results


@style.styled
def learning_curves(results: Results) -> Figure:
    """Draw training and test accuracy by epoch; at the article's scale, with its accuracies.

    A smaller run has the curves that were recorded at that scale beside its own.
    """
    networks = results.networks
    beside = not results.synthetic and not results.reductions and networks.is_article
    recorded = []
    if networks.is_article and not results.synthetic and not beside:
        recorded = reference_runs.at_article_scale(results.folder)[:1]
    figure, axes = style.new_figure(
        results, 1, 1 + len(recorded), size=(7.6, 4.2), squeeze=False, sharey=True
    )
    axis, other = axes[0][0], axes[0][-1]
    kinds = _draw_curves(axis, results, beside)
    for run in recorded:
        axis.set_title("This run")
        _draw_curves(other, run, article=True)
        other.set_title("Recorded at the article's scale")
        other.set_ylabel("")
    looks = style.kind_looks(networks)
    handles = [style.legend_line(networks.label(kind), **looks[kind]) for kind in kinds]
    handles += [
        style.legend_line("test, mean over replicates", color=style.INK),
        style.legend_line("training, mean", color=style.INK, ls=(0, (3, 2))),
        style.legend_line("test, one replicate", color=style.MUTED, lw=0.8, alpha=0.5),
    ]
    if beside or recorded:
        handles.append(
            style.legend_line("the article's test accuracy", color=style.INK, lw=1, ls=":")
        )
    style.legend_below(figure, handles + style.largest_class(axis, results), 3)
    return figure


def _draw_curves(axis: Axes, results: Results, article: bool) -> list[str]:
    """Draw a run's curves, with the article's accuracies if asked for; return the kinds."""
    curves, networks = results.curves, results.networks
    kinds = [kind for kind in networks.kinds if kind in set(curves["kind"])]
    for kind in kinds:
        look = style.kind_looks(networks)[kind]
        colour = look["color"]
        mine = curves[curves["kind"] == kind]
        for _, one in mine.groupby("replicate"):
            axis.plot(one["epoch"], one["test_accuracy"], color=colour, lw=0.8, alpha=0.3)
        mean = mine.groupby("epoch")[["train_accuracy", "test_accuracy"]].mean()
        axis.plot(mean.index, mean["train_accuracy"], ls=(0, (3, 2)), color=colour)
        axis.plot(mean.index, mean["test_accuracy"], color=colour)
        axis.plot(mean.index[-1], mean["test_accuracy"].iloc[-1], ls="", **{**look, "ms": 8})
        if article:
            axis.axhline(facts.accuracies()[kind], color=colour, lw=1, ls=":")
    axis.set_xlabel("epoch")
    axis.set_ylabel("accuracy")
    style.whole_axis(axis.xaxis)
    style.percent_axis(axis.yaxis)
    return kinds


@style.styled
def single_kind(results: Results) -> Figure:
    """Draw each kind's accuracy minus that of the row above, with the article's.

    With other networks than the article's, the first kind's is subtracted from all others.
    """
    table, article = tables.single_kind(results), results.networks.is_article
    minus = "minus_above" if article else "minus_reference"
    rows = table.iloc[1:].to_dict("records")
    above = table["label"].iloc[:-1] if article else [table["label"].iloc[0]] * len(rows)
    figure, axis = style.new_figure(results, size=(7.6, 1.4 + 0.7 * len(rows)))
    for place, row in enumerate(rows):
        look = style.kind_looks(results.networks)[row["kind"]]
        ends = [row[f"{minus}_low"], row[f"{minus}_high"]]
        axis.plot([100 * end for end in ends], [place, place], color=look["color"], lw=3)
        axis.plot(100 * row[minus], place, ls="", **{**look, "ms": 9})
        if article and not results.synthetic:
            printed = 100 * row["article_minus_above"]
            axis.plot(printed, place + 0.28, "D", ms=7, mfc="white", mec=style.INK, mew=1.4)
    axis.axvline(0, color=style.INK, lw=1)
    pairs = zip((row["label"] for row in rows), above, strict=True)
    labels = [f"{label}\n{style.MINUS} {other}" for label, other in pairs]
    axis.set_yticks(range(len(rows)), labels)
    axis.tick_params(axis="y", labelcolor=style.INK, length=0)
    axis.set_ylim(len(rows) - 0.4, -0.5)
    axis.set_xlabel("difference in best test accuracy, points")
    axis.margins(x=0.08)
    chance = "95 % interval over trainings and images"
    if not (results.training["kind"].value_counts() > 1).all():
        chance = "95 % interval over images alone"
    handles = [style.legend_line(f"this run, {chance}", color=style.MUTED, marker="o", ms=8, lw=3)]
    if article and not results.synthetic:
        handles.append(
            style.legend_line("article", marker="D", mfc="white", mec=style.INK, mew=1.4, ls="")
        )
    style.legend_below(figure, handles, 2)
    return figure


@style.styled
def parameters_accuracy(results: Results) -> Figure:
    """Draw parameters and test accuracy of all modules, or of those that were tried.

    The article's modules get their own panel unless this run is at the article's scale.
    """
    ours, networks = tables.tried_modules(results), results.networks
    printed = pd.concat([tables.article_best(penalised) for penalised in (False, True)])
    theirs = printed.groupby("module", as_index=False)[["parameters", "test_accuracy"]].max()
    shown = networks.is_article and not results.synthetic
    apart = shown and bool(results.reductions)
    ratios = (3, 2) if apart else (1,)
    figure, axes = style.new_figure(
        results, 1, len(ratios), size=(7.6, 4.6), squeeze=False, width_ratios=ratios
    )
    axis, beside = axes[0][0], axes[0][-1]
    best = tables.pareto_front(ours)
    if "low" in best:
        axis.vlines(
            best["parameters"], best["low"], best["high"], color=style.MUTED, lw=1.4, zorder=1
        )
    _scatter_modules(axis, ours, networks)
    _name_points(axis, best, networks)
    if shown:
        _scatter_modules(beside, theirs, networks, hollow=True)
    if apart:
        axis.set_title("This run")
        beside.set_title("The article")
        _name_points(beside, tables.pareto_front(theirs), networks)
        beside.set_ylabel("")
    axis.set_ylabel("best test accuracy over epochs")
    for one in axes[0]:
        one.set_xscale("log")
        one.set_xlabel("parameters (logarithmic)")
        one.xaxis.set_major_formatter(style.short_number)
        one.xaxis.set_minor_formatter(style.short_number)
        one.tick_params(axis="x", which="minor", labelsize=8)
        _thin_out_minor_labels(one)
        one.margins(x=0.15, y=0.08)
        style.percent_axis(one.yaxis)
    handles = [
        style.legend_line(style.module_labels(networks)[kind], **look, ls="")
        for kind, look in style.module_looks(networks).items()
    ]
    if shown and not apart:
        handles.append(style.legend_line("article", marker="o", mfc="none", mec=style.INK, ls=""))
    if "low" in ours:
        handles.append(
            style.legend_line("95 % interval, labelled modules", color=style.MUTED, lw=1.4)
        )
    style.legend_below(figure, handles + style.largest_class(axis, results), 3)
    return figure


def _scatter_modules(
    axis: Axes, modules: pd.DataFrame, networks: Networks, hollow: bool = False
) -> None:
    """Draw modules by parameters and accuracy; colour and shape show the kind of most layers."""
    looks = style.module_looks(networks)
    leading = [style.leading_kind(module.split("-")) for module in modules["module"]]
    libraries.seaborn().scatterplot(
        x=modules["parameters"],
        y=modules["test_accuracy"],
        hue=leading,
        style=leading,
        hue_order=list(looks),
        style_order=list(looks),
        palette={kind: look["color"] for kind, look in looks.items()},
        markers={kind: look["marker"] for kind, look in looks.items()},
        s=55,
        legend=False,
        ax=axis,
    )
    if hollow:
        drawn = axis.collections[-1]
        drawn.set(edgecolor=drawn.get_facecolor(), facecolor="none", linewidth=1.4)


def _name_points(axis: Axes, modules: pd.DataFrame, networks: Networks) -> None:
    """Label modules above their intervals or, without intervals, left of the points."""
    for row in modules.itertuples():
        above = "high" in modules
        axis.annotate(
            style.letters(row.module, networks),
            (row.parameters, row.high if above else row.test_accuracy),
            xytext=(0, 5) if above else (-6, -3),
            textcoords="offset points",
            ha="center" if above else "right",
            fontsize=8,
            fontweight="bold",
        )


def _thin_out_minor_labels(axis: Axes) -> None:
    """Label a logarithmic axis only at 1, 2 and 5."""
    from matplotlib.ticker import LogLocator

    axis.xaxis.set_minor_locator(LogLocator(base=10, subs=(2.0, 5.0)))


def _reached(results: Results) -> list[str]:
    rows = results.table("tables/single_kind.csv").itertuples()
    return [f"{row.label} reaches {write(row.mean, ACCURACY)}" for row in rows]


def _differences(results: Results) -> list[str]:
    minus = "minus_above" if results.networks.is_article else "minus_reference"
    rows = results.table("tables/single_kind.csv").iloc[1:].to_dict("records")
    return [f"{row['label']} {write(row[minus], CHANGE_POINTS)} points" for row in rows]


def _front(results: Results) -> list[str]:
    return [
        f"{row.module}, {write(row.parameters, WHOLE)} parameters,"
        f" {write(row.test_accuracy, ACCURACY)}"
        for row in tables.pareto_front(tables.tried_modules(results)).itertuples()
    ]


def _example(name: str) -> Drawing:
    return Drawing(lambda _: draw_example(name), lambda _: [])


DRAWINGS = {
    "answer_tradeoff": Drawing(answer_tradeoff, lambda _: [], lettered=True),
    "learning_curves": Drawing(learning_curves, _reached),
    "single_kind": Drawing(single_kind, _differences),
    "parameters_accuracy": Drawing(parameters_accuracy, _front, lettered=True),
    **{f"example_{name}": _example(name) for name in examples()},
}
