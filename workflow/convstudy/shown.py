"""Which columns of which tables the report shows, under which heads and in which form."""

from dataclasses import dataclass

from convstudy import replay
from convstudy.display import (
    CHANGE,
    DISTANCE,
    PERCENT,
    POINTS,
    THIN,
    THREE,
    WHOLE,
    Column,
    escape,
    interval_of,
    module,
    yes,
)
from convstudy.layers import KINDS


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        caption: Stands above it.
        columns: By their names in the file; an interval's is of our own.
        groups: (label, number of columns). A second heading above the columns' own.
    """

    caption: str
    columns: dict[str, Column]
    groups: tuple[tuple[str, int], ...] = ()


def _label(name: str) -> str:
    """Write out the name of a part of a replayed design."""
    return escape(replay.LABELS[name])


def _in_pruning(name: str) -> str:
    """Write whether what pruning compares holds the penalty."""
    return "yes" if name == "objective" else "no"


# As a column is shown, unless its table says otherwise.
COLUMNS = {
    "against": Column("Against"),
    "alike": Column("Not told apart", PERCENT),
    "article": Column("Best epoch", PERCENT),
    "article_completed": Column("Completed", WHOLE),
    "article_module": Column("Layers", html=module),
    "article_objective": Column("Objective", ".4f"),
    "article_test_accuracy": Column("Test accuracy", PERCENT),
    "article_trials": Column("Trials", WHOLE),
    "between": Column(f"95{THIN}% interval"),
    "cases": Column("Cases", WHOLE),
    "channels": Column("Channels", THREE),
    "check": Column("Check", wraps=True),
    "clear": Column("Clear", html=yes),
    "combinations": Column("Combinations", WHOLE),
    "combinations_mean": Column("Modules drawn", THREE),
    "completed": Column("Completed", WHOLE),
    "data": Column("Images", wraps=True),
    "device": Column("Device"),
    "difference": Column("Difference, points", POINTS),
    "distance": Column("Distance, points", DISTANCE),
    "drawn": Column("Best completed", PERCENT),
    "epoch_seconds": Column("Mean", THREE),
    "epoch_seconds_interval": interval_of("epoch_seconds", THREE),
    "epochs": Column("Epochs", WHOLE),
    "epochs_article": Column("Without", THREE),
    "epochs_difference": Column("Difference", CHANGE),
    "epochs_interval": interval_of("epochs", CHANGE),
    "epochs_mean": Column("Epochs", THREE),
    "epochs_objective": Column("With", THREE),
    "epochs_reused": Column("Reused", WHOLE),
    "epochs_saved": Column("Saved by pruning", WHOLE),
    "epochs_trained": Column("Trained", WHOLE),
    "failed": Column("Failed", WHOLE),
    "fps": Column("Mean", WHOLE),
    "fps_interval": interval_of("fps", THREE),
    "from_interval": interval_of("from", ".4f"),
    "from_weight": Column("From weight", ".4f"),
    "interval": interval_of("", PERCENT),
    "item": Column("Item"),
    "label": Column("Layer"),
    "largest_error": Column("Largest error", ".0e"),
    "last_channels": Column("Channels", WHOLE),
    "last_macs_ratio": Column("Fewer MACs", ".1f×"),
    "last_speedup": Column("Faster", ".1f×"),
    "latency_ms": Column("Mean", THREE),
    "latency_ms_interval": interval_of("latency_ms", THREE),
    "macs": Column("MACs", WHOLE),
    "macs_ratio": Column("Fewer MACs", ".1f×"),
    "mean": Column("Best epoch", PERCENT),
    "mean_last": Column("Last epoch", PERCENT),
    "model": Column("Layers of a stage", html=module),
    "models": Column("Networks", WHOLE),
    "module": Column("Layers", html=module),
    "number": Column("Number", WHOLE),
    "objective": Column("Objective", ".4f"),
    "on_front": Column("On the front", html=yes),
    "outcome": Column("Outcome"),
    "package": Column("Package"),
    "pair": Column("Difference"),
    "parameters": Column("Parameters", WHOLE),
    "pass": Column("Pass"),
    "passed": Column("Passed", WHOLE),
    "pearson": Column("Of logarithms", ".2f"),
    "penalty": Column("Penalty on"),
    "penalty_pruning": Column("Penalty in pruning", html=_in_pruning),
    "probability": Column("Probability", PERCENT),
    "probability_best": Column("Best picked", PERCENT),
    "probability_interval": interval_of("probability", PERCENT),
    "probability_table": Column("Chance of picks", PERCENT),
    "pruned": Column("Pruned", WHOLE),
    "pruner": Column("Pruner", html=_label),
    "rank": Column("Rank", WHOLE),
    "ranks": interval_of("rank", WHOLE),
    "recipe": Column("Recipe"),
    "regret_article": Column("Without", DISTANCE),
    "regret_difference": Column("Difference", POINTS),
    "regret_interval": interval_of("regret", POINTS),
    "regret_mean": Column("Regret, points", DISTANCE),
    "regret_objective": Column("With", DISTANCE),
    "replicates": Column("Replicates", WHOLE),
    "run": Column("Run"),
    "sampler": Column("Sampler", html=_label),
    "selection": Column("Epoch"),
    "size": Column("Feature map", "{0:g} × {0:g}"),
    "spearman": Column("Of ranks", ".2f"),
    "study": Column("Study"),
    "test_accuracy": Column("Test accuracy", PERCENT),
    "this_run": Column("This run", WHOLE),
    "time": Column("Time"),
    "to_weight": Column("To weight", ".4f"),
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


def _table(caption: str, names: str, *groups: tuple[str, int], **others: Column) -> Table:
    """Describe a table by the names of its columns, in order, and those that look otherwise."""
    columns = {name: others.get(name) or COLUMNS[name] for name in names.split()}
    return Table(caption, columns, groups)


BEST = _table(
    "Best trials of the study “{}”",
    "rank module objective parameters test_accuracy"
    " article_module article_objective article_test_accuracy",
    rank=Column("Rank"),
)
SHOWN = {
    "data": _table("The data of this run", "item value"),
    "verification": _table("Checks of the arithmetic", "check cases passed largest_error"),
    "counts": _table(
        "Parameter counts that the article prints, at width 1",
        "model article this_run difference",
        article=Column("Article", WHOLE),
        difference=Column("Difference", WHOLE),
    ),
    "single_kind": _table(
        "Test accuracy of the single-kind networks, mean over replicates",
        "label parameters replicates mean interval mean_last article difference",
        ("", 1),
        ("This run", 5),
        ("Article", 2),
    ),
    "studies": _table(
        "The studies at a glance",
        "study trials completed pruned failed combinations article_trials article_completed",
        ("", 1),
        ("This run", 5),
        ("Article", 2),
    ),
    "reuse": _table(
        "Where the epochs of the studies came from",
        "study epochs_trained epochs_reused epochs_saved",
    ),
    "exhaustive/summary": _table(
        "All modules by mean test accuracy over replicates",
        "rank ranks module parameters replicates mean interval mean_last",
    ),
    "optimism/summary": _table(
        "What the article's choice of the epoch shows more than other choices",
        "selection models trainings mean difference interval",
        selection=Column("Epoch", wraps=True),
        mean=Column("Mean test accuracy", PERCENT),
        difference=Column("Article's shows more, points", POINTS),
        interval=interval_of("", POINTS),
    ),
    "optimism/differences": _table(
        "Single-kind networks pair by pair, on the same images",
        "pair selection replicates difference interval clear",
        difference=Column("Points", POINTS),
        interval=interval_of("", POINTS),
    ),
    "recipes/summary": _table(
        "Recipes by their distance from the article",
        "recipe label replicates mean interval mean_last article difference distance",
        ("", 2),
        ("This run", 4),
        ("Article", 3),
    ),
    "timing/crossover": _table(
        "From how many channels on a SeparableConv2D is faster than a Conv2D",
        "pass size outcome channels between macs_ratio last_channels last_macs_ratio last_speedup",
        ("", 3),
        ("Crossover", 3),
        ("Most channels", 3),
    ),
    "timing/modules": _table(
        "Measured times of the modules, means over processes with their intervals",
        "module parameters macs latency_ms latency_ms_interval fps fps_interval"
        " epoch_seconds epoch_seconds_interval",
        ("", 3),
        ("Latency, ms", 2),
        ("Frames a second", 2),
        ("Training, s an epoch", 2),
    ),
    "timing/correlations": _table(
        "How far counts tell times: correlations over the modules",
        "time against spearman pearson",
    ),
    "pareto/penalties": _table(
        "The best module by what the penalty is on",
        "penalty weight module mean interval parameters latency_ms epoch_seconds probability alike",
        alike=Column("Not told apart", WHOLE),
        weight=Column("Points for the median module", "{0:g}"),
        mean=Column("Test accuracy", PERCENT),
        latency_ms=Column("Latency, ms", THREE),
        epoch_seconds=Column("Epoch, s", THREE),
        probability=Column("Wins", PERCENT),
    ),
    "pareto/front": _table(
        "All modules, first those for which no other one is at least as good in all three",
        "number module mean interval parameters latency_ms on_front probability",
        mean=Column("Test accuracy", PERCENT),
        latency_ms=Column("Latency, ms", THREE),
    ),
    "runs": _table(
        "The article, recorded runs and this run",
        f"run device data width epochs replicates {' '.join(KINDS)}",
        ("", 6),
        ("Test accuracy", len(KINDS)),
    ),
    "replay/summary": _table(
        "What replayed studies reach, by way to search",
        "objective sampler pruner penalty_pruning trials probability_best probability_interval"
        " drawn regret_mean epochs_mean combinations_mean alike probability_table",
        objective=Column("Objective", html=_label),
    ),
    "replay/pruning": _table(
        "What leaving the penalty out of pruning costs, over studies of the same seeds",
        "sampler pruner regret_article regret_objective regret_difference regret_interval"
        " epochs_article epochs_objective epochs_difference epochs_interval",
        ("", 2),
        ("Regret, points", 4),
        ("Epochs", 4),
    ),
    "penalties/envelope": _table(
        "The modules that win at some weight",
        "module parameters mean from_weight from_interval to_weight",
        mean=Column("Mean test accuracy", PERCENT),
    ),
    "versions": _table("Versions of the software", "package version"),
}
