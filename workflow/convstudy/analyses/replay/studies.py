"""How good is a search? Hundreds of studies replayed on the module table.

A replayed study runs the real search code of `convstudy.search`; only training is replaced by the
table's learning curves, and the study is kept in memory. The k-th draw of a module takes the k-th
of its replicates, in an order that each study shuffles, and starts over after the last one. With
few replicates, drawing a module repeatedly therefore shows nothing new.
"""

import contextlib
import hashlib
import itertools
import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from convstudy.core.errors import UserError
from convstudy.core.files import read_sealed, write_sealed
from convstudy.core.progress import Progress
from convstudy.layers.networks import positions_in
from convstudy.search.settings import STARTUP_TRIALS

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

_TPE = {"name": "tpe", "startup_trials": STARTUP_TRIALS}
_MEDIAN = {"name": "median", "startup_trials": 5}
# With Optuna's default of startup trials, in release 0.5.0 and today.
SAMPLERS: dict[str, dict[str, Any]] = {
    "tpe_optuna_0_5": {"name": "tpe_optuna_0_5", "startup_trials": STARTUP_TRIALS},
    "tpe_independent": {**_TPE, "multivariate": False, "constant_liar": False},
    "tpe_multivariate": {**_TPE, "multivariate": True, "constant_liar": True},
    "random": {"name": "random"},
    "grid": {"name": "grid"},
}
PRUNERS: dict[str, dict[str, Any]] = {
    "none": {"name": "none"},
    # As the release decides, with steps counted from 0
    "median": {**_MEDIAN, "warmup_steps": 1},
    "hyperband": {"name": "hyperband", "warmup_steps": 0},
}
# As the release decides if steps are counted from 1: the first epoch may be pruned, too.
FROM_1 = {"median_from_1": {**_MEDIAN, "warmup_steps": 0}}
# On each resampled table, a design is replayed this many times fewer than on the whole one.
FEWER = 2
# Study seeds are drawn from this range; `sampling.sampler` multiplies them.
_SEEDS = 100_000


@dataclass(frozen=True)
class Design:
    """How a study searches.

    Attributes:
        objective: ``accuracy``, or ``penalised``.
        sampler, pruner: Of `SAMPLERS`, and of `PRUNERS` or `FROM_1`.
        penalty_pruning: Whether pruning leaves out the penalty (``article``) or includes it
            (``objective``). Without a penalty or a pruner it makes no difference, and is
            ``article``.
    """

    objective: str
    sampler: str
    pruner: str
    penalty_pruning: str


def designs() -> dict[str, Design]:
    """Return all designs by name."""
    found = {}
    for sampler, pruner in itertools.product(SAMPLERS, PRUNERS):
        for objective in ("accuracy", "penalised"):
            differ = objective == "penalised" and pruner != "none"
            for pruning in ("article", "objective") if differ else ("article",):
                design = Design(objective, sampler, pruner, pruning)
                found["-".join(astuple(design))] = design
    for objective in ("accuracy", "penalised"):
        design = Design(objective, "tpe_optuna_0_5", "median_from_1", "article")
        found["-".join(astuple(design))] = design
    return found


@dataclass(frozen=True)
class CurveTable:
    """The table's learning curves.

    Attributes:
        space: The kinds that each position may have.
        accuracies: Test accuracies of each replicate, by epoch, keyed by layer kinds.
        parameters: Parameters, keyed by layer kinds.
        epochs: Length of a curve that did not end early.
    """

    space: dict[str, list[str]]
    accuracies: dict[tuple[str, ...], list[list[float]]]
    parameters: dict[tuple[str, ...], int]
    epochs: int

    def without(self, replicate: int) -> "CurveTable":
        """Leave out one replicate of each module, by position."""
        kept = {
            kinds: curves[:replicate] + curves[replicate + 1 :]
            for kinds, curves in self.accuracies.items()
        }
        return replace(self, accuracies=kept)

    def resampled(self, number: int) -> "CurveTable":
        """Draw each module's replicates anew, with replacement; equal numbers draw the same."""
        rng = np.random.default_rng(number)
        drawn = {
            kinds: [curves[place] for place in rng.integers(len(curves), size=len(curves))]
            for kinds, curves in sorted(self.accuracies.items())
        }
        return replace(self, accuracies=drawn)

    def errors(self) -> dict[str, float]:
        """Return each module's mean test error, at the best epoch of each replicate."""
        return {
            "-".join(kinds): 1 - float(np.mean([max(curve) for curve in curves]))
            for kinds, curves in self.accuracies.items()
        }


def read_curves(curves: "pd.DataFrame") -> CurveTable:
    """Read the table's learning curves.

    Args:
        curves: ``curves.csv`` of the module table.

    Raises:
        UserError: If a module has no curve.
    """
    positions = positions_in(curves)
    accuracies: dict[tuple[str, ...], list[list[float]]] = {}
    for (*kinds, _), part in curves.groupby([*positions, "replicate"]):
        values = part.sort_values("epoch")["test_accuracy"].tolist()
        accuracies.setdefault(tuple(kinds), []).append(values)
    space = {position: list(curves[position].unique()) for position in positions}
    for kinds in itertools.product(*space.values()):
        if kinds not in accuracies:
            raise UserError(
                f"curves.csv has no curve of {'-'.join(kinds)}, but a study may draw any"
                " combination of layer kinds; complete the table: snakemake --cores all"
                " tabulate_modules"
            )
    parameters = curves.groupby(positions)["parameters"].first().to_dict()
    return CurveTable(space, accuracies, parameters, int(curves["epoch"].max()))


