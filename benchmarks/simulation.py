"""How a study scales: the real search code on recorded curves, with simulated workers and time.

Every worker is a thread that runs `Search.run_worker`; only the training is replaced, by waiting in
simulated time, and Optuna keeps the study in memory. The threads take turns in the order of that
time, so that a run of days on hundreds of GPUs takes seconds, and gives the same result each time.
"""

import contextlib
import functools
import hashlib
import heapq
import itertools
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from convstudy.layers.models import POSITIONS
from convstudy.search.study import Search

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Costs:
    """What a study's steps cost, in seconds.

    Attributes:
        start: From a job's start until its worker asks for its first trial: Snakemake, imports,
            data.
        set_up: Until a curve's first new epoch begins: making or loading the network, compiling.
        epoch: Of training and test, where a network's own factor is 1.
        report: Storing an epoch: checkpoint, curve and Optuna's report.
        claim: Taking a trial, while all other workers wait for theirs.
    """

    start: float
    set_up: float
    epoch: float
    report: float
    claim: float


class Clock:
    """Simulated time, in which threads take turns."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, threading.Event]] = []

    def run(self, work: Sequence[Callable[[], None]]) -> None:
        """Run functions as threads, side by side in simulated time."""
        errors: list[BaseException] = []

        def follow(one: Callable[[], None], turn: threading.Event) -> None:
            turn.wait()
            try:
                one()
            except BaseException as error:
                errors.append(error)
            self._next()

        threads = []
        for one in work:
            turn = self.wake_later(0.0)
            threads.append(threading.Thread(target=follow, args=(one, turn), daemon=True))
            threads[-1].start()
        self._next()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    def sleep(self, seconds: float) -> None:
        """Let simulated time pass."""
        turn = self.wake_later(seconds)
        self._next()
        turn.wait()

    def wake_later(self, seconds: float) -> threading.Event:
        """Give an event that is set when its time has come."""
        turn = threading.Event()
        heapq.heappush(self._waiting, (self.now + seconds, next(self._order), turn))
        return turn

    def pause(self, turn: threading.Event) -> None:
        """Let the others go on until somebody wakes this thread."""
        self._next()
        turn.wait()

    def wake(self, turn: threading.Event) -> None:
        """Let a paused thread go on at this moment."""
        heapq.heappush(self._waiting, (self.now, next(self._order), turn))

    def _next(self) -> None:
        if self._waiting:
            self.now, _, turn = heapq.heappop(self._waiting)
            turn.set()


class Lock:
    """A lock in simulated time, first come, first served."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seconds_waited = 0.0
        self._held = False
        self._queue: list[threading.Event] = []

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock, having waited for it."""
        began = self.clock.now
        if self._held:
            turn = threading.Event()
            self._queue.append(turn)
            self.clock.pause(turn)
        self._held = True
        self.seconds_waited += self.clock.now - began
        try:
            yield
        finally:
            if self._queue:
                # Handed on without ever being free.
                self.clock.wake(self._queue.pop(0))
            else:
                self._held = False


@dataclass
class World:
    """What the simulated workers share: time, curves, and what was spent.

    Attributes:
        costs: What each step costs.
        accuracies: Gives a curve's test accuracies by layer kinds and replicate.
        factor: Gives how much longer a network's epoch takes than `Costs.epoch`.
    """

    costs: Costs
    accuracies: Callable[[Sequence[str], int], Sequence[float]]
    factor: Callable[[Sequence[str]], float]
    clock: Clock = field(default_factory=Clock)
    trained: dict[str, int] = field(default_factory=dict)
    locks: dict[str, Lock] = field(default_factory=dict)
    seconds_trained: float = 0.0
    seconds_set_up: float = 0.0


class ReplayedCurve:
    """Stands in for `Curve`: gives recorded epochs, at their price the first time."""

    ended = None

    def __init__(self, world: World, kinds: Sequence[str], replicate: int) -> None:
        self.world = world
        self.kinds = tuple(kinds)
        self.replicate = replicate
        self.name = f"{'-'.join(kinds)}_{replicate}"
        self.identity = {"replayed": True}

    def epochs(self, last: int, trained_for: str = "") -> Iterator[dict[str, Any]]:
        """Give the records of epochs 1 to `last`, as `Curve.epochs` does."""
        world, costs = self.world, self.world.costs
        accuracies = world.accuracies(self.kinds, self.replicate)
        with contextlib.ExitStack() as stack:
            holds = False
            # A recorded training may have ended early.
            for epoch in range(1, min(last, len(accuracies)) + 1):
                if world.trained.get(self.name, 0) < epoch and not holds:
                    lock = world.locks.setdefault(self.name, Lock(world.clock))
                    stack.enter_context(lock.held())
                    holds = True
                    if world.trained.get(self.name, 0) < epoch:
                        world.seconds_set_up += costs.set_up
                        world.clock.sleep(costs.set_up)
                if world.trained.get(self.name, 0) < epoch:
                    seconds = costs.epoch * world.factor(self.kinds)
                    world.seconds_trained += seconds
                    world.clock.sleep(seconds + costs.report)
                    world.trained[self.name] = epoch
                accuracy = accuracies[epoch - 1]
                yield {"epoch": epoch, "test_accuracy": accuracy, "trained_for": "replay"}


class MemoryStore:
    """Stands in for the stores of `storages`: the study lies in memory, a claim takes its time."""

    def __init__(self, world: World, study_name: str) -> None:
        import optuna

        self.world = world
        self.study_name = study_name
        self.storage = optuna.storages.InMemoryStorage()
        self.lock = Lock(world.clock)

    def open(self) -> Any:
        """Give the storage that all workers share."""
        return self.storage

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """Keep other workers from taking a trial meanwhile."""
        with self.lock.held():
            self.world.clock.sleep(self.world.costs.claim)
            yield

    def abandoned(self, study: Any, running: Sequence[Any]) -> set[int]:
        """Give no trial: simulated workers do not die."""
        return set()

    def accept(self, others: Sequence[Any]) -> None:
        """Work beside all."""


def simulate(
    settings: Mapping[str, Any],
    epochs: int,
    workers: int,
    world: World,
    kinds: Sequence[str] = Search.kinds,
    layers: int = len(POSITIONS),
) -> dict[str, Any]:
    """Run a study to its end, and say what it took.

    Args:
        settings: The study's, as in the config.
        epochs: Most epochs of a trial.
        workers: Simulated workers, a GPU each.
        kinds: What each layer of a module may be.
        layers: Layers of a module.

    Returns:
        ``workers``; ``hours``; the shares of the workers' time for ``training``, ``set_up``,
        ``claiming`` and ``curve_waiting`` (the rest is start, storing, and idling at the end);
        ``epochs`` that were trained; ``trials`` and the share ``pruned``; ``best``, the lowest
        objective.
    """
    from optuna.trial import TrialState

    def make_curve(kinds: Sequence[str], replicate: int) -> Any:
        return ReplayedCurve(world, kinds, replicate)

    store = MemoryStore(world, "simulated")
    with tempfile.TemporaryDirectory() as folder:
        search = Search(
            "simulated", settings, epochs, workers, "journal", Path(folder), make_curve, lambda _: 0
        )
        search.kinds = tuple(kinds)
        search.positions = tuple(f"layer{position + 1}" for position in range(layers))
        search.store = store  # type: ignore[assignment]

        def work(worker: int) -> None:
            world.clock.sleep(world.costs.start)
            search.run_worker(worker)

        world.clock.run([functools.partial(work, worker) for worker in range(workers)])
    trials = store.storage.get_all_trials(0)
    spent = workers * world.clock.now
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return {
        "workers": workers,
        "hours": world.clock.now / 3600,
        "training": world.seconds_trained / spent,
        "set_up": world.seconds_set_up / spent,
        "claiming": store.lock.seconds_waited / spent + len(trials) * world.costs.claim / spent,
        "curve_waiting": sum(lock.seconds_waited for lock in world.locks.values()) / spent,
        "epochs": sum(world.trained.values()),
        "trials": len(trials),
        "pruned": sum(trial.state == TrialState.PRUNED for trial in trials) / len(trials),
        "best": min(trial.value for trial in done),
    }


def replayed(
    recorded: "pd.DataFrame", epochs: int
) -> Callable[[Sequence[str], int], Sequence[float]]:
    """Make curves of any module and length out of recorded ones.

    A module's own recorded curve is taken where there is one; another module or replicate takes
    one that its name's hash chooses, so that it is the same each time. Curves are stretched to
    `epochs` epochs by linear interpolation.

    Args:
        recorded: ``layer1`` to ``layer3``, ``replicate``, ``epoch``, ``test_accuracy``: a study's
            curves.csv.
        epochs: Length of the curves.
    """
    columns = [*POSITIONS, "replicate"]
    curves = {
        key: part.sort_values("epoch")["test_accuracy"].to_numpy()
        for key, part in recorded.groupby(columns)
    }
    longest = max(map(len, curves.values()))
    whole = {key: values for key, values in curves.items() if len(values) == longest}
    names = sorted(whole)

    def accuracies(kinds: Sequence[str], replicate: int) -> Sequence[float]:
        key = (*kinds, replicate)
        if key not in whole:
            hashed = hashlib.sha256(repr(key).encode()).digest()
            key = names[int.from_bytes(hashed[:4], "big") % len(names)]
        values = whole[key]
        at = np.linspace(1, longest, epochs)
        return np.interp(at, np.arange(1, longest + 1), values)

    return accuracies
