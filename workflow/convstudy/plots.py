"""Figures: results in, Matplotlib figures out, in one style.

A layer kind has the same colour in every figure. The colours are told apart with any kind of
colour vision, and no figure says something by colour alone.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from convstudy import article, tables
from convstudy.files import replacing
from convstudy.layers import KINDS
from convstudy.results import Results

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
# Okabe and Ito's colours, those with the most contrast to white first.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
INK, MUTED, FAINT, WARNING = "#1f2933", "#5f6b7a", "#c5ccd6", "#9f1d1d"
MIXED = "one of each"


def colours() -> dict[str, str]:
    """Give each layer kind its colour."""
    return {kind: PALETTE[number % len(PALETTE)] for number, kind in enumerate(KINDS)}


def kind_looks() -> dict[str, dict[str, Any]]:
    """Give each layer kind its colour and, for who does not see it, its marker."""
    markers = "o^sDvP"
    return {
        kind: {"color": colour, "marker": markers[number % len(markers)], "ms": 5}
        for number, (kind, colour) in enumerate(colours().items())
    }


def module_looks() -> dict[str, dict[str, Any]]:
    """Give modules the look of the kind that most of their layers are of; see `leading_kind`."""
    looks = {**kind_looks(), MIXED: {"color": "#7b8794", "marker": "X", "ms": 5}}
    return {kind: {**look, "ms": 7} for kind, look in looks.items()}


def module_labels() -> dict[str, str]:
    """Give the legend's words for `module_looks`."""
    return {kind: f"mostly {KINDS[kind].label}" for kind in KINDS} | {MIXED: MIXED}


def _style() -> dict[str, Any]:
    """Give Matplotlib's settings of the house style."""
    import seaborn as sns

    return {
        **sns.axes_style("ticks"),
        **sns.plotting_context("notebook"),
        "font.family": ["DejaVu Sans"],
        "font.size": 10.5,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 10.5,
        "axes.labelcolor": MUTED,
        "axes.edgecolor": FAINT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e8ebf0",
        "grid.linewidth": 0.8,
        "text.color": INK,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "xtick.labelsize": 9.5,
        "ytick.labelsize": 9.5,
        "legend.fontsize": 9.5,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        # Text as shapes looks the same everywhere.
        "svg.fonttype": "path",
        # Equal figures have equal bytes.
        "svg.hashsalt": "convstudy",
    }


def styled(draw: "Callable[P, Figure]") -> "Callable[P, Figure]":
    """Let a function draw in the house style, and leave Matplotlib's settings as they were."""

    @wraps(draw)
    def styled(*arguments: "P.args", **named: "P.kwargs") -> "Figure":
        import matplotlib as mpl

        with mpl.rc_context(_style()):
            return draw(*arguments, **named)

    return styled


def new_figure(
    results: Results | None, *shape: int, size: tuple[float, float], **arguments: Any
) -> Any:
    """Make a figure and its axes, with a visible note if the results are of synthetic images.

    Without results, there is no note: what is shown does not depend on the images.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(*shape, **arguments)
    if results and results.synthetic:
        figure.suptitle(
            "Synthetic data: accuracies say nothing about CIFAR-10",
            x=0.01,
            ha="left",
            fontsize=10,
            fontweight="bold",
            color=WARNING,
        )
    return figure, axes


def percent_axis(axis: Any) -> None:
    """Label an axis of fractions in per cent."""
    axis.set_major_formatter(lambda value, _: f"{round(100 * value, 6):g} %")


def whole_axis(axis: Any) -> None:
    """Label an axis at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, nbins=7))


def legend_below(figure: "Figure", handles: Sequence[Any], columns: int) -> None:
    """Put a legend below all axes."""
    figure.legend(handles=handles, loc="outside lower left", ncols=columns, handletextpad=0.5)


def legend_line(label: str, **style: Any) -> Any:
    """Make a legend's entry."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **style)


@styled
def learning_curves(results: Results) -> "Figure":
    """Draw training and test accuracy by epoch, a panel a kind, and the article's best."""
    curves = results.curves
    printed = {} if results.synthetic else article.accuracies()
    kinds = [kind for kind in KINDS if kind in set(curves["kind"])]
    figure, axes = new_figure(results, 1, len(kinds), size=(7.6, 3.5), sharey=True, squeeze=False)
    for axis, kind in zip(axes[0], kinds, strict=True):
        colour = colours()[kind]
        mine = curves[curves["kind"] == kind]
        several = len(set(mine["replicate"])) > 1
        for column, dash in (("test_accuracy", "-"), ("train_accuracy", (0, (3, 2)))):
            if several:
                for _, one in mine.groupby("replicate"):
                    axis.plot(one["epoch"], one[column], ls=dash, color=colour, lw=0.8, alpha=0.35)
            mean = mine.groupby("epoch")[column].mean()
            marker = "o" if len(mean) == 1 else None
            axis.plot(mean.index, mean, ls=dash, color=colour, marker=marker)
        if kind in printed:
            axis.axhline(printed[kind], color=INK, lw=1, ls=":")
        axis.set_title(KINDS[kind].label, color=colour)
        axis.set_xlabel("epoch")
        whole_axis(axis.xaxis)
    axes[0][0].set_ylabel("accuracy")
    axes[0][0].set_ylim(0, 1)
    percent_axis(axes[0][0].yaxis)
    handles = [
        legend_line("test", color=INK),
        legend_line("training", color=INK, ls=(0, (3, 2))),
    ]
    if printed:
        handles.append(legend_line("the article's test accuracy", color=INK, lw=1, ls=":"))
    legend_below(figure, handles, 3)
    return figure


