"""The style of all figures.

A layer kind has the same colour in every figure. The colours can be distinguished with any kind of
colour vision, and no figure relies on colour alone.
"""

import contextlib
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from functools import wraps
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec

from convstudy.core import libraries
from convstudy.core.files import replacing
from convstudy.display import fonts
from convstudy.layers.networks import Networks
from convstudy.results.run import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")
# Okabe and Ito's colours, starting with the highest contrast to white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# The kinds': the first three, and darker ones, far from each other with any kind of colour vision.
KIND_COLOURS = (*PALETTE[:3], "#9000F0", "#301800", "#A80000", "#000078", "#780060")
# In the same order; X stands for mixed modules.
MARKERS = "o^sDvP*p"
INK, MUTED, FAINT, WARNING = "#1f2933", "#5f6b7a", "#c5ccd6", "#9f1d1d"
MINUS = "\N{MINUS SIGN}"
# Width of a phone's screen in inches.
NARROW = 3.7
MIXED = "mixed"
_narrow: ContextVar[bool] = ContextVar("narrow", default=False)


@contextlib.contextmanager
def narrow_screen() -> Iterator[None]:
    """Draw figures for a phone: narrow, with panels stacked."""
    token = _narrow.set(True)
    try:
        yield
    finally:
        _narrow.reset(token)


def colours(networks: Networks) -> dict[str, str]:
    """Return the colour of each layer kind."""
    return dict(zip(networks.kinds, KIND_COLOURS, strict=False))


def kind_looks(networks: Networks) -> dict[str, dict[str, Any]]:
    """Return the colour and, for readers who cannot see it, the marker of each layer kind."""
    return {
        kind: {"color": colour, "marker": marker, "ms": 5}
        for (kind, colour), marker in zip(colours(networks).items(), MARKERS, strict=False)
    }


def module_looks(networks: Networks) -> dict[str, dict[str, Any]]:
    """Return the look of modules by the kind of most of their layers; see `leading_kind`."""
    looks = {**kind_looks(networks), MIXED: {"color": "#7b8794", "marker": "X", "ms": 5}}
    return {kind: {**look, "ms": 7} for kind, look in looks.items()}


def module_labels(networks: Networks) -> dict[str, str]:
    """Return the legend labels for `module_looks`."""
    # Of four layers, two and two may be alike.
    each = len(networks.kinds) == networks.module_layers <= 3
    mixed = "one of each" if each else MIXED
    return {kind: f"mostly {networks.label(kind)}" for kind in networks.kinds} | {MIXED: mixed}


def is_narrow() -> bool:
    """Check whether figures are being drawn for a phone."""
    return _narrow.get()


def _style() -> dict[str, Any]:
    """Return Matplotlib settings: its own, not the user's; seaborn's; and our style sheet."""
    from matplotlib import rc_params_from_file, rcParamsDefault

    sns = libraries.seaborn()
    fonts.add()
    sheet = str(files(__package__) / "style.mplstyle")
    return {
        # Saving needs no backend, and naming one loads it.
        **{key: value for key, value in rcParamsDefault.items() if key != "backend"},
        **sns.axes_style("ticks"),
        **sns.plotting_context("notebook"),
        **rc_params_from_file(sheet, use_default_template=False),
    }


def styled(draw: "Callable[P, Figure]") -> "Callable[P, Figure]":
    """Decorate a function to draw in the house style without changing Matplotlib's settings."""

    @wraps(draw)
    def styled(*arguments: "P.args", **named: "P.kwargs") -> "Figure":
        import matplotlib as mpl

        with mpl.rc_context(_style()):
            return draw(*arguments, **named)

    return styled


