"""Figures: results in, Matplotlib figures out, in one style.

A layer kind has the same colour in every figure. The colours are told apart with any kind of
colour vision, and no figure says something by colour alone.
"""

import contextlib
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
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
MINUS = "\N{MINUS SIGN}"
# Inches that a phone shows.
NARROW = 3.7
MIXED = "one of each"
_narrow: ContextVar[bool] = ContextVar("narrow", default=False)


@contextlib.contextmanager
def narrow_screen() -> Iterator[None]:
    """Let figures be drawn for a phone: as narrow, with panels below each other."""
    token = _narrow.set(True)
    try:
        yield
    finally:
        _narrow.reset(token)


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


def is_narrow() -> bool:
    """Tell whether what is drawn is for a phone."""
    return _narrow.get()


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

    rows, columns = shape or (1, 1)
    if is_narrow():
        turned = {"row": "col", "col": "row"}
        for share in {"sharex", "sharey"} & set(arguments):
            arguments[share] = turned.get(arguments[share], arguments[share])
        arguments.pop("width_ratios", None)
        height = size[1] if columns == 1 else (0.3 + 0.55 * columns) * size[1]
        figure = Figure(figsize=(NARROW, height), layout="constrained")
        axes = figure.subplots(columns, rows, **arguments)
        # As the caller sees them, they stand beside each other.
        axes = getattr(axes, "T", axes)
    else:
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(rows, columns, **arguments)
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
    """Put a legend below all axes; on a phone one entry a line, and long words in several."""
    if is_narrow():
        columns = 1
        for handle in handles:
            handle.set_label(textwrap.fill(handle.get_label(), 42))
        for axis in figure.axes:
            axis.set_xlabel(textwrap.fill(axis.get_xlabel(), 34))
            axis.set_ylabel(textwrap.fill(axis.get_ylabel(), 28))
    figure.legend(handles=handles, loc="outside lower left", ncols=columns, handletextpad=0.5)


def legend_line(label: str, **style: Any) -> Any:
    """Make a legend's entry."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **style)


@styled
def learning_curves(results: Results) -> "Figure":
    """Draw training and test accuracy by epoch, and at the article's size its accuracies."""
    curves = results.curves
    kinds = [kind for kind in KINDS if kind in set(curves["kind"])]
    beside = not results.synthetic and not results.reductions
    figure, axis = new_figure(results, size=(7.6, 4.2))
    for kind in kinds:
        look = kind_looks()[kind]
        colour = look["color"]
        mine = curves[curves["kind"] == kind]
        for column, dash in (("test_accuracy", "-"), ("train_accuracy", (0, (3, 2)))):
            for _, one in mine.groupby("replicate"):
                axis.plot(one["epoch"], one[column], ls=dash, color=colour, lw=0.8, alpha=0.3)
            mean = mine.groupby("epoch")[column].mean()
            axis.plot(mean.index, mean, ls=dash, color=colour)
            if column == "test_accuracy":
                axis.plot(mean.index[-1], mean.iloc[-1], ls="", **{**look, "ms": 8})
        if beside:
            axis.axhline(article.accuracies()[kind], color=colour, lw=1, ls=":")
    axis.set_xlabel("epoch")
    axis.set_ylabel("accuracy")
    whole_axis(axis.xaxis)
    percent_axis(axis.yaxis)
    handles = [legend_line(KINDS[kind].label, **kind_looks()[kind]) for kind in kinds]
    handles += [
        legend_line("test, mean over replicates", color=INK),
        legend_line("training", color=INK, ls=(0, (3, 2))),
        legend_line("one replicate", color=MUTED, lw=0.8, alpha=0.5),
    ]
    if beside:
        handles.append(legend_line("the article's test accuracy", color=INK, lw=1, ls=":"))
    legend_below(figure, handles, 3)
    return figure


@styled
def single_kind(results: Results) -> "Figure":
    """Draw by how much each kind is more accurate than the next larger, beside the article's."""
    table = tables.single_kind(results)
    rows = list(table.iloc[1:].itertuples())
    above = dict(zip(table["label"].iloc[1:], table["label"], strict=False))
    figure, axis = new_figure(results, size=(7.6, 1.4 + 0.7 * len(rows)))
    for place, row in enumerate(rows):
        look = kind_looks()[row.kind]
        ends = [row.minus_above_low, row.minus_above_high]
        axis.plot([100 * end for end in ends], [place, place], color=look["color"], lw=3)
        axis.plot(100 * row.minus_above, place, ls="", **{**look, "ms": 9})
        if not results.synthetic:
            printed = 100 * row.article_minus_above
            axis.plot(printed, place + 0.28, "D", ms=7, mfc="white", mec=INK, mew=1.4)
    axis.axvline(0, color=INK, lw=1)
    labels = [f"{row.label}\n{MINUS} {above[row.label]}" for row in rows]
    axis.set_yticks(range(len(rows)), labels)
    axis.tick_params(axis="y", labelcolor=INK, length=0)
    axis.set_ylim(len(rows) - 0.4, -0.5)
    axis.set_xlabel("difference of best test accuracies, points")
    axis.margins(x=0.08)
    chance = "95 % interval over trainings and images"
    if not (results.training["kind"].value_counts() > 1).all():
        chance = "95 % interval over images alone"
    handles = [legend_line(f"this run, {chance}", color=MUTED, marker="o", ms=8, lw=3)]
    if not results.synthetic:
        handles.append(legend_line("article", marker="D", mfc="white", mec=INK, mew=1.4, ls=""))
    legend_below(figure, handles, 2)
    return figure


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


def save(figure: "Figure", stem: str | Path, suffixes: Sequence[str] = ("svg", "png")) -> None:
    """Write a figure as PNG, at two pixels a point, and as SVG, each whole or not at all.

    Args:
        figure: Drawn by this module or another.
        stem: Path without suffix.
        suffixes: In which forms.
    """
    import matplotlib as mpl

    # No dates and versions inside, so that equal figures are equal files.
    metadata: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "png": {"Software": None}}
    # Ticks are made on drawing only, and so need the style here.
    with mpl.rc_context(_style()):
        for suffix in suffixes:
            with replacing(f"{stem}.{suffix}") as temporary:
                about = metadata[suffix]
                figure.savefig(temporary, dpi=200, metadata=about, facecolor="white")
