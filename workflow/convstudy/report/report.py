"""The report's parts by name, so that each cell of its notebook is one short line."""

from functools import cached_property
from pathlib import Path

import pandas as pd

from convstudy.analyses.article_study.shown import BEST
from convstudy.claims import verdicts
from convstudy.claims.ledger import OWN
from convstudy.config.analyses import captions
from convstudy.core.files import read_json
from convstudy.display.columns import Table
from convstudy.layers.examples import examples
from convstudy.report import html, parts
from convstudy.report.answer import Answer, answer
from convstudy.report.first_page import first_page
from convstudy.report.provenance_panel import ProvenancePanel
from convstudy.results.run import Results

GROUPS = {
    "training": "Trained networks",
    "timing": "Time",
    "arithmetic": "Arithmetic and counts",
    OWN: "What else this run shows",
}


class Report:
    """The parts of the report on a run."""

    def __init__(self, results: str | Path) -> None:
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
        """Read a table of the report, or one of an analysis: ``FOLDER/NAME``."""
        return self.results.table(f"{name}.csv" if "/" in name else f"tables/{name}.csv")

    def banner(self) -> html.Html:
        """Warn if the data are synthetic or something else stands in for what was asked."""
        results = self.results
        if not results.synthetic and not results.fallbacks:
            return html.Html("")
        if results.synthetic:
            title = "Synthetic data"
            text = "Accuracies say nothing about the article; arithmetic and counts hold."
        else:
            title = "Not everything was as asked"
            text = "Something stands in for what could not be had."
        listed = html.items(results.fallbacks) if results.fallbacks else ""
        return html.Html(
            f'<aside class="banner"><strong>{title}</strong><p>{text}</p>{listed}</aside>'
        )

    def first_page(self) -> html.Html:
        """Show the answer, its conditions, the picture, the three kinds and the verdicts."""
        name = "answer_tradeoff"
        made = self._provenance.for_file(f"figures/{name}.svg")
        return first_page(self.results, self.claims, self._answer, *self._words(name), made)

    def differences(self) -> html.Html:
        """List in what the run differs from the article's."""
        reductions = self.results.reductions
        if not reductions:
            return html.Html("<p>Every setting is at the article's size.</p>")
        ways = "one way" if len(reductions) == 1 else f"{len(reductions)} ways"
        return html.Html(
            f'<details class="differences" id="differences" open><summary>This run differs from'
            f" the article's in {ways}; what depends on training stays undecided</summary>"
            f"{html.items(reductions)}</details>"
        )

    def facts(self) -> html.Html:
        """Show what was run where."""
        facts = "".join(
            f"<div><dt>{html.escape(row.item)}</dt><dd>{html.escape(str(row.value))}</dd></div>"
            for row in self._read("run").itertuples()
        )
        return html.Html(f'<dl class="facts bare">{facts}</dl>')

    def scorecard(self) -> html.Html:
        """Show the claims: each with its verdict, the evidence and what would refute it.

        Arithmetic is a table. A topic is folded if all of it holds, unless it is about trained
        networks and the run is of the article's scale.
        """
        basis = self.claims["basis"].mask(self.claims["source"] == OWN, OWN)
        shown = []
        for group, title in GROUPS.items():
            of_group = self.claims[basis == group]
            shown.append(f"<h3>{title}</h3>" if len(of_group) else "")
            if group == "arithmetic":
                shown.append(html.statements(of_group))
                continue
            for topic, of_topic in of_group.groupby("topic", sort=False):
                good = (verdicts.OWN_VERDICTS if group == OWN else verdicts.VERDICTS)[True]
                met = int((of_topic["verdict"] == good).sum())
                word = "hold" if group == OWN else good
                whole = group == "training" and not self.results.reductions
                unfolded = " open" if whole or met < len(of_topic) else ""
                cards = "".join(map(html.card, of_topic.itertuples()))
                shown.append(
                    f'<details class="topic"{unfolded}><summary>{html.escape(str(topic))}'
                    f" <span>{met} of {len(of_topic)} {word}</span></summary>"
                    f'<ul class="cards">{cards}</ul></details>'
                )
        return html.Html("".join(shown))

    def table(self, name: str) -> html.Html:
        """Show a table of ``tables/``, or one of an analysis, ``FOLDER/NAME``."""
        form = parts.tables(self.results.analyses)[name]
        return self._shown(form.prepare(self._read(name), self.results), form)

    def findings(self, analysis: str) -> html.Html:
        """Say what an analysis found, in sentences; several are a list, below its lead if any."""
        lines = parts.findings(analysis, self.results)
        lead = [lines.pop(0)] if len(lines) == 1 or (lines and lines[0].endswith(":")) else []
        listed = "".join(f"<li>{html.sentence(line)}</li>" for line in lines)
        text = "".join(f"<p>{html.sentence(line)}</p>" for line in lead)
        return html.Html(text + (f"<ul>{listed}</ul>" if lines else ""))

    def _shown(self, frame: pd.DataFrame, form: Table) -> html.Html:
        """Show a table; beside synthetic data it has no columns of the article."""
        there = {
            name: column
            for name, column in form.columns.items()
            if set(column.ends or [name]) <= set(frame)
        }
        return html.table(frame, there, form.caption)

    def _best(self, study: str) -> html.Html:
        """Show a study's best trials; without a penalty, the objective is the test error."""
        penalised = self.results.studies[study].penalised
        shown = {
            name: column
            for name, column in BEST.columns.items()
            if penalised or name != "objective"
        }
        frame = self._read(f"best_{study}").astype({"rank": int})
        return self._shown(frame, Table(BEST.caption.format(study), shown))

    def best(self) -> html.Html:
        """Show the best trials of every study."""
        return html.Html("".join(self._best(study).text for study in self.studies))

    def figure(self, name: str) -> html.Html:
        """Show a figure with its caption and, folded, how it was made."""
        file = f"figures/{name}.svg"
        path, made = self.results.path(file), self._provenance.for_file(file)
        return html.picture(path, *self._words(name), made)

    def examples(self) -> html.Html:
        """Show the figures of the worked examples, in the article's order."""
        shown = "".join(self.figure(f"example_{name}").text for name in examples())
        return html.Html(f'<div class="figures example">{shown}</div>')

    def _words(self, name: str) -> tuple[str, str]:
        """Give what stands for a figure where it is not seen, and its caption."""
        # Snakemake's own report shows these, too.
        text = captions(self.results.analyses)[name].read_text(encoding="utf-8")
        caption = " ".join(text.split())
        sort, _, rest = name.partition("_")
        if sort == "example":
            words = f"Worked example {rest.replace('_', ', ')}: input, kernels and output as grids."
            return words, caption
        drawing = parts.drawings(self.results.analyses)[name]
        said = "; ".join(drawing.numbers(self.results)) + "."
        if name == "answer_tradeoff":
            said = self._answer.text
        return f"{caption.partition('. ')[0]}. {said}", caption

    def reproduce(self) -> html.Html:
        """Show what produced this run and the command that runs it again."""
        about = self.results.provenance
        hardware = about["hardware"]
        gpus = ", ".join(hardware["gpus"]) or "none"
        changed = " (with changes that are in no commit)" if about["dirty"] else ""
        facts = {
            "Recorded at commit": f"{about['commit'] or 'unknown'}{changed}",
            "Digest of the settings": about["config_digest"],
            "SHA-256 of the data": self.results.data["digest"],
            "System": hardware["system"],
            "GPUs": gpus,
        }
        listed = "".join(
            f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd></div>"
            for name, value in facts.items()
        )
        return html.Html(
            "<p>In a checkout of this commit, with its locked packages and the settings that"
            " <code>results/run.json</code> lists, this runs everything again:</p>"
            f"<pre><code>{html.escape(self._command)}</code></pre>"
            f'<dl class="facts bare">{listed}</dl>'
        )

    @property
    def _command(self) -> str:
        """The command that runs this run again; a recorded one knows its own."""
        about = self.results.folder / "reference.json"
        return read_json(about)["command"] if about.is_file() else "snakemake --cores all"

    def jobs(self) -> html.Html:
        """Show the record of every job: when, by which code and where it made which files."""
        return self._provenance.jobs()

    @cached_property
    def _provenance(self) -> ProvenancePanel:
        return ProvenancePanel(self.results)
