"""Renew what docs/evidence.md shows of the recorded evidence: `make evidence FROM=CLONE` calls it.

python benchmarks/evidence.py
"""

from pathlib import Path
from typing import Any

import pandas as pd
from convstudy.article import facts
from convstudy.core.files import write_text
from convstudy.core.progress import duration
from convstudy.layers.kinds import KINDS
from convstudy.results.reference_runs import CURVES
from convstudy.training.record import load_description
from document import ROOT, markdown, with_parts

RECORDED = ROOT / "results/reference"
# Test accuracy by epoch of both precisions, at full size.
PRECISION = ROOT / "docs/performance/precision.csv"
DOCUMENT = ROOT / "docs/evidence.md"


def finished(*names: str) -> str:
    """List the curves of these records, in the order in which they are trained."""
    rows = [row for name in names for row in _curves(RECORDED / name)]
    if not rows:
        return "No curve is recorded yet."
    return markdown(pd.DataFrame(rows))


def _curves(record: Path) -> list[dict[str, Any]]:
    """Make a row for each curve of a record."""
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
                "network": KINDS[one.kind].label,
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


def precisions() -> str:
    """Put the accuracies of both precisions beside each other, a row a network and replicate."""
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
            {"network": KINDS[kind].label, "precision": precision, "replicate": replicate, **cells}
        )
    return markdown(pd.DataFrame(rows).sort_values(["network", "precision", "replicate"]))


def rendered() -> str:
    """Put both tables into the document's text."""
    text = DOCUMENT.read_text(encoding="utf-8")
    tables = {
        "curves": finished("evidence"),
        "gpu-curves": finished("evidence-gpu", "evidence-gpu-float32"),
        "precisions": precisions(),
    }
    return with_parts(text, tables)


if __name__ == "__main__":
    write_text(DOCUMENT, rendered())