def new_figure(
    results: Results | None, *shape: int, size: tuple[float, float], **arguments: Any
) -> Any:
    """Make a figure and its axes, with a visible note if the images are synthetic.

    Pass no results if the figure does not depend on the images; then there is no note.
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
        # To the caller, they are still side by side.
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


def largest_class(axis: Any, results: Results, across: bool = False) -> list[Any]:
    """Draw what always answering the largest class would reach, for images of one's own.

    Call it after everything is drawn. Far from everything else, the line would leave no room for
    it, so the legend alone says where it is.

    Args:
        axis: An axis of accuracies, upwards unless `across`.

    Returns:
        Its entry for the legend, if any.
    """
    if not results.own_images:
        return []
    largest = results.data["largest_class"]
    share, name = largest["share"], f"always the largest class ({largest['name']})"
    low, high = axis.dataLim.intervalx if across else axis.dataLim.intervaly
    if share < low - (high - low):
        return [legend_line(f"largest class: {100 * share:.1f} %", ls="")]
    draw = axis.axvline if across else axis.axhline
    draw(share, color=WARNING, lw=1.2, ls=(0, (5, 2)))
    return [legend_line(name, color=WARNING, lw=1.2, ls=(0, (5, 2)))]


def percent_axis(axis: Any) -> None:
    """Label an axis of fractions in per cent."""
    axis.set_major_formatter(lambda value, _: f"{round(100 * value, 6):g} %")


def whole_axis(axis: Any) -> None:
    """Label an axis at whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, nbins=7))


def legend_below(figure: "Figure", handles: Sequence[Any], columns: int) -> None:
    """Put a legend below all axes; on a phone one entry per line, wrapped if long."""
    if is_narrow():
        columns = 1
        for handle in handles:
            handle.set_label(textwrap.fill(handle.get_label(), 42))
        for axis in figure.axes:
            axis.set_xlabel(textwrap.fill(axis.get_xlabel(), 34))
            axis.set_ylabel(textwrap.fill(axis.get_ylabel(), 28))
    figure.legend(handles=handles, loc="outside lower left", ncols=columns, handletextpad=0.5)


def legend_line(label: str, **style: Any) -> Any:
    """Make a legend entry."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **style)


def letters(module: str, networks: Networks) -> str:
    """Write a module's layers as letters, ``C D D``, or as the shortest names that differ."""
    return " ".join(_short(kind, networks.kinds) for kind in module.split("-"))


def letters_meant(networks: Networks) -> str:
    """Say which kinds the letters stand for."""
    meant = [f"{letters(kind, networks)} is {networks.label(kind)}" for kind in networks.kinds]
    return f"{', '.join(meant)}, in the order of the layers within a stage."


def _short(kind: str, kinds: Iterable[str]) -> str:
    """Shorten a kind's name to the fewest first letters that no other kind has."""
    for length in range(1, len(kind)):
        if [one[:length] for one in kinds].count(kind[:length]) == 1:
            return kind[:length].capitalize()
    return kind.capitalize()


def short_number(value: float, _position: int | None = None) -> str:
    """Write 15,000 as 15 k and 1,500,000 as 1.5 M."""
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


def plain_ticks(axis: Any) -> None:
    """Label a logarithmic axis at 1, 2 and 5 as plain numbers, evenly if short, sparsely if long.

    Call it after everything is drawn.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    low, high = axis.get_view_interval()
    short = high < 5 * low
    subs = (1, 3) if high > 50 * low else (1, 2, 5)
    axis.set_major_locator(MaxNLocator(nbins=4) if short else LogLocator(subs=subs))
    axis.set_major_formatter(short_number)
    axis.set_minor_formatter(NullFormatter())


def save(figure: "Figure", stem: str | Path, suffixes: Sequence[str] = ("svg", "png")) -> None:
    """Write a figure as SVG and as PNG (200 dpi), each atomically.

    Args:
        stem: Path without suffix.
        suffixes: File formats.
    """
    import matplotlib as mpl

    # Leave out dates and versions, so that equal figures give equal files.
    metadata: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "png": {"Software": None}}
    # Ticks are made only when the figure is drawn, so they need the style here.
    with mpl.rc_context(_style()):
        for suffix in suffixes:
            with replacing(f"{stem}.{suffix}") as temporary:
                about = metadata[suffix]
                figure.savefig(temporary, dpi=200, metadata=about, facecolor="white")
            # Laid out once for all formats.
            figure.set_layout_engine("none")


def leading_kind(kinds: Sequence[str]) -> str:
    """Return the kind that more of a module's layers have than any other, or `MIXED`."""
    (most, number), *others = Counter(kinds).most_common(2)
    return most if number > max((one for _, one in others), default=0) else MIXED


class Drawing(NamedTuple):
    """A figure; its caption is in ``captions/NAME.rst`` beside the code."""

    draw: "Callable[[Results], Figure]"
    numbers: Callable[[Results], list[str]]
    # Whether modules are written as letters.
    lettered: bool = False