@styled
def single_kind(results: Results) -> "Figure":
    """Draw each kind's best test accuracy, its replicates and the article's figure."""
    accuracies = tables.single_kind(results)
    replicates = results.training.groupby("kind")["test_accuracy_best"].agg(list)
    figure, axis = new_figure(results, size=(7.6, 0.9 + 0.62 * len(accuracies)))
    labels = []
    for place, row in enumerate(accuracies.itertuples()):
        colour = colours()[row.kind]
        labels.append(KINDS[row.kind].label)
        axis.plot([row.low, row.high], [place, place], color=colour, lw=3, solid_capstyle="butt")
        axis.plot(row.mean, place, "o", ms=9, color=colour)
        each = replicates[row.kind]
        if len(each) > 1:
            axis.plot(each, [place + 0.24] * len(each), "|", color=colour, ms=8)
        axis.annotate(
            f"{row.mean:.1%}".replace("%", " %"),
            (row.mean, place),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            color=colour,
            fontweight="bold",
        )
        if not results.synthetic:
            axis.plot(row.article, place, "D", ms=8, mfc="white", mec=INK, mew=1.4, zorder=3)
    axis.set_yticks(range(len(labels)), labels)
    axis.tick_params(axis="y", labelcolor=INK, length=0)
    axis.set_ylim(len(labels) - 0.5, -0.7)
    axis.set_xlabel("best test accuracy over epochs")
    axis.margins(x=0.08)
    percent_axis(axis.xaxis)
    handles = [
        legend_line("this run, with its 95 % interval", color=MUTED, marker="o", ms=8, lw=3),
        legend_line("one replicate", color=MUTED, marker="|", ms=9, ls=""),
    ]
    if replicates.map(len).max() == 1:
        handles.pop()
    if not results.synthetic:
        handles.append(legend_line("article", marker="D", mfc="white", mec=INK, mew=1.4, ls=""))
    legend_below(figure, handles, len(handles))
    return figure


@styled
def counts(results: Results) -> "Figure":
    """Draw parameters and multiply-accumulates of the 27 modules."""
    models, printed = results.counts, article.parameter_counts()
    modules = models[models["layer3"].notna()].sort_values(["parameters", "macs"], ascending=False)
    figure, axes = new_figure(None, 1, 2, size=(7.6, 0.8 + 0.235 * len(modules)), sharey=True)
    places = range(len(modules))
    columns = (
        ("parameters", "Parameters", "millions"),
        ("macs", "Multiply-accumulates", "millions an image"),
    )
    for axis, (column, title, unit) in zip(axes, columns, strict=True):
        values = modules[column] / 1e6
        axis.hlines(places, 0, values, color=FAINT, lw=1.4)
        axis.plot(values, places, "o", ms=5.5, color=INK)
        axis.set_title(title)
        axis.set_xlabel(unit)
        axis.set_xlim(left=0)
        axis.grid(axis="y", visible=False)
    stated = [
        (printed[model] / 1e6, place)
        for place, model in zip(places, modules["model"], strict=True)
        if model in printed
    ]
    if stated:
        axes[0].plot(*zip(*stated, strict=True), "D", ms=10, mfc="none", mec=INK, mew=1.1, ls="")
    axes[0].set_yticks(places, [name.replace("-", " · ") for name in modules["model"]])
    axes[0].tick_params(axis="y", labelcolor=INK, labelsize=8.5, length=0, pad=34)
    axes[0].set_ylim(-0.8, len(modules) - 0.2)
    for place, row in zip(places, modules.itertuples(), strict=True):
        glyph(axes[0], [row.layer1, row.layer2, row.layer3], place)
    handles = [
        legend_line(KINDS[kind].label, marker="s", color=colour, ls="")
        for kind, colour in colours().items()
    ]
    if stated:
        handles.append(
            legend_line("printed in the article", marker="D", ms=8, mfc="none", mec=INK, ls="")
        )
    legend_below(figure, handles, len(handles))
    return figure


