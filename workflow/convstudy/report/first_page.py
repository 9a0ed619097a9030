"""The first page of the report as HTML: answer, conditions, figure, the three kinds, verdicts."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from convstudy.article import facts
from convstudy.claims import verdicts
from convstudy.claims.ledger import OWN
from convstudy.core.progress import duration
from convstudy.display import formats, style
from convstudy.report import html
from convstudy.report.answer import Answer
from convstudy.results import reference_runs
from convstudy.results.run import Results

GROUPS = {
    "arithmetic": "on arithmetic and counts",
    "training": "on trained networks",
    "timing": "on time, on this machine",
}

# Shown by the scripts that make them.
TRY = (
    '<p class="try" data-interactive="links" hidden>Try it: <a href="#explorer">step through a'
    ' layer’s products</a> or <a href="#tradeoff">move the penalty’s weight</a>.</p>'
)


def first_page(
    results: Results,
    judged: pd.DataFrame,
    found: Answer,
    alternative: str,
    caption: str,
    made: html.Html,
) -> html.Html:
    """Show the first page.

    Args:
        judged: claims.csv.
        found: The run's answer.
        alternative: The figure's alternative text.
        caption: The figure's caption for a run on real images.
        made: How the figure was made.
    """
    text = html.sentence(found.text)
    # Show commands as code.
    while "`" in text:
        text = text.replace("`", "<code>", 1).replace("`", "</code>", 1)
    answer = f'<p class="answer"><strong>{html.sentence(found.lead)}</strong> {text}</p>'
    if found.refuted:
        answer += _refuted(found.refuted)
    if found.conditions:
        more = ""
        if results.reductions and results.networks.is_article:
            number = len(results.reductions)
            word = "The one difference" if number == 1 else f"All {number} differences"
            more = f' <a href="#differences">{word}</a>'
        box = f"<strong>{found.box}</strong> " if found.box else ""
        shade = "amber" if results.reductions else "grey"
        answer += f'<p class="box {shade}">{box}{html.sentence(found.conditions)}{more}</p>'
    answer += TRY
    if results.networks.is_article:
        kinds = _counts(results) if results.synthetic else _kinds(results)
    else:
        kinds = _other_kinds(results)
    verdicts = _verdicts(results, judged) if results.networks.is_article else ""
    recorded = _recorded(results) if results.networks.is_article else ""
    figure = _picture(results, alternative, caption, made)
    return html.Html(
        f'<div class="first"><div>{answer}</div>{figure}</div>{kinds}{recorded}{verdicts}'
    )


def _refuted(refuted: Sequence[tuple[str, str]], most: int = 3) -> str:
    """List the claims that are not reproduced, with links to them."""
    listed = "; ".join(
        f'<a href="#claim-{name}">{html.sentence(statement.rstrip("."))}</a>'
        for name, statement in refuted[:most]
    )
    more = f"; and {len(refuted) - most} more" if len(refuted) > most else ""
    return f"<p><strong>Not reproduced:</strong> {listed}{more}.</p>"


def _picture(results: Results, alternative: str, caption: str, made: html.Html) -> str:
    """Show the figure, with its own CSS class."""
    if results.synthetic:
        first = results.networks.label(results.networks.reference)
        caption = f"Parameters and computation of the single-kind networks, relative to {first}."
    shown = html.picture(results.path("figures/answer_tradeoff.svg"), alternative, caption, made)
    return shown.text.replace("<figure>", '<figure class="tradeoff">', 1)


def _grid(name: str, heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """Show a table that turns into cards on a phone, each cell labelled with its column head."""
    top = "".join(f'<th scope="col">{html.escape(head)}</th>' for head in heads)
    body = ""
    for first, *cells in rows:
        body += f'<tr><th scope="row">{first}</th>' + "".join(
            f'<td data-head="{html.escape(head)}">{cell}</td>'
            for head, cell in zip(heads[1:], cells, strict=True)
        )
        body += "</tr>"
    return (
        f'<table class="cards-on-phones {name}"><caption>{caption}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    )


def _kinds(results: Results) -> str:
    """Compare the single-kind networks with the article's, each minus the row above."""
    table = results.table("tables/single_kind.csv")
    counted = results.counts.set_index("model")["parameters"]
    heads = ["Single-kind network", "Parameters, full width", "Article", "minus the row above"]
    heads += [
        f"This run, 95{formats.THIN}% interval",
        f"minus the row above, 95{formats.THIN}% interval",
    ]
    small = bool(results.reductions)
    heads += [""] if small else []
    rows = []
    for row in table.to_dict("records"):
        cells = [
            _swatch(row["kind"], results) + html.escape(row["label"]),
            formats.write(counted[row["kind"]], formats.WHOLE),
            formats.write(row["article"], formats.PERCENT),
            _change(row["article_minus_above"], formats.POINTS),
            _accuracy(row),
            _change(row["minus_above"], formats.CHANGE_POINTS),
        ]
        ends = row["minus_above_low"], row["minus_above_high"]
        seen = ""
        if pd.notna(ends[0]):
            low, high = (formats.write(end, formats.CHANGE_POINTS) for end in ends)
            cells[-1] += f" <small>{low} to {high}</small>"
            # In the article, each is less accurate than the row above.
            seen = _seen("agrees" if ends[1] < 0 else "disagrees" if ends[0] > 0 else "unclear")
        rows.append([*cells, seen] if small else cells)
    caption = ""
    if small:
        caption = (
            "At this scale, only the sign of “minus the row above” is comparable with the"
            " article's, and even that may change with scale."
        )
    return _grid("kinds", heads, rows, caption)


