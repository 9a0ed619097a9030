"""How good is a search? Hundreds of studies replayed on the table of all modules.

A replayed study is the real search code of `convstudy.search`; only the training is replaced, by
the table's learning curves, and the study lies in memory. The k-th draw of a module takes the k-th
of its replicates, in an order that each study shuffles for itself, and begins anew after the last
one: with few replicates, drawing a module again and again shows nothing new.
"""

import contextlib
import itertools
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from convstudy import stats
from convstudy.errors import UserError
from convstudy.layers import KINDS
from convstudy.logs import Progress

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

# Optuna's defaults, which were those of Optuna 0.5, too.
_TPE = {"name": "tpe", "startup_trials": 10}
SAMPLERS: dict[str, dict[str, Any]] = {
    "tpe": {**_TPE, "multivariate": False, "constant_liar": False},
    "tpe_multivariate": {**_TPE, "multivariate": True, "constant_liar": True},
    "random": {"name": "random"},
    "grid": {"name": "grid"},
}
PRUNERS: dict[str, dict[str, Any]] = {
    "none": {"name": "none"},
    "median": {
        "name": "median",
        "startup_trials": 5,
        "warmup_steps": 0,
    },
    "hyperband": {"name": "hyperband", "warmup_steps": 0},
}
LABELS = {
    "accuracy": "accuracy alone",
    "penalised": "with the penalty",
    "tpe": "TPE as in Optuna 0.5",
    "tpe_multivariate": "TPE as now",
    "random": "random",
    "grid": "grid",
    "none": "no pruner",
    "median": "median pruner",
    "hyperband": "Hyperband",
}
# From these a study's seed is drawn; `search.sampler` multiplies it.
_SEEDS = 100_000
_KEYS = ("objective", "sampler", "pruner", "penalty_pruning")


@dataclass(frozen=True)
class Design:
    """How a study searches.

    Attributes:
        objective: ``accuracy``, or ``penalised``.
        sampler, pruner: Of `SAMPLERS` and `PRUNERS`.
        penalty_pruning: Whether what pruning compares leaves the penalty out (``article``) or holds
            it (``objective``). Where there is no penalty or no pruner, it is the same, and
            ``article``.
    """

    objective: str
    sampler: str
    pruner: str
    penalty_pruning: str


def designs() -> dict[str, Design]:
    """Give all designs by name."""
    found = {}
    for sampler, pruner in itertools.product(SAMPLERS, PRUNERS):
        for objective in ("accuracy", "penalised"):
            differ = objective == "penalised" and pruner != "none"
            for pruning in ("article", "objective") if differ else ("article",):
                design = Design(objective, sampler, pruner, pruning)
                found["-".join(astuple(design))] = design
    return found


@dataclass(frozen=True)
class Recorded:
    """The table's learning curves.

    Attributes:
        accuracies: By layer kinds: the test accuracies of each replicate, by epoch.
        parameters: By layer kinds.
        epochs: Length of a curve that did not end early.
    """

    accuracies: dict[tuple[str, ...], list[list[float]]]
    parameters: dict[tuple[str, ...], int]
    epochs: int

    def without(self, replicate: int) -> "Recorded":
        """Leave one replicate of each module out, by its place."""
        kept = {
            kinds: curves[:replicate] + curves[replicate + 1 :]
            for kinds, curves in self.accuracies.items()
        }
        return replace(self, accuracies=kept)


def read_curves(curves: "pd.DataFrame") -> Recorded:
    """Read the table's learning curves.

    Args:
        curves: ``curves.csv`` of the table: see `convstudy.exhaustive.COLUMNS`.

    Raises:
        UserError: If a module has no curve.
    """
    from convstudy.models import POSITIONS

    accuracies: dict[tuple[str, ...], list[list[float]]] = {}
    for (*kinds, _), part in curves.groupby([*POSITIONS, "replicate"]):
        values = part.sort_values("epoch")["test_accuracy"].tolist()
        accuracies.setdefault(tuple(kinds), []).append(values)
    drawn = [kind for kind in KINDS if any(kind in kinds for kinds in accuracies)]
    for kinds in itertools.product(drawn, repeat=len(POSITIONS)):
        if kinds not in accuracies:
            raise UserError(
                f"curves.csv has no curve of {'-'.join(kinds)}, but a study may draw any"
                " combination of its layer kinds; make the whole table: snakemake --cores all"
                " tabulate_modules"
            )
    parameters = curves.groupby(list(POSITIONS))["parameters"].first().to_dict()
    return Recorded(accuracies, parameters, int(curves["epoch"].max()))