def glyph(axis: "Axes", kinds: Sequence[str], place: float, step: float = 0.05) -> None:
    """Draw a module left of its axis as three squares in the colours of its layers.

    `step` is from one square to the next, as a share of the axis's width.
    """
    for number, kind in enumerate(kinds):
        axis.plot(
            step * (number - 2.9),
            place,
            "s",
            ms=5,
            color=colours()[kind],
            transform=axis.get_yaxis_transform(),
            clip_on=False,
        )


def leading_kind(kinds: Sequence[str]) -> str:
    """Give the kind that most layers of a module are of, or `MIXED`."""
    most = max(kinds, key=kinds.count)
    return most if list(kinds).count(most) > 1 else MIXED


@styled
def parameters_accuracy(results: Results) -> "Figure":
    """Draw modules by parameters and test accuracy: all of them, else those that were tried.

    The article's have a panel of their own unless this run is of the article's size.
    """
    import pandas as pd

    ours = tables.tried_modules(results)
    printed = pd.concat([tables.article_best(penalised) for penalised in (False, True)])
    theirs = printed.groupby("module", as_index=False)[["parameters", "test_accuracy"]].max()
    shown = not results.synthetic
    apart = shown and bool(results.reductions)
    ratios = (3, 2) if apart else (1,)
    figure, axes = new_figure(
        results, 1, len(ratios), size=(7.6, 4.6), squeeze=False, width_ratios=ratios
    )
    axis, beside = axes[0][0], axes[0][-1]
    best = tables.pareto_front(ours)
    if "low" in best:
        axis.vlines(best["parameters"], best["low"], best["high"], color=MUTED, lw=1.4, zorder=1)
    _scatter_modules(axis, ours)
    _name_points(axis, best)
    if shown:
        _scatter_modules(beside, theirs, hollow=True)
    if apart:
        axis.set_title("This run")
        beside.set_title("The article")
        _name_points(beside, tables.pareto_front(theirs))
        beside.set_ylabel("")
    axis.set_ylabel("best test accuracy over epochs")
    for one in axes[0]:
        one.set_xscale("log")
        one.set_xlabel("parameters (logarithmic)")
        one.xaxis.set_major_formatter(_short_number)
        one.xaxis.set_minor_formatter(_short_number)
        one.tick_params(axis="x", which="minor", labelsize=8)
        _thin_out_minor_labels(one)
        one.margins(x=0.15, y=0.08)
        percent_axis(one.yaxis)
    handles = [
        legend_line(module_labels()[kind], **look, ls="") for kind, look in module_looks().items()
    ]
    if shown and not apart:
        handles.append(legend_line("article", marker="o", mfc="none", mec=INK, ls=""))
    if "low" in ours:
        handles.append(legend_line("95 % interval of those named", color=MUTED, lw=1.4))
    legend_below(figure, handles, 3)
    return figure