def _recorded(results: Results) -> str:
    """Compare the fullest recorded run at the article's scale with the article, if there is one."""
    table = results.table("tables/article_scale.csv")
    if table.empty:
        return ""
    mine = table[table["run"] == table["run"].iloc[0]]
    heads = [
        "At the article's scale",
        "Article",
        f"Best epoch, 95{formats.THIN}% interval",
        f"minus the article, 95{formats.THIN}% range of one training",
        "Last epoch",
        "Choosing the epoch adds",
    ]
    rows = []
    for row in mine.to_dict("records"):
        cells = [
            _swatch(row["kind"], results) + html.escape(row["label"]),
            formats.write(row["article"], formats.PERCENT),
            _accuracy(row),
            formats.write(row["difference"], formats.CHANGE_POINTS),
            formats.write(row["mean_last"], formats.ACCURACY),
            formats.write(row["flattery"], formats.CHANGE_POINTS),
        ]
        if pd.notna(row["difference_low"]):
            low, high = row["difference_low"], row["difference_high"]
            cells[3] += f" <small>{formats.span(low, high, formats.CHANGE_POINTS)}</small>"
        rows.append(cells)
    return _grid("kinds", heads, rows, _how_recorded(mine))


def _how_recorded(mine: pd.DataFrame) -> str:
    """Say how a recorded run's networks were trained, and where the article's accuracies lie."""
    first, trainings = mine.iloc[0], reference_runs.numbers(mine["replicates"])
    line = (
        f"Recorded with full width, all images ({first['images']}) and 100 epochs: {trainings}"
        f" trainings each, in {first['precision']} on {first['device']}, about"
        f" {duration(mine['seconds'].mean())} each."
    )
    if mine["difference_low"].notna().all():
        within = int((mine["difference_low"].le(0) & mine["difference_high"].ge(0)).sum())
        found = f"{within} of the article's {len(mine)}" if within else "none of the article's"
        line += f" The range of one more such training includes {found} accuracies."
    return f'{html.sentence(line)} <a href="#article-scale">All recorded trainings</a>'


