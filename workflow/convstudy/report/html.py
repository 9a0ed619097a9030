"""Tables and figures as unstyled HTML fragments, for the report's notebook.

The report template's style sheet styles their classes; without it, in Jupyter, they are plain but
readable.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from convstudy.claims import verdicts
from convstudy.display.columns import Column
from convstudy.display.formats import DASH, THIN, span, write
from convstudy.layers.networks import ARTICLE, Networks


@dataclass(frozen=True)
class Html:
    """An HTML fragment that Jupyter renders."""

    text: str

    def _repr_html_(self) -> str:
        return self.text


SIGNS = {
    names[decided]: sign
    for names in (verdicts.VERDICTS, verdicts.OWN_VERDICTS)
    for decided, sign in ((True, "✓"), (False, "✗"), (None, "?"))
}


# Refuted claims first, then open ones.
ORDER = [
    names[decided]
    for decided in (False, None, True)
    for names in (verdicts.VERDICTS, verdicts.OWN_VERDICTS)
]
FAILS = (verdicts.VERDICTS[False], verdicts.OWN_VERDICTS[False])


def look(verdict: str) -> str:
    """Return a verdict's CSS class."""
    return verdict.replace(" ", "-")


def pill(verdict: str, words: str = "") -> str:
    """Show a verdict, or other words for it, in its colour."""
    sign = f'<span aria-hidden="true">{SIGNS[verdict]}</span>'
    return f'<span class="pill {look(verdict)}">{sign} {escape(words or verdict)}</span>'


def _number(number: int, verdict: str) -> str:
    """Write a count with its verdict: 1 holds, 2 hold."""
    plural = {"holds": "hold", "does not hold": "do not hold"}
    return f"{number} {plural.get(verdict, verdict) if number > 1 else verdict}"


def anchor(group: str, verdict: str) -> str:
    """Return the id of the links to a group's claims with this verdict."""
    return f"{group} {verdict}".replace(" ", "-")


def counted(claims: pd.DataFrame, group: str = "") -> str:
    """Count the verdicts on claims; with a group, each count links to its claims."""
    number = claims["verdict"].value_counts()
    pills = []
    for verdict in ORDER:
        if verdict in number:
            shown = pill(verdict, _number(number[verdict], verdict))
            pills.append(f'<a href="#{anchor(group, verdict)}">{shown}</a>' if group else shown)
    return " ".join(pills)


def by_verdict(groups: Mapping[str, pd.DataFrame], titles: Mapping[str, str]) -> str:
    """List links to all claims by verdict, folded, and within each by group.

    Args:
        groups: The claims of each group.
        titles: The groups' titles.
    """
    shown = []
    for verdict in ORDER:
        having = {name: part[part["verdict"] == verdict] for name, part in groups.items()}
        number = sum(map(len, having.values()))
        if not number:
            continue
        listed = ""
        for name, part in having.items():
            links = "".join(
                f'<li><a href="#claim-{row.id}">{sentence(row.statement)}</a></li>'
                for row in part.itertuples()
            )
            if links:
                listed += f'<li id="{anchor(name, verdict)}">{titles[name]}<ul>{links}</ul></li>'
        shown.append(
            f"<details><summary>{pill(verdict, _number(number, verdict))}</summary>"
            f"<ul>{listed}</ul></details>"
        )
    return f'<div class="by-verdict"><h3>By verdict</h3>{"".join(shown)}</div>'


def cards(claims: pd.DataFrame) -> str:
    """Show claims as a list."""
    return f'<ul class="cards">{"".join(map(card, claims.itertuples()))}</ul>'


def card(claim: Any) -> str:
    """Show a claim, a row of claims.csv."""
    reason = "" if pd.isna(claim.reason) else claim.reason
    evidence = "" if pd.isna(claim.evidence) else sentence(claim.evidence)
    # If results are missing, the evidence ends with the command that makes them.
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
    """Write a claim's interval, if it is not in the evidence already, and its p-value."""
    # At another scale, the difference from the stated number is meaningless.
    if claim.here == verdicts.NOT_COMPARABLE:
        return ""
    adjusted = ""
    if pd.notna(claim.p):
        p = "&lt; 0.001" if claim.p < 0.001 else f"= {claim.p:#.2g}"
        adjusted = f" Adjusted p{THIN}{p}."
    if pd.isna(claim.low) or _is_said(claim):
        return adjusted
    written = partial(write, form=".2f") if claim.unit == "points" else _significant
    number, *ends = map(written, (claim.effect, claim.low, claim.high))
    unit = "" if claim.unit == "objective" else f" {claim.unit}"
    return f" Difference: {number}{unit} (95{THIN}% interval {' to '.join(ends)}).{adjusted}"


