"""The report's parts by name, so that each cell of its notebook is one short line."""

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from convstudy import claims, extras, penalties, replay
from convstudy.answer import Answer, answer
from convstudy.display import (
    ACCURACY,
    CHANGE,
    CHANGE_POINTS,
    DASH,
    DISTANCE,
    POINTS,
    THREE,
    WHOLE,
    WHOLE_PERCENT,
    Html,
    card,
    escape,
    items,
    picture,
    pill,
    sentence,
    span,
    table,
    write,
)
from convstudy.errors import UserError
from convstudy.extras import EXTRAS
from convstudy.files import read_json
from convstudy.first_page import first_page
from convstudy.layers import KINDS
from convstudy.ledger import OWN
from convstudy.origins import Origins
from convstudy.results import Results, figure_names
from convstudy.shown import BEST, SHOWN, Table
from convstudy.tables import module_names, pareto_front, tried_modules

# As many of the best as the article lists.
FIVE = 5
GROUPS = {
    "training": "Trained networks",
    "timing": "Time",
    "arithmetic": "Arithmetic and counts",
    OWN: "What else this run shows",
}


class Report:
    """The parts of the report on a run.

    Args:
        results: The results folder, with its figures and tables.
    """

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
        """Read a table of the report, or one of an extra: ``FOLDER/NAME``."""
        return self.results.table(f"{name}.csv" if "/" in name else f"tables/{name}.csv")

    def banner(self) -> Html:
        """Warn if the data are synthetic or something else stands in for what was asked."""
        results = self.results
        if not results.synthetic and not results.fallbacks:
            return Html("")
        if results.synthetic:
            title = "Synthetic data"
            text = "Accuracies say nothing about the article; arithmetic and counts hold."
        else:
            title = "Not everything was as asked"
            text = "Something stands in for what could not be had."
        listed = items(results.fallbacks) if results.fallbacks else ""
        return Html(f'<aside class="banner"><strong>{title}</strong><p>{text}</p>{listed}</aside>')

    def first_page(self) -> Html:
        """Show the answer, its conditions, the picture, the three kinds and the verdicts."""
        name = "answer_tradeoff"
        made = self._origins.of(f"figures/{name}.svg")
        texts = self._alternative(name), self._caption(name)
        return first_page(self.results, self.claims, self._answer, *texts, made)

    def differences(self) -> Html:
        """List in what the run differs from the article's."""
        reductions = self.results.reductions
        if not reductions:
            return Html("<p>Every setting is at the article's size.</p>")
        ways = "one way" if len(reductions) == 1 else f"{len(reductions)} ways"
        return Html(
            f'<details class="differences" id="differences" open><summary>This run differs from'
            f" the article's in {ways}; what depends on training stays undecided</summary>"
            f"{items(reductions)}</details>"
        )

    def facts(self) -> Html:
        """Show what was run where."""
        facts = "".join(
            f"<div><dt>{escape(row.item)}</dt><dd>{escape(str(row.value))}</dd></div>"
            for row in self._read("run").itertuples()
        )
        return Html(f'<dl class="facts bare">{facts}</dl>')

    def scorecard(self) -> Html:
        """Show the claims: each with its verdict, the evidence and what would refute it.

        Arithmetic is a table. A topic is folded if all of it holds, unless it is about trained
        networks and the run is of the article's scale.
        """
        basis = self.claims["basis"].mask(self.claims["source"] == OWN, OWN)
        parts = []
        for group, title in GROUPS.items():
            of_group = self.claims[basis == group]
            parts.append(f"<h3>{title}</h3>" if len(of_group) else "")
            if group == "arithmetic":
                parts.append(statements(of_group))
                continue
            for topic, of_topic in of_group.groupby("topic", sort=False):
                good = (claims.OWN_VERDICTS if group == OWN else claims.VERDICTS)[True]
                met = int((of_topic["verdict"] == good).sum())
                word = "hold" if group == OWN else good
                whole = group == "training" and not self.results.reductions
                unfolded = " open" if whole or met < len(of_topic) else ""
                parts.append(
                    f'<details class="topic"{unfolded}><summary>{escape(str(topic))}'
                    f" <span>{met} of {len(of_topic)} {word}</span></summary>"
                    f'<ul class="cards">{"".join(map(card, of_topic.itertuples()))}</ul></details>'
                )
        return Html("".join(parts))

    def table(self, name: str) -> Html:
        """Show a table of ``tables/``, or one of an extra, ``FOLDER/NAME``."""
        frame = self._modules() if name == "modules" else self._read(name)
        if name == "pareto/penalties":
            # The study's own weight is for another unit.
            frame["weight"] = (100 * frame["weight"]).where(frame["weight"] > 0)
        if name == "recipes/summary" and self.results.reductions:
            # At another scale, the article's accuracies compare with nothing.
            frame = frame.drop(columns=["article", "difference"], errors="ignore")
        if name == "studies" and "article_completed" in frame:
            pairs = zip(frame["article_completed"], frame["article_trials"], strict=True)
            frame["article_completed"] = [
                f"{done:.0f} of {of:.0f}" if pd.notna(done) else DASH for done, of in pairs
            ]
        if name == "timing/crossover":
            frame["between"] = [between(row) for _, row in frame.iterrows()]
        return self._shown(frame, SHOWN[name])

    def _modules(self) -> pd.DataFrame:
        """Give the table of all modules, with latency and chance on the front where known."""
        frame = self._read("exhaustive/summary")
        if "pareto" not in self.results.extras:
            return frame
        front = self._read("pareto/front")[["module", "latency_ms", "probability"]]
        return frame.merge(front, on="module", how="left")

    def _shown(self, frame: pd.DataFrame, form: Table) -> Html:
        """Show a table; beside synthetic data it has no columns of the article."""
        there = {
            name: column
            for name, column in form.columns.items()
            if set(column.ends or [name]) <= set(frame)
        }
        return table(frame, there, form.caption)

    def _best(self, study: str) -> Html:
        """Show a study's best trials; without a penalty, the objective is the test error."""
        penalised = self.results.studies[study].penalised
        shown = {
            name: column
            for name, column in BEST.columns.items()
            if penalised or name != "objective"
        }
        frame = self._read(f"best_{study}").astype({"rank": int})
        return self._shown(frame, Table(BEST.caption.format(study), shown))

    def closest_recipe(self) -> Html:
        """Say which of the plain recipes comes closest to the article, if one can."""
        frame = self._read("recipes/summary")
        plain = frame[frame["plain"]]
        if plain.empty or self.results.synthetic:
            return Html("")
        if self.results.reductions:
            text = "At this scale, one cannot tell which recipe is the article's."
            return Html(f"<p>{text}</p>")
        first = plain.iloc[0]
        return Html(
            f"<p>Of the {plain['recipe'].nunique()} recipes without augmentation and label"
            f" smoothing, <strong>{escape(first.recipe)}</strong> comes closest, with a distance of"
            f" {write(first.distance, DISTANCE)} points.</p>"
        )

    def stopped_early(self) -> Html:
        """Say which modules that may be the best of all a study's pruner let no trial finish."""
        summary = self._read("exhaustive/summary").set_index("module")
        lines = []
        for name, study in self.results.studies.items():
            trials = study.trials.assign(module=module_names(study.trials))
            stopped = trials[~trials["module"].isin(study.completed.pipe(module_names))]
            for module, mine in stopped[stopped["state"] == "PRUNED"].groupby("module"):
                row = summary.loc[module]
                if row["rank"] <= FIVE and row["rank_low"] == 1:
                    times = f"{len(mine)} times" if len(mine) > 1 else "once"
                    lines.append(
                        f"The study “{name}” drew {module.replace('-', ' · ')} {times} and pruned"
                        f" it after {_range(mine['epochs'])}; over replicates it is among the"
                        f" {FIVE} best by accuracy (rank {row['rank']:.0f},"
                        f" {row['rank_low']:.0f} to {row['rank_high']:.0f})."
                    )
        if not lines:
            return Html("")
        return Html(f"<p>Good modules that pruning stopped:</p>{items(lines)}")

    def best(self) -> Html:
        """Show the best trials of every study."""
        return Html("".join(self._best(study).text for study in self.studies))

    def replay_findings(self) -> Html:
        """Say what the article's way to search reaches, and what it lost by its pruning."""
        summary = self._read("replay/summary")
        here = {"sampler": "tpe", "pruner": "median", "penalty_pruning": "article"}
        mine = summary[(summary[list(here)] == pd.Series(here)).all(axis=1)]
        lines = [f"{_way(row)}: {_reached(row)}." for row in mine.itertuples()]
        same = (summary["sampler"] == "grid") & (summary["pruner"] == "median")
        lines += [
            f"{_way(row)}, for comparison: {_reached(row)}."
            for row in summary[same & (summary["weight"] == 0)].itertuples()
        ]
        pruning = self._read("replay/pruning")
        for row in pruning[pruning["sampler"] == "tpe"].itertuples():
            clear = row.regret_low > 0 or row.regret_high < 0
            lines.append(
                f"With {_searches(row)}, leaving the penalty out of pruning"
                f" {'clearly changes' if clear else 'does not clearly change'} the regret:"
                f" {write(row.regret_difference, POINTS)} points (95 % interval"
                f" {span(row.regret_low, row.regret_high, POINTS)}), at"
                f" {write(row.epochs_difference, CHANGE)} epochs"
                f" ({span(row.epochs_low, row.epochs_high, CHANGE)})."
            )
        return Html("<ul>" + "".join(f"<li>{sentence(line)}</li>" for line in lines) + "</ul>")

    def penalty_findings(self) -> Html:
        """Say which module wins at the study's weight, and how sure that is."""
        penalty = extras.penalty(self.results.run["config"])
        weight = penalty["weight"]
        envelope = self._read("penalties/envelope")
        on = (envelope["from_weight"] <= weight) & (weight < envelope["to_weight"])
        best = envelope[on].iloc[0]
        chances = self._read("penalties/probabilities")
        nearest = chances["weight"].iloc[(chances["weight"] - weight).abs().argmin()]
        here = chances[chances["weight"] == nearest].sort_values("objective", ignore_index=True)
        summary = self._read("exhaustive/summary")
        points = weight * penalties.points_of_median(penalty, summary["parameters"])
        text = (
            f"The study adds {weight:g} for every {penalty['unit']:,.0f} parameters, which is"
            f" {write(points, THREE)} points of test error for the median module"
            f" ({summary['parameters'].median():,.0f} parameters). At this weight"
            f" {best['module']} has the lowest mean objective,"
            f" {write(here['objective'][0], '.5f')}{_tied(here)}. {_likeliest(here)}"
            "Over all weights,"
            f" {len(envelope)} of {len(summary)} modules win somewhere."
        )
        return Html(f"<p>{sentence(text)}</p>")

    def figure(self, name: str) -> Html:
        """Show a figure with its caption and, folded, how it was made."""
        file = f"figures/{name}.svg"
        path, made = self.results.path(file), self._origins.of(file)
        return picture(path, self._alternative(name), self._caption(name), made)

    def figures(self, start: str) -> Html:
        """Show all figures whose names start alike, one after the other."""
        names = [name for name in figure_names() if name.startswith(start)]
        shown = "".join(self.figure(name).text for name in names)
        return Html(f'<div class="figures {start.rstrip("_")}">{shown}</div>')

    def reproduce(self) -> Html:
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
            f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>"
            for name, value in facts.items()
        )
        return Html(
            "<p>In a checkout of this commit, with its locked packages and the settings that"
            " <code>results/run.json</code> lists, this runs everything again:</p>"
            f"<pre><code>{escape(self._command())}</code></pre>"
            f'<dl class="facts bare">{listed}</dl>'
        )

    def _command(self) -> str:
        """Give the command that runs this run again; a recorded one knows its own."""
        about = self.results.folder / "reference.json"
        if about.is_file():
            return str(read_json(about)["command"])
        targets = [EXTRAS[extra].target for extra in self.results.extras]
        return " ".join(["snakemake --cores all", *(["all", *targets] if targets else [])])

    def jobs(self) -> Html:
        """Show the record of every job: when, by which code and where it made which files."""
        return self._origins.jobs()

    @cached_property
    def _origins(self) -> Origins:
        return Origins(self.results)

    def _caption(self, name: str) -> str:
        """Read a figure's caption."""
        # Snakemake's own report shows these, too.
        path = Path(__file__).parent / f"captions/{name}.rst"
        if path.is_file():
            return " ".join(path.read_text(encoding="utf-8").split())
        raise UserError(
            f"figure {name} has no caption; write captions/{name}.rst in workflow/convstudy"
        )

    def _alternative(self, name: str) -> str:
        """Say what a figure shows, with its main numbers."""
        sort, _, rest = name.partition("_")
        if sort == "example":
            return f"Worked example {rest.replace('_', ', ')}: input, kernels and output as grids."
        lead = f"{self._caption(name).partition('. ')[0]}. "
        if name == "answer_tradeoff":
            return lead + self._answer.text
        return lead + "; ".join(self._numbers(name)) + "."

    def _numbers(self, name: str) -> list[str]:
        """Give the main numbers of a figure, for those who do not see it."""
        if name == "learning_curves":
            return [
                f"{row.label} reaches {write(row.mean, ACCURACY)}"
                for row in self._read("single_kind").itertuples()
            ]
        if name == "single_kind":
            return [
                f"{row.label} {write(row.minus_above, CHANGE_POINTS)} points"
                for row in self._read("single_kind").iloc[1:].itertuples()
            ]
        if name == "parameters_accuracy":
            ours = tried_modules(self.results)
            return [
                f"{row.module}, {write(row.parameters, WHOLE)} parameters,"
                f" {write(row.test_accuracy, ACCURACY)}"
                for row in pareto_front(ours).itertuples()
            ]
        if name == "optimism_differences":
            return [
                f"{KINDS[row.first].label} minus {KINDS[row.second].label}, {row.selection}:"
                f" {write(row.difference, CHANGE_POINTS)} points"
                for row in self._read("optimism/differences").itertuples()
            ]
        if name == "recipes_accuracy":
            return [
                f"{row.recipe}, {row.label}: {write(row.mean, ACCURACY)}"
                for row in self._read("recipes/summary").itertuples()
            ]
        if name == "replay_epochs":
            table = self._read("replay/summary")
            mine = table[(table["pruner"] == "median") & (table["penalty_pruning"] == "article")]
            return [
                f"{_way(row)}: {row.epochs_mean:.0f} epochs, regret"
                f" {write(row.regret_mean, DISTANCE)} points"
                for row in mine.itertuples()
            ]
        if name == "penalties_winner":
            chances = self._read("penalties/probabilities")
            best = chances.groupby("module")["probability"].max().nlargest(FIVE).dropna()
            return [f"{module} at most {write(one, '.0%')}" for module, one in best.items()]
        table = self._read("timing/modules" if name == "timing_modules" else "timing/crossover")
        if name == "timing_modules":
            return [
                f"{time}: from {write(table[column].min(), THREE)} to"
                f" {write(table[column].max(), THREE)}"
                for time, column in (("latency in ms", "latency_ms"), ("images a second", "fps"))
            ]
        return [
            f"{row['pass']}, {row['size']} × {row['size']}: {row['outcome']}"
            + (f" at {write(row['channels'], THREE)} channels" if row["channels"] > 0 else "")
            for _, row in table.iterrows()
        ]


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