def replay(
    design: Design,
    recorded: Recorded,
    penalty: Mapping[str, float],
    studies: int,
    trials: int,
    seed: int,
) -> "pd.DataFrame":
    """Replay studies of a design.

    Args:
        design: How they search. A grid ends when it has drawn every module once.
        recorded: What they find.
        penalty: ``weight`` and ``unit`` of the penalised objective.
        studies, trials: How many, and how many trials each.
        seed: Of all; the n-th studies of two designs have the same seed and order of replicates.

    Returns:
        A row a trial: ``study``, ``trial`` (both from 1), ``module``, ``replicate``, ``state``,
        ``objective`` (of completed trials), ``epochs``.
    """
    import pandas as pd
    from optuna.trial import TrialState

    if design.sampler == "grid":
        trials = min(trials, len(recorded.accuracies))
    weight = penalty["weight"] if design.objective == "penalised" else 0.0
    settings = {
        "trials": trials,
        "sampler": SAMPLERS[design.sampler],
        "pruner": PRUNERS[design.pruner],
        "penalty": {**penalty, "weight": weight, "pruning": design.penalty_pruning},
    }
    seeds = np.random.default_rng(seed).permutation(_SEEDS)[:studies]
    rows: list[dict[str, Any]] = []
    progress = Progress(logger, "studies:", studies)
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        for study, own in enumerate(map(int, seeds), start=1):
            take = _Takes(recorded, own)
            for trial in _search({**settings, "seed": own}, take, Path(folder)):
                drawn = tuple(trial.params.values())
                # Optuna gives a pruned trial the last value that it reported.
                complete = trial.state == TrialState.COMPLETE
                rows.append(
                    {
                        "study": study,
                        "trial": trial.number + 1,
                        "module": "-".join(drawn),
                        "replicate": take.replicate(drawn, trial.user_attrs["replicate"]),
                        "state": trial.state.name,
                        "objective": trial.value if complete else None,
                        "epochs": len(trial.intermediate_values),
                    }
                )
            progress.count()
    return pd.DataFrame(rows)


def _search(settings: Mapping[str, Any], take: "_Takes", folder: Path) -> list[Any]:
    """Run a study to its end; give its trials."""
    from convstudy.search import Search

    recorded = take.recorded

    def make_curve(kinds: Sequence[str], replicate: int) -> Any:
        return _TableCurve(take, kinds, replicate)

    search = Search(
        # Hyperband deals trials out to its brackets by the study's name.
        f"replay-{settings['seed']}",
        settings,
        recorded.epochs,
        1,
        "journal",
        folder,
        make_curve,
        lambda kinds: recorded.parameters[tuple(kinds)],
    )
    search.kinds = [kind for kind in KINDS if any(kind in one for one in recorded.accuracies)]
    store = _MemoryStore(search.name)
    search.store = store  # type: ignore[assignment]
    search.work()
    return store.storage.get_all_trials(0)


class _TableCurve:
    """Stands in for `curves.Curve`: gives the epochs that the table has."""

    identity: ClassVar = {"replayed": True}
    ended = None

    def __init__(self, take: "_Takes", kinds: Sequence[str], replicate: int) -> None:
        self.take, self.kinds, self.replicate = take, kinds, replicate
        self.name = f"{'-'.join(kinds)}_{replicate}"

    def epochs(self, last: int, trained_for: str = "") -> Iterator[dict[str, Any]]:
        # A recorded training may have ended early.
        accuracies = self.take.accuracies(self.kinds, self.replicate)[:last]
        for epoch, accuracy in enumerate(accuracies, start=1):
            yield {"epoch": epoch, "test_accuracy": accuracy, "trained_for": "the table"}