def _is_said(claim: Any) -> bool:
    """Check whether the evidence contains the effect's number."""
    forms = {write(claim.effect, form) for form in (".1f", ".2f", ".4g")}
    return any(re.search(rf"(?<![\d.]){re.escape(one)}(?!\d)", claim.evidence) for one in forms)


def _significant(value: float) -> str:
    """Write a number with three significant digits."""
    return write(value, ",.0f" if abs(value) >= 100 else ".3g")


def table(
    frame: pd.DataFrame, columns: Mapping[str, Column], caption: str, networks: Networks = ARTICLE
) -> Html:
    """Show a table that scrolls within its own box if it is too wide.

    Args:
        frame: What to show.
        columns: The columns to show, in order, with their formats. The first one heads the rows.
        caption: Shown above the table.
        networks: Those of the run.
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
            cells.append(
                f"<{tag}{scope}{_class(column)}>{_cell(row, name, column, networks)}</{tag}>"
            )
        body.append(f"<tr>{''.join(cells)}</tr>")
    # The caption is outside the box, so that it is not cut off.
    name = "table-" + re.sub(r"\W+", "-", caption.lower()).strip("-")
    return Html(
        f'<p class="caption" id="{name}">{escape(caption)}</p>'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}">'
        f'<table aria-labelledby="{name}"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>{_left_out(columns)}"
    )


def _left_out(columns: Mapping[str, Column]) -> str:
    """Name the columns that are hidden on a phone."""
    hidden = [column.label for column in columns.values() if not column.phone]
    if not hidden:
        return ""
    return f'<p class="phone-only">Hidden on narrow screens: {escape(", ".join(hidden))}.</p>'


def _class(column: Column) -> str:
    names = {"number": column.form, "wraps": column.wraps, "wide-only": not column.phone}
    chosen = " ".join(name for name, is_so in names.items() if is_so)
    return f' class="{chosen}"' if chosen else ""


def _cell(row: pd.Series, name: str, column: Column, networks: Networks) -> str:
    if column.ends:
        low, high = (row[end] for end in column.ends)
        return escape(span(low, high, column.form))
    if pd.isna(row[name]):
        return DASH
    if column.html:
        return column.html(row[name], networks)
    return escape(write(row[name], column.form) if column.form else str(row[name]))


# Characters that a URL may contain unescaped, besides letters and digits.
URL_CHARACTERS = "!$'()*+,-./:;=?@_~"


def embedded(path: Path) -> str:
    """Write an SVG file as a data URL, for a quoted attribute."""
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", path.read_text("utf-8"), flags=re.S)
    text = re.sub(r">\s+<", "><", re.sub(r"\s+", " ", text)).replace('"', "'")
    # Shorter than base64.
    return f"data:image/svg+xml,{quote(text, safe=URL_CHARACTERS)}"


def picture(path: Path, alternative: str, caption: str, below: Html) -> Html:
    """Show a figure's SVG file, embedded, and on phones the narrow version.

    Args:
        path: The SVG file; the narrow version has the same name in the folder ``narrow``.
        alternative: Its alternative text.
        caption: Shown below it.
        below: Shown below the caption.
    """
    narrow = _without_spaces(path.parent / "narrow" / path.name)
    return Html(
        f'<figure><picture><source media="(max-width: 40rem)" srcset="{narrow}">'
        f'<img src="{embedded(path)}" alt="{escape(alternative)}"></picture>'
        f"<figcaption>{sentence(caption)}{below.text}</figcaption></figure>"
    )


def _without_spaces(path: Path) -> str:
    """Write an SVG file as a data URL without spaces, for srcset."""
    return embedded(path).replace(" ", "%20")


def sentence(text: str) -> str:
    """Escape a sentence and keep numbers on one line with their per cent signs."""
    return escape(text).replace(" %", f"{THIN}%")


def items(sentences: Sequence[str]) -> str:
    """Write sentences as a list."""
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in sentences) + "</ul>"


def statements(of_group: pd.DataFrame) -> str:
    """Show arithmetic claims as a table: what is stated and what was computed."""
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
