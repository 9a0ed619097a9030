"""The page of a comparison, in the report's style, and the same in short for the terminal."""

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from convstudy.comparison.differing import IGNORED, Setting
from convstudy.comparison.numbers import BEST, EQUAL, LEAST_FACTOR, MEAN, NOTHING, Comparison, clear
from convstudy.comparison.runs import SINGLE, same_test_images, shared, work
from convstudy.core.environment import commit_name, machine
from convstudy.core.progress import counted, duration
from convstudy.display import style
from convstudy.display.columns import COLUMNS, Column
from convstudy.display.formats import ACCURACY, CHANGE_POINTS, THREE, WHOLE, span, write
from convstudy.layers.networks import Networks
from convstudy.report import html
from convstudy.report.rendering import to_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Two runs side by side"
YES_NO = {True: "yes", False: "no"}
# So many settings are named in a sentence.
NAMED = 3


def title(compared: Comparison) -> str:
    """Return the page's title."""
    return f"{compared.names[0]} and {compared.names[1]}, side by side"


def lead(compared: Comparison) -> str:
    """Say in a few sentences what differs."""
    differ, same = compared.settings
    if compared.outcome == NOTHING:
        return (
            "There is nothing to compare: no network was trained in both runs, and no claim was"
            f" judged in both. {_settings(differ, same)}"
        )
    said = [_settings(differ, same), _accuracy(compared), _verdicts(compared)]
    faster = clear(compared.times)
    if len(faster):
        kinds = ", ".join(_label(name, compared.b.networks) for name in faster["network"])
        said.append(f"The speed of training differs clearly for {kinds}.")
    if compared.outcome == EQUAL:
        said.insert(0, "No difference was found.")
    return " ".join(filter(None, said))


def _settings(differ: Sequence[Setting], same: Sequence[Setting]) -> str:
    if not differ:
        return f"All {len(same)} settings are equal."
    listed = ", ".join(f"{one.name} ({one.a} → {one.b})" for one in differ[:NAMED])
    if len(differ) == 1:
        return f"One setting differs: {listed}."
    more = f" and {len(differ) - NAMED} more" if len(differ) > NAMED else ""
    return f"{len(differ)} settings differ: {listed}{more}."


def _accuracy(compared: Comparison) -> str:
    table = compared.networks
    if table.empty:
        return "No network was trained in both runs."
    judged = table[table["low"].notna()]
    if judged.empty:
        if (table["same"] == table["trainings_a"]).all():
            return "Both have the same trainings."
        return "No network was trained twice or more in both runs, so no accuracy is judged."
    row = judged.iloc[0]
    where = f"for {_label(row['network'], compared.b.networks)}"
    if row["network"] == MEAN:
        where = f"on average over {row['part'].removeprefix('mean of ')}"
    ends = span(row["low"], row["high"], CHANGE_POINTS)
    if row["clear"]:
        points, more = abs(row["difference"]), "more" if row["difference"] > 0 else "less"
        said = (
            f"{compared.names[1]} is {write(points, '.1pp')} points {more} accurate {where}"
            f" ({ends}), {_when(row['epoch'])}."
        )
    else:
        points = write(row["difference"], CHANGE_POINTS)
        said = f"Accuracies do not differ clearly {where}: by {points} points ({ends})."
    single = judged[judged["clear"] & (judged["network"] != MEAN)]
    if len(single) and row["network"] == MEAN:
        number = "One network differs" if len(single) == 1 else f"{len(single)} networks differ"
        said += f" {number} clearly even alone."
    return said


def _when(epoch: str) -> str:
    return f"at the {epoch}" if epoch.startswith(BEST) else f"after {epoch}"


def _verdicts(compared: Comparison) -> str:
    number = len(clear(compared.claims))
    if not number:
        return ""
    return "One verdict changed." if number == 1 else f"{number} verdicts changed."


