"""The parts of the report by name, so that each notebook cell is one short line."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from convstudy.analyses.article_study.shown import BEST
from convstudy.claims.ledger import OWN
from convstudy.config.analyses import captions
from convstudy.core.environment import commit_name
from convstudy.core.files import read_json
from convstudy.display import style
from convstudy.display.columns import Table
from convstudy.display.formats import ACCURACY, write
from convstudy.layers.examples import examples
from convstudy.report import html, interactive, parts
from convstudy.report.answer import Answer, answer
from convstudy.report.first_page import first_page
from convstudy.report.provenance_panel import ProvenancePanel
from convstudy.results.run import CONFIG, Results

GROUPS = {
    "training": "Trained networks",
    "timing": "Time",
    "arithmetic": "Arithmetic and counts",
    OWN: "What else this run shows",
}


class Report:
    """The parts of a run's report.

    Args:
        results: The results folder.
        comparison: Summary of a comparison with another run, if there is one.
    """

    def __init__(self, results: str | Path, comparison: str | Path | None = None) -> None:
        self._comparison = comparison
        self.results = Results(Path(results))
        self.studies = list(self.results.studies)

    @cached_property
    def claims(self) -> pd.DataFrame:
        """The table of claims and verdicts."""
        return self.results.table("claims.csv")

    @cached_property
    def _answer(self) -> Answer:
        return answer(self.results)

    def _read(self, name: str) -> pd.DataFrame:
        """Read a table from ``tables/``, or an analysis's: ``FOLDER/NAME``."""
        return self.results.table(f"{name}.csv" if "/" in name else f"tables/{name}.csv")

    def banner(self) -> html.Html:
        """Warn if the data are synthetic or other fallbacks were used."""
        results = self.results
        if not results.synthetic and not results.fallbacks:
            return html.Html("")
        if results.synthetic:
            title = "Synthetic data"
            text = "Accuracies say nothing about the article; arithmetic and counts still hold."
        else:
            title = "Fallbacks were used"
            text = "These requested resources were unavailable and were replaced."
        listed = html.items(results.fallbacks) if results.fallbacks else ""
        return html.Html(
            f'<aside class="banner"><strong>{title}</strong><p>{text}</p>{listed}</aside>'
        )

    def first_page(self) -> html.Html:
        """Show the answer, its conditions, the figure, the three kinds and the verdicts."""
        name = "answer_tradeoff"
        made = self._provenance.for_file(f"figures/{name}.svg")
        return first_page(self.results, self.claims, self._answer, *self._words(name), made)

    def differences(self) -> html.Html:
        """List how the run differs from the article's."""
        reductions = self.results.reductions
        if not reductions:
            return html.Html("<p>Every setting is at the article's scale.</p>")
        ways = "one way" if len(reductions) == 1 else f"{len(reductions)} ways"
        return html.Html(
            f'<details class="differences" id="differences" open><summary>This run differs from'
            f" the article's in {ways}; claims about training stay undecided</summary>"
            f"{html.items(reductions)}</details>"
        )

    def facts(self) -> html.Html:
        """Show what ran where."""
        facts = "".join(
            f"<div><dt>{html.escape(row.item)}</dt><dd>{html.escape(str(row.value))}</dd></div>"
            for row in self._read("run").itertuples()
        )
        return html.Html(f'<dl class="facts bare">{facts}</dl>')

    def scorecard(self) -> html.Html:
        """Show the claims, each with its verdict, the evidence and what would refute it.

        Links by verdict come first, then the claims by topic. A topic is folded unless one of its
        claims fails. Arithmetic is shown as tables.
        """
        basis = self.claims["basis"].mask(self.claims["source"] == OWN, OWN)
        groups = {group: self.claims[basis == group] for group in GROUPS if (basis == group).any()}
        shown = [html.by_verdict(groups, GROUPS)] if groups else []
        for group, of_group in groups.items():
            claims = html.statements if group == "arithmetic" else html.cards
            shown.append(f"<h3>{GROUPS[group]}</h3>")
            for topic, of_topic in of_group.groupby("topic", sort=False):
                fails = of_topic["verdict"].isin(html.FAILS).any()
                shown.append(
                    f'<details class="topic"{" open" if fails else ""}>'
                    f"<summary>{html.escape(str(topic))} {html.counted(of_topic)}</summary>"
                    f"{claims(of_topic)}</details>"
                )
        return html.Html("".join(shown))

    def table(self, name: str) -> html.Html:
        """Show a table from ``tables/``, or an analysis's: ``FOLDER/NAME``."""
        form = parts.tables(self.results.analyses)[name]
        networks = self.results.networks
        others = [networks.label(kind) for kind in networks.replacements]
        names = {"first": networks.label(networks.reference)}
        names["other"] = others[0] if len(others) == 1 else "layer of another kind"
        form = replace(form, caption=form.caption.format(**names))
        return self._shown(form.prepare(self._read(name), self.results), form)

    def recorded(self) -> html.Html:
        """Show the trainings recorded at the article's scale, if there are any."""
        if self._read("article_scale").empty:
            return html.Html("")
        text = (
            "These trainings of the article's networks were recorded earlier, with full width, all"
            " images and 100 epochs. If an accuracy of the article lies outside the range of one"
            " more training, its single training probably differed from these in more than its"
            " seed. What choosing the epoch on the test images adds is measured with half of them:"
            " how much more the half that chose the epoch shows than the other."
        )
        table = self.table("article_scale")
        return html.Html(
            f'<h3 id="article-scale">At the article\'s scale</h3><p>{html.sentence(text)}</p>'
            f"{table.text}"
        )

    def findings(self, analysis: str) -> html.Html:
        """Show an analysis's findings: a paragraph, or a list below a lead-in."""
        lines = parts.findings(analysis, self.results)
        lead = [lines.pop(0)] if len(lines) == 1 or (lines and lines[0].endswith(":")) else []
        listed = "".join(f"<li>{html.sentence(line)}</li>" for line in lines)
        text = "".join(f"<p>{html.sentence(line)}</p>" for line in lead)
        return html.Html(text + (f"<ul>{listed}</ul>" if lines else ""))

    def _shown(self, frame: pd.DataFrame, form: Table) -> html.Html:
        """Show a table; with synthetic data, the article's columns are missing."""
        there = {
            name: column
            for name, column in form.columns.items()
            if set(column.ends or [name]) <= set(frame)
        }
        return html.table(frame, there, form.caption, self.results.networks)

    def _best(self, study: str) -> html.Html:
        """Show a study's best trials; without a penalty, the objective is just the test error."""
        penalised = self.results.studies[study].penalised
        shown = {
            name: column
            for name, column in BEST.columns.items()
            if penalised or name != "objective"
        }
        frame = self._read(f"best_{study}").astype({"rank": int})
        caption = BEST.caption.format(study)
        if not self.results.networks.is_article:
            caption = caption.partition(",")[0]
        return self._shown(frame, Table(caption, shown))

    def best(self) -> html.Html:
        """Show the best trials of every study."""
        return html.Html("".join(self._best(study).text for study in self.studies))

    def figure(self, name: str) -> html.Html:
        """Show a figure with its caption and, folded, how it was made."""
        file = f"figures/{name}.svg"
        path, made = self.results.path(file), self._provenance.for_file(file)
        return html.picture(path, *self._words(name), made)

    def explorer(self) -> html.Html:
        """Make room for the explorer of the layers, which needs no data."""
        return interactive.room("explorer")

    def tradeoff(self) -> html.Html:
        """Make room for the chart of modules with a slider for the penalty's weight."""
        return interactive.tradeoff(self.results)

    def examples(self) -> html.Html:
        """Show the figures of the worked examples, in the article's order."""
        shown = "".join(self.figure(f"example_{name}").text for name in examples())
        return html.Html(f'<div class="figures example">{shown}</div>')

    def _words(self, name: str) -> tuple[str, str]:
        """Return a figure's alternative text and its caption."""
        # Snakemake's own report also shows these.
        text = captions(self.results.analyses, self.results.networks.is_article)[name].read_text(
            encoding="utf-8"
        )
        caption = " ".join(text.split())
        sort, _, rest = name.partition("_")
        if sort == "example":
            words = f"Worked example {rest.replace('_', ', ')}: grids of input, kernels and output."
            return words, caption
        drawing, networks = parts.drawings(self.results.analyses)[name], self.results.networks
        if drawing.lettered:
            caption += f" {style.letters_meant(networks)}"
        if self.results.own_images and name != "answer_tradeoff":
            caption += f" The images are {self.results.images}."
        said = "; ".join(drawing.numbers(self.results)) + "."
        if name == "answer_tradeoff":
            said = self._answer.text
        return f"{caption.partition('. ')[0]}. {said}", caption

    def unlike_the_article(self) -> html.Html:
        """Say why the article's claims are not judged."""
        why = (
            "The networks of this run are not the article's: its kinds of layer, its stages or its"
            " modules are others."
        )
        if self.results.own_images:
            why = f"The images of this run, {self.results.images}, are not the article's."
        return html.Html(
            f"<p>{html.sentence(why)} So the article's claims are not judged here, and nothing is"
            " compared with it. Claims of your own can stand in a file that <code>claims</code>"
            " names in the config.</p>"
        )

    def task(self) -> html.Html:
        """Say what the networks classify, and what a constant answer would reach."""
        text = (
            "The networks classify CIFAR-10, where guessing among the ten classes would be right"
            " 10 % of the time."
        )
        if self.results.own_images:
            classes, largest = self.results.data["classes"], self.results.data["largest_class"]
            text = (
                f"The networks classify {self.results.images} into {len(classes)} classes. Always"
                f" answering “{largest['name']}”, the largest, would be right"
                f" {write(largest['share'], ACCURACY)} of the time."
            )
        return html.Html(f"<p>{html.sentence(text)}</p>")

    def comparison(self) -> html.Html:
        """Say what differs from another run, and link to the page about it."""
        if not self._comparison:
            return html.Html("")
        found = read_json(self._comparison)
        other = html.escape(found["runs"][0])
        return html.Html(
            f'<p><a href="comparison.html">Compared with {other}</a>, on a page beside this one:'
            f" {html.sentence(found['lead'])}</p>"
        )

    def reproduce(self) -> html.Html:
        """Show what produced this run and the command that runs it again."""
        about = self.results.provenance
        hardware = about["hardware"]
        gpus = ", ".join(hardware["gpus"]) or "none"
        facts = {
            "Recorded at": commit_name(about),
            "Settings digest": about["config_digest"],
            "SHA-256 of the data": self.results.data["digest"],
            "System": hardware["system"],
            "GPUs": gpus,
        }
        listed = "".join(
            f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd></div>"
            for name, value in facts.items()
        )
        return html.Html(
            "<p>To repeat this run, take the same code, install its locked packages and use the"
            " run's settings:</p>"
            f"<pre><code>{html.escape(self._command)}</code></pre>"
            f'<dl class="facts bare">{listed}</dl>'
        )

    @property
    def _command(self) -> str:
        """The command that repeats this run; a recorded run stores its own."""
        about = self.results.folder / "reference.json"
        if about.is_file():
            return read_json(about)["command"]
        return f"snakemake --cores all --configfile results/{CONFIG}"

    def jobs(self) -> html.Html:
        """Show every job's record: when and where it ran, with which code, and what it wrote."""
        return self._provenance.jobs()

    @cached_property
    def _provenance(self) -> ProvenancePanel:
        return ProvenancePanel(self.results)