def replay(
    design: Design,
    recorded: CurveTable,
    penalty: Mapping[str, float],
    studies: int,
    trials: int,
    seed: int,
    progress: Progress | None = None,
) -> "pd.DataFrame":
    """Replay studies of a design.

    Args:
        design: How they search. A grid search ends after drawing every module once.
        recorded: The curves they find.
        penalty: ``weight`` and ``unit`` of the penalised objective.
        studies, trials: Number of studies, and of trials in each.
        seed: Seed of all studies; the n-th studies of two designs share seed and replicate order.
        progress: Of more studies than these, if given.

    Returns:
        One row per trial: ``study``, ``trial`` (both from 1), ``module``, ``replicate``, ``state``,
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
        "pruner": {**PRUNERS, **FROM_1}[design.pruner],
        "penalty": {**penalty, "weight": weight, "pruning": design.penalty_pruning},
    }
    seeds = np.random.default_rng(seed).permutation(_SEEDS)[:studies]
    rows: list[tuple[Any, ...]] = []
    progress = progress or Progress(logger, "studies:", studies)
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        for study, own in enumerate(map(int, seeds), start=1):
            take = _ReplicateOrder(recorded, own)
            for trial in _search({**settings, "seed": own}, take, Path(folder)):
                drawn = tuple(trial.params.values())
                # Optuna sets a pruned trial's value to the last one it reported.
                complete = trial.state == TrialState.COMPLETE
                objective = trial.value if complete else None
                replicate = take.replicate(drawn, trial.user_attrs["replicate"])
                ended = (trial.state.name, objective, len(trial.intermediate_values))
                rows.append((study, trial.number + 1, "-".join(drawn), replicate, *ended))
            progress.count()
    columns = ["study", "trial", "module", "replicate", "state", "objective", "epochs"]
    return pd.DataFrame(rows, columns=columns)


def replay_resampled(
    design: Design,
    recorded: CurveTable,
    penalty: Mapping[str, float],
    studies: int,
    trials: int,
    seed: int,
    tables: int,
) -> "pd.DataFrame":
    """Replay half as many studies on each of some tables with resampled replicates.

    Args:
        design, recorded, penalty, studies, trials, seed: See `replay`.
        tables: Number of tables; the n-th is the same for each design.

    Returns:
        That of `replay`, after ``table`` (from 0).
    """
    import pandas as pd

    fewer = max(studies // FEWER, 1)
    progress = Progress(logger, "studies:", tables * fewer)
    parts = []
    for table in range(tables):
        resampled = recorded.resampled(table)
        part = replay(design, resampled, penalty, fewer, trials, seed + table, progress)
        parts.append(part.assign(table=table))
    return pd.concat(parts, ignore_index=True)


def _search(settings: Mapping[str, Any], take: "_ReplicateOrder", folder: Path) -> list[Any]:
    """Run a study to its end and return its trials."""
    from convstudy.search.study import Search

    recorded = take.recorded

    def make_curve(kinds: Sequence[str], replicate: int) -> Any:
        return _TableCurve(take, kinds, replicate)

    search = Search(
        # Hyperband assigns trials to its brackets by the study's name.
        f"replay-{settings['seed']}",
        settings,
        recorded.epochs,
        1,
        "journal",
        folder,
        recorded.space,
        make_curve,
        lambda kinds: recorded.parameters[tuple(kinds)],
    )
    store = _MemoryStore(search.name)
    search.store = store  # type: ignore[assignment]
    search.run_worker()
    return store.storage.get_all_trials(0)


def once(
    store: Path, made_from: Mapping[str, Any], replay_studies: Callable[[], "pd.DataFrame"]
) -> str:
    """Return a table of trials as CSV, from a store if it was made from the same before.

    Snakemake repeats a job when a job before it is repeated, even if that gives the same input.

    Args:
        store: Folder of the tables.
        made_from: All that determines the table, as plain data.
        replay_studies: Makes the table.
    """
    text = json.dumps(made_from, sort_keys=True)
    path = store / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    with contextlib.suppress(OSError, ValueError):
        known = read_sealed(path)
        if known["made_from"] == made_from:
            logger.info("the same studies were replayed before: read from %s", path)
            return str(known["trials"])
    trials = replay_studies().to_csv(index=False)
    write_sealed(path, {"made_from": made_from, "trials": trials})
    return str(trials)


class _TableCurve:
    """A stand-in for `Curve` that yields the epochs in the table."""

    identity: ClassVar = {"replayed": True}
    ended = None

    def __init__(self, take: "_ReplicateOrder", kinds: Sequence[str], replicate: int) -> None:
        self.take, self.kinds, self.replicate = take, kinds, replicate
        self.name = f"{'-'.join(kinds)}_{replicate}"

    def epochs(self, last: int, trained_for: str = "") -> Iterator[dict[str, Any]]:
        # A recorded training may have ended early.
        accuracies = self.take.accuracies(self.kinds, self.replicate)[:last]
        for epoch, accuracy in enumerate(accuracies, start=1):
            yield {"epoch": epoch, "test_accuracy": accuracy, "trained_for": "the table"}


class _MemoryStore:
    """A stand-in for the stores of `storages`, for a single worker."""

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


class _ReplicateOrder:
    """The replicate that a study's k-th draw of a module takes."""

    def __init__(self, recorded: CurveTable, seed: int) -> None:
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
    """Silence a study's log lines about each epoch."""
    search_logger = logging.getLogger("convstudy.search.study")
    before = search_logger.level
    search_logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        search_logger.setLevel(before)