def lines(compared: Comparison) -> list[str]:
    """Write the comparison for the terminal."""
    differ, same = compared.settings
    width = max((len(one.name) for one in differ), default=0)
    out = [lead(compared), ""]
    if differ:
        names = " → ".join(compared.names)
        out.append(f"settings that differ ({len(same)} are equal): {names}")
        out += [f"  {one.name:{width}}  {one.effect}: {one.a} → {one.b}" for one in differ]
    for row in compared.networks.itertuples():
        if row.part == SINGLE or row.network == MEAN or row.clear:
            out.append(
                f"{row.part}, {row.network}, {row.epoch}: {row.a:.1%} → {row.b:.1%},"
                f" {write(row.difference, CHANGE_POINTS)}"
                f" ({span(row.low, row.high, CHANGE_POINTS)})" + " clear" * bool(row.clear)
            )
    for row in clear(compared.claims).itertuples():
        out.append(f"verdict on {row.id}: {row.a} → {row.b} ({row.why})")
    return out


def summary(compared: Comparison) -> dict[str, Any]:
    """Summarise the comparison for other programs and for the report."""
    return {
        "runs": list(compared.names),
        "outcome": compared.outcome,
        "lead": lead(compared),
        "settings": [one._asdict() for one in compared.settings[0]],
        "clear": compared.clear,
    }


def page(compared: Comparison) -> str:
    """Render the page."""
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    cells = []
    for heading, fragment in (
        ("", _first(compared)),
        ("Verdicts", _claims(compared)),
        ("Accuracies", _networks(compared)),
        ("Time and reuse", _times(compared)),
        ("How each was made", _made(compared)),
    ):
        if heading:
            name = heading.lower().replace(" ", "-")
            cells.append(new_markdown_cell(f"## {heading}", id=name))
        shown = new_output("display_data", {"text/html": fragment})
        cells.append(new_code_cell(outputs=[shown]))
    return to_html(new_notebook(cells=cells), title(compared), TITLE)


def _first(compared: Comparison) -> str:
    differ, same = compared.settings
    answer = f'<p class="answer">{html.sentence(lead(compared))}</p>'
    ignored = "".join(
        f"<li>{html.escape(name)}: {html.escape(why)}</li>" for name, why in IGNORED.items()
    )
    folded = _folded("Not compared", f"<ul>{ignored}</ul>")
    shown = _table(differ, "Settings that differ", compared) if differ else ""
    if same:
        equal = _table(same, "Equal settings", compared)
        folded = _folded(counted(len(same), "equal setting"), equal) + folded
    return answer + shown + folded


def _sides(compared: Comparison, form: str = "", wraps: bool = False) -> dict[str, Column]:
    """Return the columns of both runs."""
    return {
        side: Column(name, form, wraps=wraps)
        for side, name in zip("ab", compared.names, strict=True)
    }


def _folded(summary: str, inside: str, opened: bool = False) -> str:
    state = " open" if opened else ""
    return f"<details{state}><summary>{html.escape(summary)}</summary>{inside}</details>"


def _table(settings: Sequence[Setting], caption: str, compared: Comparison) -> str:
    columns = {
        "name": Column("Setting", html=lambda name, _: html.escape(name).replace(".", ".<wbr>")),
        "effect": Column("Changes"),
        **_sides(compared, wraps=True),
    }
    return html.table(pd.DataFrame(settings), columns, caption).text


def _claims(compared: Comparison) -> str:
    table = compared.claims
    if not compared.judged:
        ledgers = zip(compared.names, compared.ledgers, strict=True)
        without = [name for name, ledger in ledgers if ledger.empty]
        return f"<p>No claim was judged in {html.escape(' and '.join(without))}.</p>"
    if table.empty:
        return "<p>No verdict differs.</p>"
    columns = {
        "statement": Column("Claim", wraps=True),
        **_sides(compared, wraps=True),
        "why": Column("Why", wraps=True),
    }
    sure, rest = clear(table), table[~table["clear"].astype(bool)].fillna("absent")
    shown = html.table(sure, columns, "Verdicts that changed").text if len(sure) else ""
    if len(rest):
        shown += _folded(
            f"{len(rest)} more changed, as they may between two runs that differ in seeds alone",
            html.table(rest, columns, "Perhaps changed by chance").text,
        )
    return shown


