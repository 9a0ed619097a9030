"""Tables and figures as pieces of HTML without style, for the report's notebook.

The style sheet of the report's template gives the classes their look; without it, in Jupyter,
they are plain but readable.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from convstudy.claims import verdicts
from convstudy.display.columns import Column
from convstudy.display.formats import DASH, THIN, span, write


@dataclass(frozen=True)
class Html:
    """A piece of HTML that Jupyter shows as such."""

    text: str

    def _repr_html_(self) -> str:
        return self.text


SIGNS = {
    names[decided]: sign
    for names in (verdicts.VERDICTS, verdicts.OWN_VERDICTS)
    for decided, sign in ((True, "✓"), (False, "✗"), (None, "?"))
}


def look(verdict: str) -> str:
    """Give a verdict's class in the style sheet."""
    return verdict.replace(" ", "-")


def pill(verdict: str, words: str = "") -> str:
    """Write a verdict, or other words for it, in its colour."""
    sign = f'<span aria-hidden="true">{SIGNS[verdict]}</span>'
    return f'<span class="pill {look(verdict)}">{sign} {escape(words or verdict)}</span>'


def card(claim: Any) -> str:
    """Show a row of the table of claims."""
    reason = "" if pd.isna(claim.reason) else claim.reason
    evidence = "" if pd.isna(claim.evidence) else sentence(claim.evidence)
    # A command that makes what is missing ends the evidence.
    evidence = re.sub(r"(snakemake --cores all \S+)", r"<code>\1</code>", evidence)
    why = f'<p class="reason">{sentence(reason)}</p>' if reason else ""
    why += f'<p class="here">In this run: {claim.here}</p>' if pd.notna(claim.here) else ""
    return (
        f'<li class="card {look(claim.verdict)}" id="claim-{claim.id}">'
        f"<div>{pill(claim.verdict)}{why}</div>"
        f'<div><p class="claim">{sentence(claim.statement)}</p>'
        f'<p class="evidence">{evidence}{effect(claim)}</p>'
        f"<details><summary>Source and refutation</summary><p>Source: {escape(claim.source)}."
        f" Refuted by: {escape(claim.refuted_by[0].lower() + claim.refuted_by[1:])}"
        f" Judged on <code>results/{escape(claim.file)}</code>.</p></details></div></li>"
    )


def effect(claim: Any) -> str:
    """Write a claim's effect, if it has an interval and the evidence does not say it already."""
    # At another scale, a difference from what is stated says nothing.
    if pd.isna(claim.low) or claim.here == verdicts.NOT_COMPARABLE or _is_said(claim):
        return ""
    written = partial(write, form=".2f") if claim.unit == "points" else _significant
    number, *ends = map(written, (claim.effect, claim.low, claim.high))
    unit = "" if claim.unit == "objective" else f" {claim.unit}"
    return f" Difference: {number}{unit} (95{THIN}% interval {' to '.join(ends)})."


def _is_said(claim: Any) -> bool:
    """Tell whether the evidence has the effect's number."""
    forms = {format(claim.effect, form) for form in (".1f", ".2f", ".4g")}
    return any(re.search(rf"(?<![\d.]){re.escape(one)}(?!\d)", claim.evidence) for one in forms)


def _significant(value: float) -> str:
    """Write a number with three digits."""
    return write(value, ",.0f" if abs(value) >= 100 else ".3g")


def table(frame: pd.DataFrame, columns: Mapping[str, Column], caption: str) -> Html:
    """Show a table whose wide form scrolls within its own box.

    Args:
        frame: What to show.
        columns: Which of its columns, in which order and how. The first one heads the rows.
        caption: Stands above the table.
    """
    heads = "".join(
        f'<th scope="col"{_class(column)}>{escape(column.label)}</th>'
        for column in columns.values()
    )
    body = []
    for _, row in frame.iterrows():
        cells = []
        for place, (name, column) in enumerate(columns.items()):
            tag, scope = ("th", ' scope="row"') if place == 0 else ("td", "")
            cells.append(f"<{tag}{scope}{_class(column)}>{_cell(row, name, column)}</{tag}>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    # The caption stands outside the box, where it is not cut off.
    name = "table-" + re.sub(r"\W+", "-", caption.lower()).strip("-")
    return Html(
        f'<p class="caption" id="{name}">{escape(caption)}</p>'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}">'
        f'<table aria-labelledby="{name}"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>{_left_out(columns)}"
    )


def _left_out(columns: Mapping[str, Column]) -> str:
    """Name the columns that a phone does not show."""
    hidden = [column.label for column in columns.values() if not column.phone]
    if not hidden:
        return ""
    return f'<p class="phone-only">On a wider screen, too: {escape(", ".join(hidden))}.</p>'


def _class(column: Column) -> str:
    names = {"number": column.form, "wraps": column.wraps, "wide-only": not column.phone}
    chosen = " ".join(name for name, is_so in names.items() if is_so)
    return f' class="{chosen}"' if chosen else ""


def _cell(row: pd.Series, name: str, column: Column) -> str:
    if column.ends:
        low, high = (row[end] for end in column.ends)
        return escape(span(low, high, column.form))
    if pd.isna(row[name]):
        return DASH
    if column.html:
        return column.html(row[name])
    return escape(write(row[name], column.form) if column.form else str(row[name]))


def embedded(path: Path) -> str:
    """Write an SVG file as an address that holds it, for a quoted attribute."""
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", path.read_text("utf-8"), flags=re.S)
    text = re.sub(r">\s+<", "><", re.sub(r"\s+", " ", text)).replace('"', "'")
    # A quarter shorter than in base 64.
    for character in "%#<>&":
        text = text.replace(character, f"%{ord(character):02X}")
    return f"data:image/svg+xml,{text}"


def picture(path: Path, alternative: str, caption: str, below: Html) -> Html:
    """Show a figure's SVG file, embedded, and on a phone the one that is drawn for it.

    Args:
        path: The SVG file; that for phones has its name in ``narrow`` beside it.
        alternative: What it shows, for those who do not see it.
        caption: Stands below it.
        below: Stands below the caption.
    """
    narrow = _without_spaces(path.parent / "narrow" / path.name)
    return Html(
        f'<figure><picture><source media="(max-width: 40rem)" srcset="{narrow}">'
        f'<img src="{embedded(path)}" alt="{escape(alternative)}"></picture>'
        f"<figcaption>{sentence(caption)}{below.text}</figcaption></figure>"
    )


def _without_spaces(path: Path) -> str:
    """Write an SVG file as an address for a list of such, where a space ends one."""
    return embedded(path).replace(" ", "%20")


def sentence(text: str) -> str:
    """Write a sentence, in which no number parts from its unit."""
    return escape(text).replace(" %", f"{THIN}%")


def items(sentences: Sequence[str]) -> str:
    """Write sentences as a list."""
    return "<ul>" + "".join(f"<li>{escape(one)}</li>" for one in sentences) + "</ul>"


def statements(of_group: pd.DataFrame) -> str:
    """Show claims that are right or wrong as a table: what is stated, what was computed."""
    rows = "".join(
        f'<tr id="claim-{row.id}"><th scope="row">{sentence(row.statement)}</th>'
        f"<td>{'' if pd.isna(row.evidence) else sentence(row.evidence)}</td>"
        f"<td>{pill(row.verdict)}</td></tr>"
        for row in of_group.itertuples()
    )
    return (
        '<table class="cards-on-phones statements"><thead><tr><th scope="col">Stated</th>'
        '<th scope="col">Computed</th><th scope="col">Verdict</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