class _MemoryStore:
    """Stands in for the stores of `storages`, for one worker."""

    def __init__(self, study_name: str) -> None:
        from optuna.storages import InMemoryStorage

        self.study_name = study_name
        self.storage = InMemoryStorage()

    def open(self) -> Any:
        return self.storage

    def claim(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def abandoned(self, study: Any, running: Sequence[Any]) -> set[int]:
        return set()

    def accept(self, others: Sequence[Any]) -> None:
        pass


class _Takes:
    """Which replicate a study's k-th draw of a module takes."""

    def __init__(self, recorded: Recorded, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.recorded = recorded
        self.order = {
            kinds: rng.permutation(len(curves)).tolist()
            for kinds, curves in sorted(recorded.accuracies.items())
        }

    def replicate(self, kinds: Sequence[str], draw: int) -> int:
        order = self.order[tuple(kinds)]
        return order[draw % len(order)]

    def accuracies(self, kinds: Sequence[str], draw: int) -> Sequence[float]:
        return self.recorded.accuracies[tuple(kinds)][self.replicate(kinds, draw)]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what a study says of each epoch."""
    theirs = logging.getLogger("convstudy.search")
    before = theirs.level
    theirs.setLevel(logging.WARNING)
    try:
        yield
    finally:
        theirs.setLevel(before)


def truth(table: "pd.DataFrame", penalty: Mapping[str, float]) -> "pd.DataFrame":
    """Say how good each module is, as far as the table knows.

    Args:
        table: ``table.csv`` of the table.
        penalty: ``weight`` and ``unit``.

    Returns:
        By module: ``regret`` (mean objective minus the lowest one), ``expected_regret`` (mean over
        what the true means may be), ``probability_best``, and ``told_apart``: whether the regret is
        above the ``resolution``, so that it is not the best one (see `exhaustive.resolution`). All
        but the first are empty if no module has replicates.
    """
    from convstudy import exhaustive

    means, freedom = exhaustive.means(table)
    cost = penalty["weight"] * means["parameters"] / penalty["unit"]
    objective = 1 - means["mean"] + cost
    found = (objective - objective.min()).to_frame("regret")
    found[["expected_regret", "probability_best", "told_apart", "resolution"]] = np.nan
    if freedom and len(means) > 1:
        drawn = 1 - exhaustive.draw_means(means, freedom) + cost.to_numpy()
        lowest = drawn.min(axis=1, keepdims=True)
        found["expected_regret"] = (drawn - lowest).mean(axis=0)
        found["probability_best"] = (drawn == lowest).mean(axis=0)
        found["resolution"] = exhaustive.resolution(means, objective.idxmin())
        found["told_apart"] = (found["regret"] > found["resolution"]).astype(float)
    return found


def score(trials: "pd.DataFrame", known: "pd.DataFrame") -> "pd.DataFrame":
    """Score each study after each of its trials, by the module that it would pick then.

    A study picks the module of the completed trial with the lowest objective. Until one has
    completed, its regret is that of a module drawn at random.

    Args:
        trials: See `replay`.
        known: See `truth`.

    Returns:
        A row a trial: ``study``, ``trial``; ``regret``, ``expected_regret``, ``probability_best``
        of the picked module; whether the best module ``drawn_best`` (and completed),
        ``picked_best``, or one ``picked_alike`` that is not told apart from it; up to this trial
        ``epochs``, ``epochs_trained`` (where a curve that is drawn again costs nothing),
        ``combinations``.
    """
    study = trials["study"]
    best = known["regret"].idxmin()
    objective = trials["objective"].fillna(np.inf)
    before = objective.groupby(study).cummin().groupby(study).shift(fill_value=np.inf)
    picked = trials["module"].where(objective < before).groupby(study).ffill()
    scores = trials[["study", "trial"]].copy()
    for column in ("regret", "expected_regret", "probability_best"):
        scores[column] = picked.map(known[column]).fillna(known[column].mean())
    completed = (trials["module"] == best) & trials["objective"].notna()
    scores["drawn_best"] = completed.groupby(study).cummax().astype(float)
    scores["picked_best"] = (picked == best).astype(float)
    alike = (1 - known["told_apart"]).rename("picked_alike")
    scores["picked_alike"] = picked.map(alike)
    if alike.notna().any():
        scores["picked_alike"] = scores["picked_alike"].fillna(0.0)
    curve = [study, trials["module"], trials["replicate"]]
    longest = trials["epochs"].groupby(curve).cummax()
    had = longest.groupby(curve).shift(fill_value=0)
    scores["epochs"] = trials["epochs"].groupby(study).cumsum()
    scores["epochs_trained"] = (longest - had).groupby(study).cumsum()
    new = ~trials.duplicated(["study", "module"])
    scores["combinations"] = new.groupby(study).cumsum()
    return scores


def history(scores: "pd.DataFrame") -> "pd.DataFrame":
    """Give what studies of one design reach after each trial.

    Returns:
        A row a number of trials: ``trials``; ``regret_mean`` and quantiles over studies,
        ``regret_10``, ``regret_50``, ``regret_90``; ``drawn``, ``picked`` and ``alike``, the shares
        of studies that completed the best module, that pick it, that pick one which is not told
        apart from it; means of epochs and combinations, with their intervals.
    """
    groups = scores.groupby("trial")
    regret = groups["regret"]
    found = regret.mean().to_frame("regret_mean")
    for per_cent in (10, 50, 90):
        found[f"regret_{per_cent}"] = regret.quantile(per_cent / 100)
    shares = {"drawn": "drawn_best", "picked": "picked_best", "alike": "picked_alike"}
    for name, column in shares.items():
        found[name] = groups[column].mean()
    for column in ("epochs", "epochs_trained", "combinations"):
        found[f"{column}_mean"] = groups[column].mean()
    return found.rename_axis("trials").reset_index()


def summarise(scores: "pd.DataFrame", known: "pd.DataFrame") -> dict[str, Any]:
    """Give what studies of one design reach at their end, with 95 % intervals.

    Returns:
        ``studies``, ``trials``; ``probability_best`` that a study picks the best module, with
        ``probability_low`` and ``probability_high`` (Wilson); the same for ``drawn`` and ``alike``;
        ``probability_table``, the chance that the picked module is the best one, as far as the
        table knows; ``regret_mean`` with ``regret_low`` and ``regret_high`` (Student's t), and
        ``expected_regret_mean``; ``resolution``, the least difference that the table tells apart;
        means of epochs and combinations, with their intervals.
    """
    last = scores.groupby("study").last()
    found: dict[str, Any] = {"studies": len(last), "trials": int(scores["trial"].max())}
    for name, short, column in (
        ("probability_best", "probability", "picked_best"),
        ("drawn", "drawn", "drawn_best"),
        ("alike", "alike", "picked_alike"),
    ):
        share = last[column].mean()
        low, high = stats.wilson(share, len(last)) if share == share else (np.nan, np.nan)
        found |= {name: share, f"{short}_low": low, f"{short}_high": high}
    low, high = stats.mean_interval(last["regret"])
    found |= {
        "probability_table": last["probability_best"].mean(),
        "regret_mean": last["regret"].mean(),
        "regret_low": max(low, 0.0),
        "regret_high": high,
        "expected_regret_mean": last["expected_regret"].mean(),
        "resolution": known["resolution"].median(),
    }
    for column in ("epochs", "epochs_trained", "combinations"):
        found[f"{column}_mean"] = last[column].mean()
        found[f"{column}_low"], found[f"{column}_high"] = stats.mean_interval(last[column])
    return found


def compare_pruning(scores: Mapping[Design, "pd.DataFrame"]) -> "pd.DataFrame":
    """Say what leaving the penalty out of pruning costs, study by study of the same seed.

    Args:
        scores: What `score` gives, by design.

    Returns:
        A row for each sampler and pruner: ``studies``; for regret and epochs the means without the
        penalty in pruning (``_article``) and with it (``_objective``), and the mean of the
        differences of the former from the latter, with its 95 % interval.
    """
    import pandas as pd

    rows = []
    for design, with_penalty in scores.items():
        if design.penalty_pruning != "objective":
            continue
        other = Design(design.objective, design.sampler, design.pruner, "article")
        theirs, ours = (one.groupby("study").last() for one in (scores[other], with_penalty))
        row = {"sampler": design.sampler, "pruner": design.pruner, "studies": len(ours)}
        for name, column in (("regret", "regret"), ("epochs", "epochs")):
            difference = theirs[column] - ours[column]
            low, high = stats.mean_interval(difference)
            row |= {
                f"{name}_article": theirs[column].mean(),
                f"{name}_objective": ours[column].mean(),
                f"{name}_difference": difference.mean(),
                f"{name}_low": low,
                f"{name}_high": high,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def collect(
    trials: Mapping[Design, "pd.DataFrame"], table: "pd.DataFrame", penalty: Mapping[str, float]
) -> dict[str, "pd.DataFrame"]:
    """Score the replayed studies of all designs.

    Args:
        trials: What `replay` gives, by design.
        table: ``table.csv`` of the table.
        penalty: ``weight`` and ``unit`` of the penalised objective.

    Returns:
        ``summary``, ``history``, ``pruning``: a row a design, a design's number of trials, a
        sampler and pruner.
    """
    import pandas as pd

    weights = {"accuracy": 0.0, "penalised": penalty["weight"]}
    known = {name: truth(table, {**penalty, "weight": weights[name]}) for name in weights}
    scores = {design: score(one, known[design.objective]) for design, one in trials.items()}
    summaries, histories = [], []
    for design, one in scores.items():
        which = dict(zip(_KEYS, astuple(design), strict=True))
        which["weight"] = weights[design.objective]
        summaries.append({**which, **summarise(one, known[design.objective])})
        histories.append(pd.DataFrame([which]).merge(history(one), how="cross"))
    return {
        "summary": pd.DataFrame(summaries),
        "history": pd.concat(histories, ignore_index=True),
        "pruning": compare_pruning(scores),
    }
