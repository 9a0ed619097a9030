"""Update docs/evidence.md and the READMEs from recorded runs; `make evidence FROM=CLONE` calls it.

python benchmarks/evidence.py
"""

import re
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import yaml
from convstudy.analyses.article_study.figures import learning_curves
from convstudy.analyses.epoch_selection.numbers import compare, measure
from convstudy.article import facts
from convstudy.claims import ledger, verdicts
from convstudy.comparison.recorded import article_scale
from convstudy.core.files import write_text
from convstudy.core.progress import duration
from convstudy.display import style
from convstudy.display.formats import write
from convstudy.display.language import catalogue
from convstudy.layers.networks import ARTICLE
from convstudy.results.accuracies import one_more_training
from convstudy.results.reference_runs import CURVES, at_article_scale
from convstudy.results.run import Results
from convstudy.training.record import load_description, machines, summarise
from document import ROOT, markdown, with_parts

RECORDED = ROOT / "results/reference"
DOCUMENT = ROOT / "docs/evidence.md"
PICTURE = ROOT / "docs/evidence"
README = ROOT / "README.md"
READMES = {"en": README, "ja": ROOT / "README.ja.md"}
# The record of recipes, and that with the plain one in the same precision.
RECIPES, PLAIN = "evidence-recipes", "evidence-gpu-float32"
# The records of both precisions on one kind of device.
PRECISIONS = ("evidence-gpu", "evidence-gpu-float32")
CLAIMS = ("accuracy_order", "accuracy_conv", "accuracy_separable", "accuracy_depthwise")

Curve = dict[str, Any]


@cache
def _runs() -> list[Results]:
    """Read the recorded runs at the article's scale, once for all tables."""
    return at_article_scale(ROOT / "results")


@cache
def _curves(record: str) -> dict[tuple[str, int], Curve]:
    """Read a record's curves by kind and replicate, the cheapest kinds first."""
    found = [load_description(str(path)) for path in (RECORDED / record / CURVES).glob("*.json")]
    found.sort(key=lambda curve: (curve["parameters"], curve["replicate"]))
    return {(curve["model"], curve["replicate"]): curve for curve in found}


def _range(low: float, high: float, form: str = ".1f") -> str:
    """Write an interval in per cent or points, or nothing if there is none."""
    ends = [write(100 * end, form) for end in (low, high)]
    return "" if np.isnan(low) else f" ({' to '.join(ends)})"


@cache
def results() -> str:
    """Compare the recorded networks with the article: a row per network and record."""
    table = article_scale(_runs())
    rows = []
    for row in table.sort_values("article", ascending=False, kind="stable").to_dict("records"):
        minus = _range(row["difference_low"], row["difference_high"], "+.1f")
        name = row["run"]
        rows.append(
            {
                "network": row["label"],
                "article": f"{row['article']:.2%}",
                "best epoch": f"{row['mean']:.1%}{_range(row['low'], row['high'])}",
                "minus the article": write(100 * row["difference"], "+.1f") + minus,
                "last epoch": f"{row['mean_last']:.1%}",
                "choosing adds": write(100 * row["flattery"], "+.1f"),
                "trainings": row["replicates"],
                "time each": duration(row["seconds"]),
                "device": row["device"].partition(" (")[0],
                "run": f"[{row['precision']}](results/reference/{name})",
            }
        )
    return markdown(pd.DataFrame(rows)).replace("%", " %")


def finished() -> str:
    """List the curves of all records, in training order."""
    rows = []
    for run in _runs():
        for (kind, replicate), curve in _curves(run.folder.name).items():
            one = summarise(curve["records"])
            rows.append(
                {
                    "record": run.folder.name,
                    "network": ARTICLE.label(kind),
                    "replicate": replicate,
                    "best epoch": f"{one['test_accuracy_best']:.2%} (epoch {one['best_epoch']})",
                    "last": f"{one['test_accuracy_last']:.2%}",
                    "time": duration(one["seconds"]),
                    "on": machines(curve["records"]),
                }
            )
    return markdown(pd.DataFrame(rows))


def claims() -> str:
    """Judge the article's claims on the single-kind networks with each record."""
    overlay = yaml.safe_load((ROOT / "config/article.yaml").read_text(encoding="utf-8"))
    listed = [one for one in ledger.load(ROOT / "config/claims.yaml") if one.id in CLAIMS]
    listed.sort(key=lambda claim: CLAIMS.index(claim.id))
    rows: dict[str, dict[str, str]] = {claim.id: {"claim": claim.statement} for claim in listed}
    for run in _runs():
        for one in verdicts.check(run, listed, overlay).itertuples():
            shown = one.here != verdicts.NOT_SEEN
            rows[one.id][run.folder.name] = f"{one.verdict}: {one.reason}" if shown else "not yet"
    return markdown(pd.DataFrame(rows.values()))


