"""Simulate how a study scales: real search code on recorded curves, with simulated time.

Every worker is a thread that runs `Search.run_worker`; only training is replaced, by waiting in
simulated time, and Optuna keeps the study in memory. The threads take turns in the order of that
time, so days on hundreds of GPUs take seconds, with the same result each time.
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
from convstudy.layers.networks import ARTICLE
from convstudy.search.study import Search

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Costs:
    """The durations of a study's steps, in seconds.

    Attributes:
        start: From a job's start until its worker requests the first trial: Snakemake, imports,
            data.
        set_up: Until a curve's first new epoch: building or loading the network, compiling.
        epoch: Training and testing for an epoch, for a network with factor 1.
        report: Storing an epoch: checkpoint, curve and Optuna's report.
        claim: Claiming a trial, while all other workers wait.
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

        def follow(function: Callable[[], None], turn: threading.Event) -> None:
            turn.wait()
            try:
                function()
            except BaseException as error:
                errors.append(error)
            self._next()

        threads = []
        for function in work:
            turn = self.wake_later(0.0)
            threads.append(threading.Thread(target=follow, args=(function, turn), daemon=True))
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
        """Return an event that will be set after this time."""
        turn = threading.Event()
        heapq.heappush(self._waiting, (self.now + seconds, next(self._order), turn))
        return turn

    def pause(self, turn: threading.Event) -> None:
        """Let the others run until one of them wakes this thread."""
        self._next()
        turn.wait()

    def wake(self, turn: threading.Event) -> None:
        """Let a paused thread continue at the current time."""
        heapq.heappush(self._waiting, (self.now, next(self._order), turn))

    def _next(self) -> None:
        if self._waiting:
            self.now, _, turn = heapq.heappop(self._waiting)
            turn.set()


class Lock:
    """A first-come, first-served lock in simulated time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seconds_waited = 0.0
        self._held = False
        self._queue: list[threading.Event] = []

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock, and hold it."""
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
                # Pass the lock on without releasing it.
                self.clock.wake(self._queue.pop(0))
            else:
                self._held = False


@dataclass
class World:
    """The state that simulated workers share: time, curves, and time spent.

    Attributes:
        costs: The duration of each step.
        accuracies: Returns a curve's test accuracies from layer kinds and replicate.
        factor: Returns how many times longer a network's epoch takes than `Costs.epoch`.
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
    """Stands in for `Curve`: yields recorded epochs, which cost time only at first use."""

    ended = None

    def __init__(self, world: World, kinds: Sequence[str], replicate: int) -> None:
        self.world = world
        self.kinds = tuple(kinds)
        self.replicate = replicate
        self.name = f"{'-'.join(kinds)}_{replicate}"
        self.identity = {"replayed": True}

    def epochs(self, last: int, trained_for: str = "") -> Iterator[dict[str, Any]]:
        """Yield the records of epochs 1 to `last`, as `Curve.epochs` does."""
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
    """Stands in for the stores of `storages`: keeps the study in memory; claims take time."""

    def __init__(self, world: World, study_name: str) -> None:
        import optuna

        self.world = world
        self.study_name = study_name
        self.storage = optuna.storages.InMemoryStorage()
        self.lock = Lock(world.clock)

    def open(self) -> Any:
        """Return the storage that all workers share."""
        return self.storage

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """Keep other workers from taking a trial meanwhile."""
        with self.lock.held():
            self.world.clock.sleep(self.world.costs.claim)
            yield

    def abandoned(self, study: Any, running: Sequence[Any]) -> set[int]:
        """Return no trials, as simulated workers do not die."""
        return set()

    def accept(self, others: Sequence[Any]) -> None:
        """Accept all workers."""


def simulate(
    settings: Mapping[str, Any],
    epochs: int,
    workers: int,
    world: World,
    kinds: Sequence[str] = tuple(ARTICLE.kinds),
    layers: int = ARTICLE.module_layers,
) -> dict[str, Any]:
    """Run a study to its end, and return its cost and result.

    Args:
        settings: The study's settings, as in the config.
        epochs: Maximum epochs per trial.
        workers: Number of simulated workers, each with a GPU.
        world: The state that they share.
        kinds: Possible kinds of each layer of a module.
        layers: Number of layers of a module.

    Returns:
        ``workers``; ``hours``; the shares of the workers' time for ``training``, ``set_up``,
        ``claiming`` and ``curve_waiting`` (the rest is starting, storing, and idling at the end);
        the number of trained ``epochs``; ``trials`` and the share ``pruned``; ``best``, the lowest
        objective.
    """
    from optuna.trial import TrialState

    def make_curve(kinds: Sequence[str], replicate: int) -> Any:
        return ReplayedCurve(world, kinds, replicate)

    store = MemoryStore(world, "simulated")
    with tempfile.TemporaryDirectory() as folder:
        search = Search(
            "simulated",
            settings,
            epochs,
            workers,
            "journal",
            Path(folder),
            {f"layer{position + 1}": kinds for position in range(layers)},
            make_curve,
            lambda _: 0,
        )
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
    """Make curves of any module and length from recorded ones.

    If a module and replicate has no recorded curve of its own, a hash of its name chooses one, so
    that it is the same each time. Curves are stretched to `epochs` epochs by linear interpolation.

    Args:
        recorded: A study's curves.csv, with ``layer1`` to ``layer3``, ``replicate``, ``epoch`` and
            ``test_accuracy``.
        epochs: Length of the curves.
    """
    columns = [*ARTICLE.positions, "replicate"]
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
