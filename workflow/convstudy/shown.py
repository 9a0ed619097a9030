"""Which columns of which tables the report shows, under which heads and in which form."""

from dataclasses import dataclass, replace

from convstudy.display import (
    ACCURACY,
    CHANGE_POINTS,
    PERCENT,
    POINTS,
    THIN,
    THREE,
    WHOLE,
    WHOLE_PERCENT,
    Column,
    interval_of,
    module,
)
from convstudy.layers import KINDS


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        caption: Stands above it.
        columns: By their names in the file; an interval's is of our own.
    """

    caption: str
    columns: dict[str, Column]


# As a column is shown, unless its table says otherwise.
COLUMNS = {
    "alike": Column("Not told apart", PERCENT),
    "article": Column("Article", PERCENT),
    "article_completed": Column("Article: completed"),
    "article_test_accuracy": Column("Article: test accuracy", PERCENT),
    "between": Column(f"95{THIN}% interval"),
    "cases": Column("Cases", WHOLE),
    "channels": Column("Channels", THREE),
    "check": Column("Check", wraps=True),
    "completed": Column("Completed", WHOLE),
    "data": Column("Images", wraps=True),
    "device": Column("Device"),
    "difference": Column("Minus the article, points", CHANGE_POINTS),
    "epochs": Column("Epochs", WHOLE),
    "epochs_saved": Column("Epochs saved by pruning", WHOLE),
    "epochs_trained": Column("Epochs trained", WHOLE),
    "interval": interval_of("", ACCURACY),
    "item": Column("Item"),
    "label": Column("Layer"),
    "largest_error": Column("Largest error", ".0e"),
    "last_channels": Column("Most channels measured", WHOLE),
    "last_speedup": Column("Speed-up there", ".1f×"),
    "latency_ms": Column("Mean", THREE),
    "mean": Column("Best epoch", ACCURACY),
    "mean_last": Column("Last epoch", ACCURACY),
    "model": Column("Layers of a stage", html=module),
    "models": Column("Networks", WHOLE),
    "module": Column("Layers", html=module),
    "objective": Column("Objective", ".4f"),
    "outcome": Column("Outcome"),
    "package": Column("Package"),
    "parameters": Column("Parameters", WHOLE),
    "pass": Column("Pass"),
    "passed": Column("Passed", WHOLE),
    "penalty": Column("Penalty on"),
    "probability": Column("Probability", PERCENT),
    "pruned": Column("Pruned", WHOLE),
    "rank": Column("Rank", WHOLE),
    "ranks": interval_of("rank", WHOLE),
    "recipe": Column("Recipe"),
    "replicates": Column("Replicates", WHOLE),
    "run": Column("Run"),
    "selection": Column("Epoch"),
    "size": Column("Feature map", "{0:g} × {0:g}"),
    "study": Column("Study"),
    "test_accuracy": Column("Test accuracy", ACCURACY),
    "this_run": Column("This run", WHOLE),
    "trainings": Column("Trainings", WHOLE),
    "trials": Column("Trials", WHOLE),
    "value": Column("Value", wraps=True),
    "version": Column("Version"),
    "weight": Column("Weight", "g"),
    "width": Column("Width", "g"),
    **{
        kind: Column(entry.label.removesuffix("Conv2D") or entry.label, PERCENT)
        for kind, entry in KINDS.items()
    },
}


def _table(caption: str, names: str, **others: Column) -> Table:
    """Describe a table by the names of its columns; those with a * are not shown on a phone."""
    columns = {}
    for entry in names.split():
        name = entry.rstrip("*")
        column = others.get(name) or COLUMNS[name]
        columns[name] = replace(column, phone=not entry.endswith("*"))
    return Table(caption, columns)


BEST = _table(
    "Best trials of the study “{}”, beside the article's",
    "rank* module objective parameters* test_accuracy article_module article_test_accuracy",
    rank=Column("Rank"),
    article_module=Column("Article: layers", html=module),
)
SHOWN = {
    "data": _table("The data of this run", "item value"),
    "verification": _table("Checks of the arithmetic", "check cases passed largest_error"),
    "counts": _table(
        "Parameter counts that the article prints, at width 1",
        "model article this_run difference*",
        article=Column("Article", WHOLE),
        difference=Column("Difference", WHOLE),
    ),
    "single_kind": _table(
        "Test accuracy of the single-kind networks, mean over replicates",
        "label parameters* mean interval mean_last* article difference*",
    ),
    "studies": _table(
        "Trials started, completed and pruned",
        "study trials completed pruned* epochs_trained* epochs_saved* article_completed",
    ),
    "modules": _table(
        "All 27 modules by mean test accuracy over replicates",
        "module mean interval ranks parameters latency_ms* probability*",
        ranks=interval_of("rank", WHOLE, f"Rank, 95{THIN}%"),
        latency_ms=Column("Latency, ms", THREE),
        probability=Column("On the front", WHOLE_PERCENT),
    ),
    "optimism/summary": _table(
        "How much the best test epoch overstates accuracy",
        "selection models* trainings* mean difference interval",
        selection=Column("Epoch", wraps=True),
        mean=Column("Mean test accuracy", ACCURACY),
        difference=Column("Best test epoch shows more, points", POINTS),
        interval=interval_of("", POINTS),
    ),
    "recipes/summary": _table(
        "Accuracy by recipe",
        "recipe label replicates* mean interval mean_last* article",
    ),
    "timing/crossover": _table(
        "From how many channels on a SeparableConv2D is faster than a Conv2D",
        "size pass outcome channels between last_channels* last_speedup*",
    ),
    "pareto/penalties": _table(
        "Best module by what the penalty is on",
        "penalty weight module mean* parameters* probability alike",
        alike=Column("Not told apart", WHOLE),
        weight=Column("Points for the median module", "{0:g}"),
        mean=Column("Test accuracy", ACCURACY),
        probability=Column("Chance to be best", WHOLE_PERCENT),
    ),
    "runs": _table(
        "The article, recorded runs and this run: test accuracy",
        f"run device* width* epochs* {' '.join(KINDS)}",
    ),
    "versions": _table("Versions of the software", "package version"),
}
