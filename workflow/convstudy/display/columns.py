"""Tables in the report: which columns are shown, with which headings and formats."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import pandas as pd

from convstudy.display import style
from convstudy.display.formats import ACCURACY, CHANGE_POINTS, PERCENT, THIN, THREE, WHOLE
from convstudy.layers.networks import ARTICLE, Networks
from convstudy.results.run import Results


@dataclass(frozen=True)
class Column:
    """A column of a table in the report.

    Attributes:
        label: Its heading.
        form: A number format, see `write`; such a column is right-aligned. Otherwise text.
        html: Converts the value, of a run on these networks, to HTML, left-aligned.
        wraps: Whether its text may wrap.
        ends: The columns with the ends of an interval, shown in this column.
        phone: Whether phones also show it.

    Example:
        >>> Column("Test accuracy", form=".1%").label
        'Test accuracy'
    """

    label: str
    form: str = ""
    html: Callable[[Any, Networks], str] | None = None
    wraps: bool = False
    ends: tuple[str, str] | None = None
    phone: bool = True


def interval_of(name: str, form: str, label: str = f"95{THIN}% interval") -> Column:
    """Make a column for the interval from NAME_low to NAME_high."""
    low, high = (f"{name}_{end}".strip("_") for end in ("low", "high"))
    return Column(label, form, ends=(low, high))


def module(value: str, networks: Networks) -> str:
    """Show a module's layers as colours and letters, and a single kind by name."""
    if value in networks.kinds:
        return _glyph(value, networks) + escape(networks.label(value))
    short = style.letters(value, networks)
    return f'{_glyph(value, networks)}<abbr title="{escape(value)}">{short}</abbr>'


def _glyph(module: str, networks: Networks) -> str:
    shades = style.colours(networks)
    squares = "".join(
        f'<i style="background:{shades[kind]}"></i>' for kind in module.split("-") if kind in shades
    )
    return f'<span class="glyph" aria-hidden="true">{squares}</span>'


@dataclass(frozen=True)
class Table:
    """A table in the report.

    Attributes:
        caption: Shown above it.
        columns: By name in the file (an interval's name is free).
        prepare: Transforms the file's rows before they are shown.
    """

    caption: str
    columns: dict[str, Column]
    prepare: "Callable[[pd.DataFrame, Results], pd.DataFrame]" = lambda frame, _: frame


TEXT = "device item outcome package pass recipe run study version"
NUMBERS = (
    "cases completed epochs epochs_trained parameters passed pruned rank replicates this_run"
    " trainings trials"
)
# How columns are shown unless their table says otherwise.
COLUMNS = {
    **{name: Column(name.capitalize()) for name in TEXT.split()},
    **{name: Column(name.replace("_", " ").capitalize(), WHOLE) for name in NUMBERS.split()},
    "alike": Column("Tied with best", PERCENT),
    "article": Column("Article", PERCENT),
    "article_completed": Column("Article: completed"),
    "article_test_accuracy": Column("Article: test accuracy", PERCENT),
    "balanced_accuracy": Column("Mean over classes", ACCURACY),
    "between": Column(f"95{THIN}% interval"),
    "channels": Column("Channels", THREE),
    "check": Column("Check", wraps=True),
    "data": Column("Images", wraps=True),
    "difference": Column("Minus the article, points", CHANGE_POINTS),
    "epochs_saved": Column("Epochs saved by pruning", WHOLE),
    "interval": interval_of("", ACCURACY),
    "label": Column("Layer"),
    "largest_error": Column("Largest error", ".0e"),
    "last_channels": Column("Most channels measured", WHOLE),
    "last_speedup": Column("Speed-up there", ".1f×"),
    "latency_ms": Column("Mean", THREE),
    "mean": Column("Best epoch", ACCURACY),
    "mean_last": Column("Last epoch", ACCURACY),
    "model": Column("Layers of a stage", html=module),
    "models": Column("Networks", WHOLE),
    "module": Column("Layers", html=module),
    "objective": Column("Objective", ".4f"),
    "penalty": Column("Penalty on"),
    "probability": Column("Probability", PERCENT),
    "ranks": interval_of("rank", WHOLE),
    "selection": Column("Epoch"),
    "size": Column("Feature map", "{0:g} × {0:g}"),
    "test_accuracy": Column("Test accuracy", ACCURACY),
    "value": Column("Value", wraps=True),
    "weight": Column("Weight", "g"),
    "width": Column("Width", "g"),
    **{
        kind: Column(entry.label.removesuffix("Conv2D") or entry.label, PERCENT)
        for kind, entry in ARTICLE.kinds.items()
    },
}


def table(caption: str, names: str, **others: Column) -> Table:
    """Describe a table by its column names; those with a * are hidden on phones."""
    columns = {}
    for entry in names.split():
        name = entry.rstrip("*")
        column = others.get(name) or COLUMNS[name]
        columns[name] = replace(column, phone=not entry.endswith("*"))
    return Table(caption, columns)