def _other_kinds(results: Results) -> str:
    """Compare single-kind networks that are not the article's with the first one."""
    networks, counted = results.networks, results.counts.set_index("model")
    heads = ["Single-kind network", "Parameters, full width", "Multiply-accumulates"]
    first = networks.label(networks.reference)
    if not results.synthetic:
        heads += [
            f"Accuracy, 95{formats.THIN}% interval",
            f"minus {first}, 95{formats.THIN}% interval",
        ]
    rows = []
    for row in results.table("tables/single_kind.csv").to_dict("records"):
        kind = row["kind"]
        cells = [
            _swatch(kind, results) + html.escape(row["label"]),
            formats.write(counted.loc[kind, "parameters"], formats.WHOLE),
            formats.write(counted.loc[kind, "macs"], formats.WHOLE),
        ]
        if not results.synthetic:
            mean, minus = row["mean"], row["minus_reference"]
            ends = formats.span(row["low"], row["high"], formats.ACCURACY)
            cells.append(f"{formats.write(mean, formats.ACCURACY)} <small>{ends}</small>")
            cells.append(_change(minus, formats.CHANGE_POINTS))
            if pd.notna(minus):
                low, high = (row[f"minus_reference_{end}"] for end in ("low", "high"))
                cells[-1] += f" <small>{formats.span(low, high, formats.CHANGE_POINTS)}</small>"
        rows.append(cells)
    return _grid("kinds", heads, rows, "")


def _accuracy(row: Mapping[str, Any]) -> str:
    """Write a mean accuracy with its interval."""
    mean, low, high = (
        formats.write(row[name], formats.ACCURACY) for name in ("mean", "low", "high")
    )
    unit = f"{formats.THIN}%"
    return f"{mean} <small>{low.removesuffix(unit)} to {high.removesuffix(unit)}</small>"


def _change(value: float, form: str) -> str:
    return formats.DASH if pd.isna(value) else formats.write(value, form)


def _counts(results: Results) -> str:
    """Compare the counts of the single-kind networks with the article's."""
    printed, counted = facts.parameter_counts(), results.counts.set_index("model")
    rows = [
        [
            _swatch(kind, results) + html.escape(results.networks.label(kind)),
            formats.write(printed[kind], formats.WHOLE),
            formats.write(counted.loc[kind, "parameters"], formats.WHOLE),
            formats.write(counted.loc[kind, "macs"], formats.WHOLE),
        ]
        for kind in ("conv", "separable", "depthwise")
    ]
    heads = ["Single-kind network", "Parameters, printed", "counted", "Multiply-accumulates"]
    return _grid("kinds", heads, rows, "At the article's width")


def _verdicts(results: Results, judged: pd.DataFrame) -> str:
    """Count the verdicts on the article's statements by kind, without an overall score."""
    stated = judged[judged["source"] != OWN]
    small = bool(results.reductions) and not results.synthetic
    heads = [f"The article's {len(stated)} statements", "Verdict on the article"]
    heads += ["Seen in this run (no verdict)"] if small else []
    rows = []
    for basis, words in GROUPS.items():
        mine = stated[stated["basis"] == basis]
        if basis == "training" and results.synthetic:
            cells = ["not judged: no CIFAR-10"]
        else:
            cells = [html.counted(mine, basis)]
        if small:
            seen = mine["here"].value_counts()
            names = [*verdicts.HERE.values(), verdicts.NOT_COMPARABLE, verdicts.NOT_SEEN]
            cells.append(" ".join(_seen(_number(seen[one], one)) for one in names if one in seen))
        rows.append([f"{len(mine)} {words}", *cells])
    return _grid("verdicts", heads, rows, "")


def _number(number: int, seen: str) -> str:
    """Write a count with its verb: 1 agrees, 2 agree."""
    return f"{number} {seen if number == 1 else seen.removesuffix('s')}"


def _seen(words: str) -> str:
    """Mark up what a run shows without deciding it: dashed, without a colour."""
    word = words if words[0].isdigit() else f"in this run: {words}"
    return f'<span class="seen">{word}</span>'


def _swatch(kind: str, results: Results) -> str:
    return f'<i class="swatch" style="background:{style.colours(results.networks)[kind]}"></i>'
