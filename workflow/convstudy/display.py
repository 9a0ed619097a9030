"""Tables and figures as pieces of HTML without style, for the report's notebook.

The style sheet of the report's template gives the classes their look; without it, in Jupyter,
they are plain but readable.
"""

import base64
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from convstudy import claims, plots

Format = Callable[[Any], str]
# Thin space before units, as in the figures; a true minus sign.
THIN, MINUS, DASH = "\u202f", "\u2212", "\u2013"


@dataclass(frozen=True)
class Html:
    """A piece of HTML that Jupyter shows as such."""

    text: str

    def _repr_html_(self) -> str:
        return self.text


def percent(value: float) -> str:
    """Write a fraction as per cent with two digits."""
    return f"{100 * value:.2f}{THIN}%"


def interval(low: float, high: float) -> str:
    """Write two fractions as a range in per cent; a dash where there is none."""
    if pd.isna(low):
        return DASH
    return f"{100 * low:.2f}{DASH}{100 * high:.2f}{THIN}%"


def span(low: float, high: float) -> str:
    """Write two whole numbers as a range; a dash where there is none."""
    return DASH if pd.isna(low) else f"{int(low)}{DASH}{int(high)}"


def three(value: float) -> str:
    """Write a number with three digits that count, and commas."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:#.3g}".rstrip(".")


def times(value: float) -> str:
    """Write a factor."""
    return f"{value:.1f}×"


def points(value: float) -> str:
    """Write a difference of fractions in points, with its sign."""
    return f"{100 * value:+.2f}".replace("-", MINUS)


def points_of(value: float) -> str:
    """Write a distance of fractions in points, which has no sign."""
    return f"{100 * value:.2f}"


def point_interval(low: float, high: float) -> str:
    """Write two differences of fractions as a range in points; a dash where there is none."""
    return DASH if pd.isna(low) else f"{points(low)} to {points(high)}"


def three_interval(low: float, high: float) -> str:
    """Write two numbers as a range, with three digits that count; a dash where there is none."""
    return DASH if pd.isna(low) else f"{three(low)}{DASH}{three(high)}"


def four_interval(low: float, high: float) -> str:
    """Write two numbers as a range, as `four` writes them; a dash where there is none."""
    return DASH if pd.isna(low) else f"{four(low)}{DASH}{four(high)}"


def change(value: float) -> str:
    """Write a difference to the nearest whole number, with its sign."""
    return f"{value:+,.0f}".replace("-", MINUS)


def change_interval(low: float, high: float) -> str:
    """Write two differences as a range, to whole numbers; a dash where there is none."""
    return DASH if pd.isna(low) else f"{change(low)} to {change(high)}"


def yes(value: bool) -> str:
    """Write yes or no."""
    return "yes" if value else "no"


def whole(value: float) -> str:
    """Write a whole number with a comma at every third digit."""
    return f"{int(value):,}".replace("-", MINUS)


def whole_or_range(value: float | str) -> str:
    """Write a whole number; a range is text already."""
    return value if isinstance(value, str) else whole(value)


def four(value: float) -> str:
    """Write a number with four digits after the point, or the sign of infinity."""
    if value == math.inf:
        return "∞"
    return f"{value:.4f}".replace("-", MINUS)


def error(value: float) -> str:
    """Write an error: zero, or one digit and its power of ten."""
    return "0" if value == 0 else f"{value:.0e}"


def module(value: str) -> str:
    """Write a module's layers with its colours before them."""
    kinds = value.split("-")
    shades = plots.colours()
    squares = "".join(
        f'<i style="background:{shades[kind]}"></i>' for kind in kinds if kind in shades
    )
    return f'<span class="glyph" aria-hidden="true">{squares}</span>{escape(" · ".join(kinds))}'


SIGNS = {claims.REPRODUCED: "✓", claims.NOT_REPRODUCED: "✗", claims.UNDECIDED: "?"}


def pill(verdict: str) -> str:
    """Write a verdict as a coloured word."""
    name = verdict.replace(" ", "-")
    sign = f'<span aria-hidden="true">{SIGNS[verdict]}</span>'
    return f'<span class="pill {name}">{sign} {escape(verdict)}</span>'


def mark(claim: Any) -> str:
    """Write a claim's verdict as a sign that leads to its card."""
    name = claim.verdict.replace(" ", "-")
    said = escape(f"{claim.statement} {claim.verdict.capitalize()}.")
    return (
        f'<a class="mark {name}" href="#claim-{claim.id}" title="{said}" aria-label="{said}">'
        f"{SIGNS[claim.verdict]}</a>"
    )