def _networks(compared: Comparison) -> str:
    table = compared.networks
    if table.empty:
        return "<p>No network was trained in both runs.</p>"
    networks = compared.b.networks
    columns = {
        "network": COLUMNS["module"],
        **_sides(compared, ACCURACY),
        "difference": Column("Difference, points", CHANGE_POINTS),
        "interval": Column("Interval", CHANGE_POINTS, ends=("low", "high")),
        "said": Column("Clear"),
        "trainings": Column("Trainings", phone=False),
        "last": Column("Last epoch of each", phone=False),
        "parameters": Column("Parameters", phone=False),
    }
    table = table.assign(
        network=table["network"].mask(table["network"] == MEAN, table["part"].str.capitalize()),
        said=table["clear"].map(YES_NO).where(table["low"].notna()),
        trainings=[_both(row, "trainings", WHOLE) for _, row in table.iterrows()],
        last=[_both(row, "last", ACCURACY) for _, row in table.iterrows()],
        parameters=[_both(row, "parameters", WHOLE) for _, row in table.iterrows()],
    )
    main = table["part"].eq(SINGLE) | compared.networks["network"].eq(MEAN)
    intro = _how_compared(compared)
    if len(set(table["epoch"])) > 1:
        columns["epoch"] = Column("At", wraps=True)
    shown = intro + html.table(table[main], columns, "Single kinds", networks).text
    shown += _figure(compared)
    for part, of_part in table[~main].groupby("part", sort=False):
        caption = str(part).capitalize()
        inside = html.table(of_part, columns, caption, networks).text
        shown += _folded(caption, inside, opened=bool(of_part["clear"].any()))
    return shown


def _both(row: pd.Series, name: str, form: str) -> str | None:
    one, other = row.get(f"{name}_a"), row.get(f"{name}_b")
    if pd.isna(one) or pd.isna(other):
        return None
    texts = [write(value, form) for value in (one, other)]
    return texts[0] if texts[0] == texts[1] else " → ".join(texts)


def _how_compared(compared: Comparison) -> str:
    table = compared.networks
    said = []
    epochs = [epoch for epoch in table["epoch"].unique() if " or " not in epoch]
    if epochs == [BEST]:
        said.append("Each accuracy is that of the best epoch on the test images.")
    else:
        said.append(
            "The runs trained for different numbers of epochs, so networks are compared after the"
            " last epoch that both have; a learning rate that falls to zero has not fallen there."
        )
    if same_test_images(compared.a, compared.b):
        said.append("Both were tested on the same images, so the intervals are paired.")
    else:
        said.append("The test images are not the same ones, so the intervals are not paired.")
    said.append(
        "The intervals hold for all accuracies and times of this page at once: of pairs of runs"
        " that differ in seeds alone, at most 5 % show a clear difference anywhere. An interval"
        " needs two trainings in each run."
    )
    return f"<p>{html.sentence(' '.join(said))}</p>"


def _figure(compared: Comparison) -> str:
    curves = compared.trainings
    kinds = [kind for part, kind in curves[0] if part == SINGLE and (part, kind) in curves[1]]
    if not kinds:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        stem = Path(folder) / "curves"
        style.save(draw_curves(compared, kinds), stem, ["svg"])
        with style.narrow_screen():
            style.save(draw_curves(compared, kinds), stem.parent / "narrow" / "curves", ["svg"])
        labels = ", ".join(_label(kind, compared.b.networks) for kind in kinds)
        dashed, solid = compared.names
        text = f"Test accuracy by epoch of {labels}: {dashed} dashed, {solid} solid."
        caption = "Test accuracy by epoch. Thick lines are means over trainings."
        return html.picture(stem.with_suffix(".svg"), text, caption, html.Html("")).text


