"""Which columns of which tables the report shows, under which heads and in which form."""

from convstudy import replay
from convstudy.display import (
    THIN,
    Column,
    change,
    change_interval,
    error,
    escape,
    four,
    four_interval,
    interval,
    module,
    percent,
    point_interval,
    points,
    points_of,
    three,
    times,
    whole,
    whole_or_range,
    yes,
)
from convstudy.layers import KINDS

# How an interval of each column is written; others with three digits that count.
INTERVALS = {
    "probability": interval,
    "regret": point_interval,
    "epochs": change_interval,
    "from": four_interval,
}


def _label(name: str) -> str:
    """Write out the name of a part of a replayed design."""
    return escape(replay.LABELS[name])


def _in_pruning(name: str) -> str:
    """Write whether what pruning compares holds the penalty."""
    return "yes" if name == "objective" else "no"


BEST = {
    "rank": Column("Rank"),
    "module": Column("Layers", html=module),
    "objective": Column("Objective", four),
    "parameters": Column("Parameters", whole),
    "test_accuracy": Column("Test accuracy", percent),
    "article_module": Column("Layers", html=module),
    "article_objective": Column("Objective", four),
    "article_test_accuracy": Column("Test accuracy", percent),
}
_ITEMS = {"item": Column("Item"), "value": Column("Value", wraps=True)}
# Caption, columns and, where there are two, heads above the columns' heads.
SHOWN: dict[str, tuple[str, dict[str, Column], tuple[tuple[str, int], ...]]] = {
    "data": ("The data of this run", _ITEMS, ()),
    "verification": (
        "Checks of the arithmetic",
        {
            "check": Column("Check", wraps=True),
            "cases": Column("Cases", whole),
            "passed": Column("Passed", whole),
            "largest_error": Column("Largest error", error),
        },
        (),
    ),
    "counts": (
        "Parameter counts that the article prints, at width 1",
        {
            "model": Column("Layers of a stage", html=module),
            "article": Column("Article", whole),
            "this_run": Column("This run", whole),
            "difference": Column("Difference", whole),
        },
        (),
    ),
    "single_kind": (
        "Test accuracy of the single-kind networks, mean over replicates",
        {
            "label": Column("Layer"),
            "parameters": Column("Parameters", whole),
            "replicates": Column("Replicates", whole),
            "mean": Column("Best epoch", percent),
            "interval": Column(f"95{THIN}% interval", str),
            "last": Column("Last epoch", percent),
            "article": Column("Best epoch", percent),
            "difference": Column("Difference, points", points),
        },
        (("", 1), ("This run", 5), ("Article", 2)),
    ),
    "studies": (
        "The studies at a glance",
        {
            "study": Column("Study"),
            "trials": Column("Trials", whole),
            "completed": Column("Completed", whole),
            "pruned": Column("Pruned", whole),
            "failed": Column("Failed", whole),
            "combinations": Column("Combinations", whole),
            "article_trials": Column("Trials", whole),
            "article_completed": Column("Completed", whole),
        },
        (("", 1), ("This run", 5), ("Article", 2)),
    ),
    "front": (
        "Completed trials that none beats in both parameters and accuracy",
        {
            "number": Column("Number"),
            "module": Column("Layers", html=module),
            "parameters": Column("Parameters", whole),
            "test_accuracy": Column("Test accuracy", percent),
            "study": Column("Study"),
        },
        (),
    ),
    "reuse": (
        "Where the epochs of the studies came from",
        {
            "study": Column("Study"),
            "epochs_trained": Column("Trained", whole),
            "epochs_reused": Column("Reused", whole),
            "epochs_saved": Column("Saved by pruning", whole),
        },
        (),
    ),
    "exhaustive/summary": (
        "All modules by mean test accuracy over replicates",
        {
            "rank": Column("Rank", whole),
            "ranks": Column(f"95{THIN}% interval", str),
            "module": Column("Layers", html=module),
            "parameters": Column("Parameters", whole),
            "replicates": Column("Replicates", whole),
            "mean": Column("Best epoch", percent),
            "interval": Column(f"95{THIN}% interval", str),
            "mean_last": Column("Last epoch", percent),
        },
        (),
    ),
    "optimism/summary": (
        "What the article's choice of the epoch shows more than other choices",
        {
            "selection": Column("Epoch", wraps=True),
            "models": Column("Networks", whole),
            "trainings": Column("Trainings", whole),
            "mean": Column("Mean test accuracy", percent),
            "difference": Column("Article's shows more, points", points),
            "interval": Column(f"95{THIN}% interval", str),
        },
        (),
    ),
    "optimism/differences": (
        "Single-kind networks pair by pair, on the same images and seeds",
        {
            "pair": Column("Difference"),
            "selection": Column("Epoch"),
            "replicates": Column("Replicates", whole),
            "difference": Column("Points", points),
            "interval": Column(f"95{THIN}% interval", str),
            "clear": Column("Clear", html=yes),
        },
        (),
    ),
    "recipes/summary": (
        "Recipes by their distance from the article",
        {
            "recipe": Column("Recipe"),
            "label": Column("Layer"),
            "replicates": Column("Replicates", whole),
            "mean": Column("Best epoch", percent),
            "interval": Column(f"95{THIN}% interval", str),
            "mean_last": Column("Last epoch", percent),
            "article": Column("Best epoch", percent),
            "difference": Column("Difference, points", points),
            "distance": Column("Distance, points", points_of),
        },
        (("", 2), ("This run", 4), ("Article", 3)),
    ),
    "timing/crossover": (
        "From how many channels on a SeparableConv2D is faster than a Conv2D",
        {
            "pass": Column("Pass"),
            "size": Column("Feature map", "{0:g} × {0:g}".format),
            "outcome": Column("Outcome"),
            "channels": Column("Channels", three),
            "channels_low": Column(f"95{THIN}% from", three),
            "channels_high": Column("to", three),
            "macs_ratio": Column("Fewer MACs", times),
            "last_channels": Column("Channels", whole),
            "last_macs_ratio": Column("Fewer MACs", times),
            "last_speedup": Column("Faster", times),
        },
        (("", 3), ("Crossover", 4), ("Most channels", 3)),
    ),
    "timing/modules": (
        "Measured times of the modules, medians with their intervals",
        {
            "module": Column("Layers", html=module),
            "parameters": Column("Parameters", whole),
            "macs": Column("MACs", whole),
            "latency_ms": Column("Median", three),
            "latency_ms_interval": Column(f"95{THIN}% interval", str),
            "fps": Column("Median", whole),
            "fps_interval": Column(f"95{THIN}% interval", str),
            "epoch_seconds": Column("Median", three),
            "epoch_seconds_interval": Column(f"95{THIN}% interval", str),
        },
        (("", 3), ("Latency, ms", 2), ("Frames a second", 2), ("Training, s an epoch", 2)),
    ),
    "timing/correlations": (
        "How far counts tell times: correlations over the modules",
        {
            "time": Column("Time"),
            "against": Column("Against"),
            "spearman": Column("Of ranks", "{:.2f}".format),
            "pearson": Column("Of logarithms", "{:.2f}".format),
        },
        (),
    ),
    "pareto/penalties": (
        "The best module by what the penalty is on",
        {
            "penalty": Column("Penalty on"),
            "weight": Column("Weight", "{:g}".format),
            "module": Column("Layers", html=module),
            "mean": Column("Test accuracy", percent),
            "interval": Column(f"95{THIN}% interval", str),
            "parameters": Column("Parameters", whole),
            "latency_ms": Column("Latency, ms", three),
            "epoch_seconds": Column("Epoch, s", three),
            "probability": Column("Wins", percent),
        },
        (),
    ),
    "pareto/front": (
        "All modules, first those that none beats in all of error, parameters and latency",
        {
            "number": Column("Number", whole),
            "module": Column("Layers", html=module),
            "mean": Column("Test accuracy", percent),
            "interval": Column(f"95{THIN}% interval", str),
            "parameters": Column("Parameters", whole),
            "latency_ms": Column("Latency, ms", three),
            "on_front": Column("On the front", html=yes),
            "probability": Column("Probability", percent),
        },
        (),
    ),
    "runs": (
        "The article, recorded runs and this run",
        {
            "run": Column("Run"),
            "device": Column("Device"),
            "data": Column("Images", wraps=True),
            "width": Column("Width", "{:g}".format),
            "epochs": Column("Epochs", whole),
            "replicates": Column("Replicates", whole_or_range),
            **{
                kind: Column(entry.label.removesuffix("Conv2D") or entry.label, percent)
                for kind, entry in KINDS.items()
            },
        },
        (("", 6), ("Test accuracy", len(KINDS))),
    ),
    "replay/summary": (
        "What replayed studies reach, by way to search",
        {
            "objective": Column("Objective", html=_label),
            "sampler": Column("Sampler", html=_label),
            "pruner": Column("Pruner", html=_label),
            "penalty_pruning": Column("Penalty in pruning", html=_in_pruning),
            "trials": Column("Trials", whole),
            "probability_best": Column("Best picked", percent),
            "probability_interval": Column(f"95{THIN}% interval", str),
            "drawn": Column("Best completed", percent),
            "regret_mean": Column("Regret, points", points_of),
            "epochs_mean": Column("Epochs", three),
            "combinations_mean": Column("Modules drawn", three),
            "alike": Column("Not told apart", percent),
            "probability_table": Column("Chance of picks", percent),
        },
        (),
    ),
    "replay/pruning": (
        "What leaving the penalty out of pruning costs, over studies of the same seeds",
        {
            "sampler": Column("Sampler", html=_label),
            "pruner": Column("Pruner", html=_label),
            "regret_article": Column("Without", points_of),
            "regret_objective": Column("With", points_of),
            "regret_difference": Column("Difference", points),
            "regret_interval": Column(f"95{THIN}% interval", str),
            "epochs_article": Column("Without", three),
            "epochs_objective": Column("With", three),
            "epochs_difference": Column("Difference", change),
            "epochs_interval": Column(f"95{THIN}% interval", str),
        },
        (("", 2), ("Regret, points", 4), ("Epochs", 4)),
    ),
    "penalties/envelope": (
        "The modules that win at some weight",
        {
            "module": Column("Layers", html=module),
            "parameters": Column("Parameters", whole),
            "mean": Column("Mean test accuracy", percent),
            "from_weight": Column("From weight", four),
            "from_interval": Column(f"95{THIN}% interval", str),
            "to_weight": Column("To weight", four),
        },
        (),
    ),
    "versions": (
        "Versions of the software",
        {"package": Column("Package"), "version": Column("Version")},
        (),
    ),
}