def card(claim: Any) -> str:
    """Show a row of the table of claims."""
    reason, _, command = ("" if pd.isna(claim.reason) else claim.reason).partition(": ")
    evidence = "" if pd.isna(claim.evidence) else sentence(claim.evidence)
    if command:
        evidence = f"Not made yet: <code>{escape(command)}</code>"
    why = f'<p class="reason">{escape(reason)}</p>' if reason else ""
    return (
        f'<li class="card {claim.verdict.replace(" ", "-")}" id="claim-{claim.id}">'
        f"<div>{pill(claim.verdict)}{why}</div>"
        f'<div><p class="claim">{sentence(claim.statement)}</p>'
        f'<p class="evidence">{evidence}{effect(claim)}</p>'
        f"<details><summary>Source and refutation</summary><p>Source: {escape(claim.source)}."
        f" Refuted by: {escape(claim.refuted_by[0].lower() + claim.refuted_by[1:])}"
        f" Judged on <code>results/{escape(claim.file)}</code>.</p></details></div></li>"
    )


def effect(claim: Any) -> str:
    """Write a claim's effect, if it has an interval; what is exact stands in the evidence."""
    if pd.isna(claim.low):
        return ""
    number, *ends = map(_significant, (claim.effect, claim.low, claim.high))
    unit = "" if claim.unit == "objective" else f" {claim.unit}"
    return f" Effect: {number}{unit} (95{THIN}% interval {' to '.join(ends)})."


def _significant(value: float) -> str:
    """Write a number with three digits."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return text.replace("-", MINUS)


@dataclass(frozen=True)
class Column:
    """A column of a shown table.

    Attributes:
        label: Its heading.
        format: Value to text; a column with one is aligned to the right. Without, the value as it
            is.
        html: Value to HTML, aligned to the left.
        wraps: Whether its text may take several lines.
    """

    label: str
    format: Format | None = None
    html: Format | None = None
    wraps: bool = False


def table(
    frame: pd.DataFrame,
    columns: Mapping[str, Column],
    caption: str,
    groups: Sequence[tuple[str, int]] = (),
) -> Html:
    """Show a table whose wide form scrolls within its own box.

    Args:
        frame: What to show.
        columns: Which of its columns, in which order and how. The first one heads the rows.
        caption: Stands above the table.
        groups: (label, number of columns). A second heading above the columns' own.
    """
    above = "".join(
        f'<th scope="colgroup" colspan="{number}">{escape(label)}</th>'
        if label
        else f'<td colspan="{number}"></td>'
        for label, number in groups
    )
    heads = "".join(
        f'<th scope="col"{_class(column)}>{escape(column.label)}</th>'
        for column in columns.values()
    )
    body = []
    for _, row in frame.iterrows():
        cells = []
        for place, (name, column) in enumerate(columns.items()):
            tag, scope = ("th", ' scope="row"') if place == 0 else ("td", "")
            cells.append(f"<{tag}{scope}{_class(column)}>{_cell(row[name], column)}</{tag}>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    grouped = f'<tr class="groups">{above}</tr>' if groups else ""
    wide = ' class="wide"' if len(columns) > 7 else ""
    # The caption stands outside the box, where it is not cut off.
    name = "table-" + re.sub(r"\W+", "-", caption.lower()).strip("-")
    return Html(
        f'<p class="caption" id="{name}">{escape(caption)}</p>'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}">'
        f'<table{wide} aria-labelledby="{name}"><thead>{grouped}<tr>{heads}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _class(column: Column) -> str:
    if column.format:
        return ' class="number"'
    return ' class="wraps"' if column.wraps else ""


def _cell(value: Any, column: Column) -> str:
    if pd.isna(value):
        return DASH
    if column.html:
        return column.html(value)
    return escape(column.format(value) if column.format else str(value))


def picture(path: Path, alternative: str, caption: str, below: Html) -> Html:
    """Show a figure's SVG file, embedded.

    Args:
        path: The SVG file.
        alternative: What it shows, for those who do not see it.
        caption: Stands below it.
        below: Stands below the caption.
    """
    content = base64.b64encode(path.read_bytes()).decode()
    return Html(
        '<figure><div class="scroll" tabindex="0" role="group" aria-label="Figure">'
        f'<img src="data:image/svg+xml;base64,{content}" alt="{escape(alternative)}">'
        f"</div><figcaption>{sentence(caption)}{below.text}</figcaption></figure>"
    )


def sentence(text: str) -> str:
    """Write a sentence, in which no number parts from its unit."""
    return escape(text).replace(" %", f"{THIN}%")


def items(sentences: Sequence[str]) -> str:
    """Write sentences as a list."""
    return "<ul>" + "".join(f"<li>{escape(one)}</li>" for one in sentences) + "</ul>"