@style.styled
def draw_curves(compared: Comparison, kinds: Sequence[str]) -> "Figure":
    """Draw the test accuracies of both runs over each other, a panel per kind."""
    columns = min(3, len(kinds))
    rows = math.ceil(len(kinds) / columns)
    figure, axes = style.new_figure(
        None, rows, columns, size=(7.6, 3.0 * rows + 0.4), squeeze=False, sharey=True
    )
    looks = style.kind_looks(compared.b.networks)
    dashes: tuple[Any, ...] = ((0, (4, 2)), "-")
    for place, kind in enumerate(kinds):
        axis = axes[place // columns][place % columns]
        axis.set_title(_label(kind, compared.b.networks))
        for curves, dash, colour in zip(
            compared.trainings, dashes, (style.MUTED, looks[kind]["color"]), strict=True
        ):
            all_of_them = [
                [epoch["test_accuracy"] for epoch in curve["records"]]
                for curve in curves[SINGLE, kind]
            ]
            for one in all_of_them:
                axis.plot(range(1, len(one) + 1), one, ls=dash, lw=0.8, alpha=0.35, color=colour)
            mean = pd.DataFrame(all_of_them).mean()
            axis.plot(mean.index + 1, mean, ls=dash, color=colour)
        axis.set_xlabel("epoch")
        style.whole_axis(axis.xaxis)
        style.percent_axis(axis.yaxis)
    for axis in axes.flat[len(kinds) :]:
        axis.set_visible(False)
    axes[0][0].set_ylabel("test accuracy")
    handles = [
        style.legend_line(compared.names[0], color=style.MUTED, ls=dashes[0]),
        style.legend_line(f"{compared.names[1]} (in the colour of its kind)", color=style.INK),
    ]
    style.legend_below(figure, handles, 2)
    return figure


def _times(compared: Comparison) -> str:
    table, networks = compared.times, compared.b.networks
    shown = ""
    if len(table):
        columns = {
            "network": COLUMNS["module"],
            **_sides(compared, THREE),
            "factor": Column("Factor", ".2f×"),
            "interval": Column("Interval", ".2f", ends=("low", "high")),
            "said": Column("Clear"),
        }
        said = [
            f"not judged: {row.reason}" if row.reason else YES_NO[bool(row.clear)]
            for row in table.itertuples()
        ]
        shown = (
            "<p>Images per second while training. Judged only between equal devices, processors,"
            " threads, precision and versions. The interval is over trainings; a shared machine"
            f" changes more than that from day to day, so only a factor of {LEAST_FACTOR} is called"
            " clear.</p>"
            + html.table(table.assign(said=said), columns, "Images per second", networks).text
        )
    counts = [
        work(run, found)
        for run, found in zip((compared.a, compared.b), compared.trainings, strict=True)
    ]
    rows = [
        {"what": what, "a": _count(counts[0], key), "b": _count(counts[1], key)}
        for key, what in {
            "trainings": "Trainings, each counted once",
            "epochs": "Epochs in them",
            "seconds": "Time of these epochs",
            "trials": "Trials of all studies",
            "epochs_trained": "Epochs that the trials trained",
            "epochs_reused": "Epochs that the trials found in the store",
        }.items()
        if any(key in count for count in counts)
    ]
    columns = {"what": Column("What"), **_sides(compared)}
    number = shared(*compared.trainings)
    same = {0: "No training is", 1: "One training is"}.get(number, f"{number:,} trainings are")
    return (
        shown
        + html.table(pd.DataFrame(rows), columns, "What was trained").text
        + f"<p>{same} the same in both runs.</p>"
    )


def _count(counts: dict[str, float], key: str) -> str:
    if key not in counts:
        return "none"
    return duration(counts[key]) if key == "seconds" else f"{counts[key]:,.0f}"


def _made(compared: Comparison) -> str:
    about = [run.provenance for run in (compared.a, compared.b)]
    facts = [
        {
            "Made": one["created"][:10],
            "Code": commit_name(one),
            "Machine": machine(one["hardware"]),
            "System": one["hardware"]["system"],
        }
        for one in about
    ]
    versions = [one["versions"] for one in about]
    for package in dict.fromkeys([*versions[0], *versions[1]]):
        found = [of.get(package, "absent") for of in versions]
        if found[0] != found[1]:
            for fact, version in zip(facts, found, strict=True):
                fact[package] = version
    rows = [{"what": what, "a": a, "b": facts[1][what]} for what, a in facts[0].items()]
    columns = {"what": Column("What"), **_sides(compared, wraps=True)}
    return (
        html.table(pd.DataFrame(rows), columns, "How each run was made").text
        + "<p>Packages whose versions are equal are left out.</p>"
    )


def _label(network: str, networks: Networks) -> str:
    return networks.label(network) if network in networks.kinds else network