def pairs() -> str:
    """Compare the networks in pairs on the same images, where both have several trainings."""
    rows = []
    for run in _runs():
        found = compare(list(_curves(run.folder.name).values())).query("replicates > 1")
        for (first, second), both in found.groupby(["first", "second"], sort=False):
            names = f"{ARTICLE.label(second)} minus {ARTICLE.label(first)}"
            theirs = facts.accuracies()[second] - facts.accuracies()[first]
            row = {"record": run.folder.name, "networks": names}
            row["article, one training each"] = write(100 * theirs, "+.1f")
            for one in both.to_dict("records"):
                ends = _range(-one["high"], -one["low"], "+.1f")
                row[one["selection"]] = write(-100 * one["difference"], "+.1f") + ends
            rows.append(row)
    return markdown(pd.DataFrame(rows))


def choices() -> str:
    """Tell what choosing the epoch on the test images adds in each record."""
    rows = []
    for run in _runs():
        found = list(_curves(run.folder.name).values())
        _, summary = measure(found, [])
        points = {
            row["id"]: f"{100 * row['difference']:.1f}{_range(row['low'], row['high'])}"
            for row in summary.to_dict("records")
        }
        names = {"half": "choice alone: half of the images chooses, the other judges"}
        names["last"] = "best epoch minus last epoch"
        about = {"record": run.folder.name, "trainings": len(found)}
        rows.append(about | {label: points[name] for name, label in names.items()})
    return markdown(pd.DataFrame(rows))


def precisions() -> str:
    """Compare bfloat16 with float32 for the same seed, beside the spread between seeds."""
    half, full = map(_curves, PRECISIONS)
    rows = []
    for kind in dict.fromkeys(kind for kind, _ in half):
        for column, name in (("test_accuracy_best", "best"), ("test_accuracy_last", "last")):
            one, other = (
                {
                    replicate: 100 * summarise(curve["records"])[column]
                    for (its, replicate), curve in curves.items()
                    if its == kind
                }
                for curves in (half, full)
            )
            both = sorted(one.keys() & other.keys())
            spread = [
                f"{np.std(list(values.values()), ddof=1):.2f}" if len(values) > 1 else "–"
                for values in (one, other)
            ]
            changes = [write(one[seed] - other[seed], "+.2f") for seed in both]
            rows.append(
                {
                    "network": ARTICLE.label(kind),
                    "epoch": name,
                    "bfloat16 minus float32, by seed": ", ".join(changes),
                    "deviation between seeds, bfloat16": spread[0],
                    "float32": spread[1],
                }
            )
    return markdown(pd.DataFrame(rows))


def recipes() -> str:
    """Compare recipes with the plain one after as many epochs.

    The range of the plain one is that of one more training.
    """
    epochs = Results(RECORDED / RECIPES).run["config"]["recipes"]["epochs"]
    plain = pd.DataFrame(
        {"kind": kind, **summarise(curve["records"][:epochs])}
        for (kind, _), curve in _curves(PLAIN).items()
    )
    rows = []
    for kind, mean, number, within in one_more_training(plain)[
        ["mean", "count", "half"]
    ].itertuples():
        paths = sorted((RECORDED / RECIPES).glob(f"recipes/trainings/*/{kind}_0.json"))
        if not paths:
            continue
        label, ends = ARTICLE.label(kind), _range(mean - within, mean + within)
        count = f"adam, batch 128 ({number} trainings)"
        rows.append((label, count, f"{mean:.1%}{ends}", "", f"{facts.accuracies()[kind]:.1%}"))
        for path in paths:
            best = summarise(load_description(str(path))["records"])["test_accuracy_best"]
            change = write(100 * (best - mean), "+.1f")
            change += ", outside the range" if abs(best - mean) > within else ""
            recipe = path.parent.name.replace("_", ", batch ")
            rows.append((label, recipe, f"{best:.1%}", change, ""))
    names = ["network", "recipe", f"best of {epochs} epochs", "minus adam, points", "article"]
    return markdown(pd.DataFrame(rows, columns=names))


def rendered() -> str:
    """Return the document with current tables."""
    tables = {
        "claims": claims(),
        "pairs": pairs(),
        "choices": choices(),
        "precisions": precisions(),
        "recipes": recipes(),
        "curves": finished(),
    }
    return with_parts(DOCUMENT.read_text(encoding="utf-8"), tables)


def readme(language: str = "en") -> str:
    """Return the README in a language, with current results."""
    phrases = catalogue(language)
    cells = re.compile(r"(\[|\| )([^|\n\[\]]+)(?=\]| \|)")
    table = cells.sub(lambda cell: cell[1] + phrases.text(cell[2]), results())
    return with_parts(READMES[language].read_text(encoding="utf-8"), {"results": table})


def draw() -> None:
    """Draw the curves of the fullest record beside the article's accuracies."""
    style.save(learning_curves(_runs()[0]), PICTURE, ["png"])


if __name__ == "__main__":
    write_text(DOCUMENT, rendered())
    for language, path in READMES.items():
        write_text(path, readme(language))
    draw()