def _likeliest(ranked: pd.DataFrame) -> str:
    """Name the module that is the likeliest to be the best, where it is not the first one."""
    if ranked["probability"].isna().all():
        return ""
    row = ranked.loc[ranked["probability"].idxmax()]
    if row["module"] == ranked["module"][0]:
        return ""
    return (
        f"The likeliest to be the best is {row['module']}, with a chance of"
        f" {write(row['probability'], WHOLE_PERCENT)}. "
    )


def _tied(ranked: pd.DataFrame) -> str:
    """Say which modules are not told apart from the first one, if that is known."""
    others = ranked[ranked["told_apart"] == 0].iloc[1:]
    if ranked["told_apart"].isna().all():
        return ""
    if others.empty:
        return ", and no other one may be the best, with 95 % confidence"
    first = others.iloc[0]
    return (
        f"; {len(others)} others cannot be told apart from it at 95 % confidence, the nearest being"
        f" {first['module']} with {write(first['objective'], '.5f')}"
    )


def _reached(row: Any) -> str:
    """Write what replayed studies of a design reach; ties first, where they are known."""
    best = write(row.probability_best, WHOLE_PERCENT)
    if pd.notna(row.alike):
        ends = span(row.alike_low, row.alike_high, WHOLE_PERCENT)
        picked = (
            f"in {write(row.alike, WHOLE_PERCENT)} of {row.studies} studies (95 % interval {ends}),"
            f" {row.trials} trials end on a module that cannot be told apart from the best, in"
            f" {best} on the best itself"
        )
    else:
        ends = span(row.probability_low, row.probability_high, WHOLE_PERCENT)
        picked = (
            f"in {best} of {row.studies} studies (95 % interval {ends}), {row.trials} trials end on"
            " the best module"
        )
    return f"{picked}; they use {write(row.epochs_mean, THREE)} epochs on average"


def _way(row: Any) -> str:
    """Write out a design: objective, sampler and pruner."""
    return f"{replay.LABELS[row.objective].capitalize()}, {_searches(row)}"


def _searches(row: Any) -> str:
    """Write out the sampler and pruner of a row."""
    return f"{replay.LABELS[row.sampler]} and {replay.LABELS[row.pruner]}"


def _range(epochs: pd.Series) -> str:
    """Write numbers of epochs as one number or a range."""
    least, most = int(epochs.min()), int(epochs.max())
    if least < most:
        return f"{least} to {most} epochs"
    return "1 epoch" if most == 1 else f"{most} epochs"


def between(row: pd.Series) -> str:
    """Write the channels that a crossover may lie between, with what was measured as ends."""
    if row["outcome"] != "crosses":
        return DASH
    known = pd.notna(row["channels_low"]) or pd.notna(row["channels_high"])
    if not known:
        return DASH
    low, high = (
        write(row[f"channels_{end}"], THREE)
        if pd.notna(row[f"channels_{end}"])
        else f"{word} {write(row[f'{place}_channels'], WHOLE)}"
        for end, word, place in (("low", "below", "first"), ("high", "above", "last"))
    )
    return f"{low} to {high}"
