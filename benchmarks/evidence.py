"""Update docs/evidence.md and the README from recorded runs; `make evidence FROM=CLONE` calls it.

python benchmarks/evidence.py
"""

import re
from math import isnan
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd
from convstudy.article import facts
from convstudy.core.files import write_text
from convstudy.core.progress import duration
from convstudy.display.language import catalogue
from convstudy.layers.networks import ARTICLE
from convstudy.results.accuracies import against_article
from convstudy.results.reference_runs import CURVES
from convstudy.results.run import Results
from convstudy.training.record import load_description
from document import ROOT, markdown, with_parts

RECORDED = ROOT / "results/reference"
# Test accuracy by epoch at full size, for both precisions.
PRECISION = ROOT / "docs/performance/precision.csv"
DOCUMENT = ROOT / "docs/evidence.md"


def finished(*names: str) -> str:
    """List the curves of these records, in training order."""
    rows = [row for name in names for row in _curves(RECORDED / name)]
    if not rows:
        return "No curve is recorded yet."
    return markdown(pd.DataFrame(rows))


def _curves(record: Path) -> list[dict[str, Any]]:
    """Return a row for each curve of a record."""
    summary = record / "training/summary.csv"
    if not summary.is_file():
        return []
    rows = []
    for one in pd.read_csv(summary).sort_values(["parameters", "replicate"]).itertuples():
        path = record / CURVES / f"{one.kind}_{one.replicate}.json"
        epochs = load_description(str(path))["records"]
        machines = {e["processor"] if e["device"] == "cpu" else e["device"] for e in epochs}
        precisions = {e["matmul_precision"] for e in epochs}
        rows.append(
            {
                "network": ARTICLE.label(one.kind),
                "replicate": one.replicate,
                "precision": ", ".join(sorted(precisions)),
                "epochs": one.epochs,
                "best test accuracy": f"{one.test_accuracy_best:.2%} (epoch {one.best_epoch})",
                "last": f"{one.test_accuracy_last:.2%}",
                "the article's": f"{facts.accuracies()[one.kind]:.2%}",
                "time": duration(one.seconds),
                "on": "; ".join(sorted(machines)),
            }
        )
    return rows


# The records shown in the README, best first, and what they are.
RESULTS = {
    "evidence-gpu": "full size, bfloat16",
    "evidence-gpu-float32": "full size, float32",
    "evidence": "full size, bfloat16 on a CPU",
    "cpu-small": "quarter width, 5,000 images, 8 epochs",
}
README = ROOT / "README.md"
READMES = {"en": README, "ja": ROOT / "README.ja.md"}


def results() -> str:
    """Compare the article's accuracies with the recorded runs: rows are runs, columns networks."""
    labels = {kind: ARTICLE.label(kind) for kind in ARTICLE.kinds}
    article = {labels[kind]: f"{facts.accuracies()[kind]:.2%}" for kind in ARTICLE.kinds}
    counted = {labels[kind]: f"{facts.parameter_counts()[kind]:,}" for kind in ARTICLE.kinds}
    date = str(facts.load()["source"]["published"])
    rows = [
        {"run": "parameters at full size", **counted, "trainings": "", "device": "", "date": ""},
        {
            "run": "the article",
            **article,
            "trainings": "1 each",
            "device": facts.figure("source.devices.single_kind"),
            "date": date,
        },
    ]
    for name, what in RESULTS.items():
        run = Results(RECORDED / name)
        cells = {}
        for kind, trainings in run.training.groupby("kind"):
            mean, low, high = itemgetter("mean", "low", "high")(
                against_article(kind, ARTICLE, trainings)
            )
            ends = "" if isnan(low) else f" ({100 * low:.1f} to {100 * high:.1f})"
            cells[labels[kind]] = f"{mean:.1%}{ends}"
        counts = [len(part) for _, part in run.training.groupby("kind")]
        each = (
            f"{counts[0]} each"
            if len(set(counts)) == 1
            else f"{', '.join(map(str, counts[:-1]))} and {counts[-1]}, in order"
        )
        processor = run.provenance["hardware"]["processor"]
        devices = sorted(set(run.training["device"].replace("cpu", processor)))
        about = {"trainings": each, "device": ", ".join(devices)}
        link = f"[{what}](results/reference/{name})"
        rows.append({"run": link, **cells, **about, "date": run.provenance["created"][:10]})
    return markdown(pd.DataFrame(rows).fillna("not yet")).replace("%", " %")


def precisions() -> str:
    """Compare the accuracies of both precisions, with a row per network and replicate."""
    table = pd.read_csv(PRECISION)
    rows = []
    for (kind, precision, replicate), part in table.groupby(
        ["kind", "precision", "replicate"], sort=False
    ):
        by_epoch = part.set_index("epoch")["test_accuracy"]
        cells = {
            f"epoch {epoch}": f"{100 * by_epoch[epoch]:.1f}" if epoch in by_epoch else ""
            for epoch in range(1, table["epoch"].max() + 1)
        }
        rows.append(
            {
                "network": ARTICLE.label(kind),
                "precision": precision,
                "replicate": replicate,
                **cells,
            }
        )
    return markdown(pd.DataFrame(rows).sort_values(["network", "precision", "replicate"]))


def rendered() -> str:
    """Return the document with current tables."""
    text = DOCUMENT.read_text(encoding="utf-8")
    tables = {
        "curves": finished("evidence"),
        "gpu-curves": finished("evidence-gpu", "evidence-gpu-float32"),
        "precisions": precisions(),
    }
    return with_parts(text, tables)


def readme(language: str = "en") -> str:
    """Return the README in a language, with current results."""
    phrases = catalogue(language)
    cells = re.compile(r"(\[|\| )([^|\n\[\]]+)(?=\]| \|)")
    table = cells.sub(lambda cell: cell[1] + phrases.text(cell[2]), results())
    return with_parts(READMES[language].read_text(encoding="utf-8"), {"results": table})


if __name__ == "__main__":
    write_text(DOCUMENT, rendered())
    for language, path in READMES.items():
        write_text(path, readme(language))