def _scatter_modules(axis: "Axes", modules: "pd.DataFrame", hollow: bool = False) -> None:
    """Draw modules by parameters and accuracy; the kind of most layers is colour and shape."""
    import seaborn as sns

    looks = module_looks()
    leading = [leading_kind(module.split("-")) for module in modules["module"]]
    sns.scatterplot(
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


def _name_points(axis: "Axes", modules: "pd.DataFrame") -> None:
    """Write modules' letters above their intervals; without one, left of the points."""
    for row in modules.itertuples():
        above = "high" in modules
        axis.annotate(
            letters(row.module),
            (row.parameters, row.high if above else row.test_accuracy),
            xytext=(0, 5) if above else (-6, -3),
            textcoords="offset points",
            ha="center" if above else "right",
            fontsize=8,
            fontweight="bold",
        )


def letters(module: str) -> str:
    """Write a module's layers as letters: ``C D D``."""
    return " ".join(kind[0].upper() for kind in module.split("-"))


def _short_number(value: float, _position: int | None = None) -> str:
    """Write 15,000 as 15 k and 1,500,000 as 1.5 M."""
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


def _thin_out_minor_labels(axis: "Axes") -> None:
    """Label a logarithmic axis at 1, 2 and 5 only."""
    from matplotlib.ticker import LogLocator

    axis.xaxis.set_minor_locator(LogLocator(base=10, subs=(2.0, 5.0)))


def plain_ticks(axis: Any) -> None:
    """Label a logarithmic axis at 1, 2 and 5, or evenly if it is short, as plain numbers.

    Call it when all is drawn.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    low, high = axis.get_view_interval()
    short = high < 5 * low
    axis.set_major_locator(MaxNLocator(nbins=4) if short else LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(_short_number)
    axis.set_minor_formatter(NullFormatter())


@styled
def trials(results: Results, study: str) -> "Figure":
    """Draw a study's trials in their order, and the best completed objective so far.

    A pruned trial has no objective; it is drawn at what its best epoch would have given.
    """
    trials = results.studies[study].trials
    figure, axis = new_figure(results, size=(7.6, 3.6))
    reached = 1 - trials["test_accuracy"] + trials["penalty"]
    values = trials["objective"].fillna(reached)
    number = trials["number"] + 1
    looks = {
        "COMPLETE": ("completed", {"marker": "o", "color": INK, "ms": 7, "mec": "white"}),
        "PRUNED": (
            "pruned, at its best epoch",
            {"marker": "x", "color": MUTED, "ms": 6, "mew": 1.6},
        ),
        "FAIL": ("failed", {"marker": "v", "color": WARNING, "ms": 7}),
    }
    handles = []
    for state, (label, look) in looks.items():
        mine = trials["state"] == state
        if mine.any():
            axis.plot(number[mine], values[mine].fillna(values.max()), ls="", **look)
            handles.append(legend_line(label, ls="", **look))
    best = trials["objective"].cummin().ffill()
    axis.step(number, best, where="post", color=INK, lw=1.2, zorder=1)
    handles.append(legend_line("best completed so far", color=INK, lw=1.2))
    axis.set_title(f"Study “{study}”")
    axis.set_xlabel("trial")
    axis.set_ylabel("objective (lower is better)")
    whole_axis(axis.xaxis)
    legend_below(figure, handles, len(handles))
    return figure


@styled
def reuse(results: Results) -> "Figure":
    """Draw where each study's epochs came from, and how fast each kind trains."""
    epochs, speed = tables.studies(results), results.training
    figure, (left, right) = new_figure(
        results,
        1,
        2,
        size=(7.6, 1.5 + 0.5 * max(len(epochs), len(speed["kind"].unique()))),
        width_ratios=(3, 2),
    )
    parts = (
        ("epochs_trained", "trained", {"color": "#3e4c59"}),
        ("epochs_reused", "reused from the store", {"color": "#b8c4d0"}),
        (
            "epochs_saved",
            "saved by pruning",
            {"color": "white", "edgecolor": FAINT, "hatch": "////"},
        ),
    )
    columns = [column for column, _, _ in parts]
    places = list(range(len(epochs)))
    start = [0] * len(epochs)
    handles = []
    for column, label, look in parts:
        bars = left.barh(places, epochs[column], left=start, height=0.55, label=label, **look)
        handles.append(bars)
        for place, before, value in zip(places, start, epochs[column], strict=True):
            if value > 0.08 * epochs[columns].sum(axis=1).max():
                left.text(
                    before + value / 2,
                    place,
                    f"{value:,}",
                    ha="center",
                    va="center",
                    fontsize=9,
                    color="white" if column == "epochs_trained" else INK,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5}
                    if column == "epochs_saved"
                    else None,
                )
        start = [before + value for before, value in zip(start, epochs[column], strict=True)]
    left.set_yticks(places, epochs["study"])
    left.set_ylim(len(epochs) - 0.5, -0.5)
    left.set_title("Epochs of the studies")
    left.set_xlabel("epochs")
    kinds = [kind for kind in KINDS if kind in set(speed["kind"])]
    for place, kind in enumerate(kinds):
        mine = speed.loc[speed["kind"] == kind, "images_per_second"]
        right.barh(place, mine.mean(), height=0.55, color=colours()[kind])
        right.text(mine.mean(), place, f" {mine.mean():,.0f}", va="center", fontsize=9)
    right.set_yticks(range(len(kinds)), [KINDS[kind].label for kind in kinds])
    right.set_ylim(len(kinds) - 0.5, -0.5)
    right.margins(x=0.25)
    right.set_title("Training speed")
    right.set_xlabel("images a second")
    for axis in (left, right):
        axis.tick_params(axis="y", labelcolor=INK, length=0)
        axis.grid(axis="y", visible=False)
    legend_below(figure, handles, 3)
    return figure


def save(figure: "Figure", stem: str | Path) -> None:
    """Write a figure as PNG, at two pixels a point, and as SVG, each whole or not at all.

    Args:
        figure: Drawn by this module or another.
        stem: Path without suffix.
    """
    import matplotlib as mpl

    # No dates and versions inside, so that equal figures are equal files.
    metadata: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "png": {"Software": None}}
    # Ticks are made on drawing only, and so need the style here.
    with mpl.rc_context(_style()):
        for suffix, about in metadata.items():
            with replacing(f"{stem}.{suffix}") as temporary:
                figure.savefig(temporary, dpi=200, metadata=about, facecolor="white")
