"""Search the modules with Optuna, extending learning curves one epoch at a time.

Everything about a trial follows from what is stored and from the trial's number, so a killed study
resumes as if nothing had happened: a trial left running continues under its own number, in the
next run of its worker or in another worker.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.trial import FrozenTrial, Trial, TrialState

from convstudy.core import signals
from convstudy.core.errors import UserError
from convstudy.core.locks import waiting_for
from convstudy.core.progress import duration
from convstudy.data.dataset import Dataset
from convstudy.layers.networks import Networks
from convstudy.search.optuna_0_5 import CANDIDATES
from convstudy.search.sampling import INTERVAL_STEPS, MINIMUM_TRIALS, pruner, sampler
from convstudy.search.storages import FileStore, PostgresStore, this_machine
from convstudy.training.curve import Curve, digest

logger = logging.getLogger(__name__)
MakeCurve = Callable[[Sequence[str], int], Curve]


@dataclass(frozen=True)
class Penalty:
    """The cost of parameters: `weight` for every `unit` of them, added to the test error.

    `pruning` is ``article`` (pruning compares values without the penalty, as in the article) or
    ``objective`` (pruning compares values that include it).

    Example:
        The article's penalty on its largest network:

        >>> Penalty(weight=0.05, unit=250_000, pruning="article").of(1_598_730)
        0.319746
    """

    weight: float
    unit: float
    pruning: str

    def of(self, parameters: int) -> float:
        """Return the penalty of a number of parameters."""
        return self.weight * parameters / self.unit


class Search:
    """One study, which several processes may work on.

    Args:
        name: Its name in the config.
        settings: Its settings in the config.
        epochs: Maximum epochs per trial.
        workers: Number of processes that work on it.
        storage: ``journal`` or ``postgresql``.
        folder: The folder with the state of all studies.
        space: The kinds that each position of a module may have.
        make_curve: Returns the curve of layer kinds and a replicate.
        parameters: Returns the number of parameters of layer kinds, at the trained width.
        about: What else identifies the study.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        epochs: int,
        workers: int,
        storage: str,
        folder: Path,
        space: Mapping[str, Sequence[str]],
        make_curve: MakeCurve,
        parameters: Callable[[Sequence[str]], int],
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.epochs = epochs
        self.workers = workers
        self.space = {position: list(kinds) for position, kinds in space.items()}
        self.make_curve = make_curve
        self.parameters = parameters
        self.penalty = Penalty(**settings["penalty"])
        # The budget and the number of workers are left out, so that a study can be extended.
        any_kind = next(iter(self.space.values()))[0]
        self.identity = {
            "study": name,
            "sampler": {**settings["sampler"], "candidates": CANDIDATES},
            "pruner": {
                **settings["pruner"],
                "interval_steps": INTERVAL_STEPS,
                "minimum_trials": MINIMUM_TRIALS,
            },
            "penalty": dict(settings["penalty"]),
            "seed": settings["seed"],
            "epochs": epochs,
            "curves": make_curve((any_kind,), 0).identity,
            **(about or {}),
        }
        self.key = digest(self.identity)
        self.folder = folder / f"{name}_{self.key}"
        self.store: FileStore | PostgresStore
        if storage == "postgresql":
            self.store = PostgresStore(self.folder, name)
        else:
            self.store = FileStore(self.folder, name)

    def study(self) -> optuna.Study:
        """Open the study, or create it.

        Raises:
            UserError: If the stored study was made with other settings, or its storage is damaged
                or unavailable.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            storage=self.store.open(),
            study_name=self.store.study_name,
            direction="minimize",
            load_if_exists=True,
            pruner=pruner(self.settings["pruner"], self.epochs),
        )
        if "settings" not in study.user_attrs:
            study.set_user_attr("settings", self.identity)
        changes = differences(study.user_attrs["settings"], self.identity)
        if changes:
            raise UserError(
                f"the study {self.store.study_name} was made with other settings:"
                f" {'; '.join(changes)}; one study cannot mix settings; restore them, or move"
                f" {self.folder} away"
            )
        return study

    def run_worker(self, worker: int = 0) -> int:
        """Work on the study until its budget is used up; return how many trials ended here.

        The budget is the study's total, over all workers and resumptions.

        Raises:
            Interrupted: On a stop signal; the current trial resumes in the next run.
        """
        ended = 0
        # A new start of the same worker waits until this one is gone.
        place = f"the place of worker {worker} in the study {self.name}"
        with waiting_for(self.folder / f"worker-{worker}", place):
            with self.store.claim():
                study = self.study()
            while (trial := self._claim(study, worker)) is not None:
                epochs_before = time.perf_counter()
                try:
                    with get_heartbeat_thread(trial._trial_id, study._storage):
                        for _ in self.run_trial(study, trial):
                            signals.stop_if_asked(f"in trial {trial.number + 1}")
                except UpdateFinishedTrialError:
                    logger.warning(
                        "%s: another worker has ended trial %d", self.name, trial.number + 1
                    )
                    continue
                ended += 1
                logger.info(
                    "%s: trial %d of %d %s in %s",
                    self.name,
                    trial.number + 1,
                    self.settings["trials"],
                    study.get_trials(deepcopy=False)[trial.number].state.name.lower(),
                    duration(time.perf_counter() - epochs_before),
                )
            self._train_what_was_lost(study, worker)
        return ended

    def _claim(self, study: optuna.Study, worker: int) -> Trial | None:
        """Take an interrupted trial, or the next new one within the budget."""
        signals.stop_if_asked("between two trials")
        with self.store.claim():
            trials = study.get_trials(deepcopy=False)
            interrupted = self._interrupted(study, trials, worker)
            number = interrupted[0].number if interrupted else len(trials)
            if number >= self.settings["trials"]:
                return None
            study.sampler = sampler(
                self.settings["sampler"], self.settings["seed"], number, self.space
            )
            if interrupted:
                logger.info("%s: resuming trial %d, which was interrupted", self.name, number + 1)
                # Optuna has no public way to reopen a running trial:
                # https://github.com/optuna/optuna/issues/6283
                trial = Trial(study, interrupted[0]._trial_id)
            else:
                trial = study.ask()
            trial.set_user_attr("worker", worker)
            trial.set_user_attr("machine", this_machine())
            kinds = self._suggest(trial)
            if "replicate" not in trial.user_attrs:
                trial.set_user_attr("replicate", self._times_drawn(trials, number, kinds))
            with get_heartbeat_thread(trial._trial_id, study._storage):
                # Send the first heartbeat before any other worker can check for one.
                return trial

    def _interrupted(
        self, study: optuna.Study, trials: Sequence[FrozenTrial], worker: int
    ) -> list[FrozenTrial]:
        """List the running trials whose worker is gone; `worker` is the caller's own number."""
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        # This worker's own trials, those of workers that the config no longer has, and those
        # without a worker, which died while claiming.
        gone = [
            trial
            for trial in running
            if not 0 <= trial.user_attrs.get("worker", -1) < self.workers
            or trial.user_attrs["worker"] == worker
        ]
        others = [trial for trial in running if trial not in gone]
        abandoned = self.store.abandoned(study, others) if others else set()
        self.store.accept([trial for trial in others if trial.number not in abandoned])
        return [trial for trial in running if trial in gone or trial.number in abandoned]

    def run_trial(self, study: optuna.Study, trial: Trial) -> Generator[None, None, None]:
        """Request one epoch after another until the trial is pruned or complete.

        Yields:
            After each epoch.
        """
        kinds = self._suggest(trial)
        penalty = self.penalty.of(self.parameters(kinds))
        in_pruning = penalty if self.penalty.pruning == "objective" else 0.0
        curve = self.make_curve(kinds, trial.user_attrs["replicate"])
        trial.set_user_attr("curve", curve.name)
        reported = set(study.get_trials(deepcopy=False)[trial.number].intermediate_values)
        best = 0.0
        epochs = 0
        # Close the curve as soon as the trial is pruned, so that no other worker waits for it.
        name = self.trial_name(trial.number)
        with contextlib.closing(curve.epochs(self.epochs, name)) as records:
            for record in records:
                epochs = record["epoch"]
                best = max(best, record["test_accuracy"])
                logger.info(
                    "%s: trial %d of %d, %s, epoch %d of %d, test accuracy %.1f %%, %s",
                    self.name,
                    trial.number + 1,
                    self.settings["trials"],
                    "-".join(kinds),
                    epochs,
                    self.epochs,
                    100 * record["test_accuracy"],
                    f"{record['images_per_second']:,.0f} images/s"
                    if record["trained_for"] == name
                    else "from the store",
                )
                if epochs - 1 not in reported:
                    trial.report(1 - record["test_accuracy"] + in_pruning, step=epochs - 1)
                if epochs < self.epochs and trial.should_prune():
                    self._tell(study, trial, TrialState.PRUNED)
                    return
                yield
        if epochs < self.epochs:
            ended = curve.ended
            trial.set_user_attr("reason", ended["reason"] if ended else "the curve ended early")
            self._tell(study, trial, TrialState.FAIL)
        else:
            self._tell(study, trial, TrialState.COMPLETE, 1 - best + penalty)

    def _tell(
        self, study: optuna.Study, trial: Trial, state: TrialState, value: float | None = None
    ) -> None:
        """End a trial.

        Raises:
            UpdateFinishedTrialError: If a worker that considered this one dead already has.
        """
        try:
            study.tell(trial, value, state=state)
        except ValueError as error:
            if not study.get_trials(deepcopy=False)[trial.number].state.is_finished():
                raise
            raise UpdateFinishedTrialError(str(error)) from None

    def _train_what_was_lost(self, study: optuna.Study, worker: int) -> None:
        """Retrain epochs missing from this worker's share of curves (damaged or removed)."""
        trials = study.get_trials(deepcopy=False)[: self.settings["trials"]]
        for trial in trials[worker :: self.workers]:
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                curve = self.curve_of(trial)
                last = len(trial.intermediate_values)
                for _ in curve.epochs(last, self.trial_name(trial.number)):
                    pass

    def _suggest(self, trial: Trial) -> tuple[str, ...]:
        """Draw the layer kinds, or return those drawn before."""
        return tuple(
            trial.suggest_categorical(position, kinds) for position, kinds in self.space.items()
        )

    def _drawn(self, trial: FrozenTrial) -> tuple[str, ...]:
        """Return the layer kinds of a trial."""
        return tuple(trial.params[position] for position in self.space)

    def _times_drawn(self, trials: Sequence[FrozenTrial], number: int, kinds: Sequence[str]) -> int:
        """Count the trials before this one that drew the same combination."""
        drawn = dict(zip(self.space, kinds, strict=True))
        return sum(trial.params == drawn for trial in trials if trial.number < number)

    def trial_name(self, number: int) -> str:
        """Return the name of a trial, as in the records of epochs trained for it."""
        return f"{self.name}_{self.key}/{number}"

    def curve_of(self, trial: FrozenTrial) -> Curve:
        """Return the curve of a claimed trial."""
        replicate = trial.user_attrs.get("replicate")
        if set(trial.params) != set(self.space) or type(replicate) is not int:
            raise UserError(
                f"the study {self.name}: its storage is damaged, as trial {trial.number} has lost"
                f" its layer kinds; rename {self.folder}: the study then starts over, reusing the"
                " stored curves"
            )
        return self.make_curve(self._drawn(trial), replicate)

    def copy_storage(self, path: Path) -> None:
        """Copy Optuna's storage to a file that optuna-dashboard can open."""
        with self.store.claim():
            self.store.copy(self.study(), path)


def differences(stored: Any, wanted: Any, key: str = "") -> list[str]:
    """List the settings in which two studies differ, with both values."""
    if isinstance(stored, dict) and isinstance(wanted, dict):
        return [
            line
            for name in dict.fromkeys([*stored, *wanted])
            for line in differences(
                stored.get(name), wanted.get(name), f"{key}.{name}" if key else name
            )
        ]
    return [] if stored == wanted else [f"{key} was {stored} and is now {wanted}"]


def from_settings(name: str, params: Any, dataset: Dataset) -> Search:
    """Create a study's search from a rule's parameters.

    Args:
        name: The study's name in the config.
        params: The rule's ``settings`` (of the study), ``epochs``, ``workers``, ``storage``,
            ``model``, ``training`` (as in the config) and ``state`` (folder of curves and studies).
        dataset: The images to train on.
    """
    state = Path(params.state)

    def make_curve(kinds: Sequence[str], replicate: int) -> Curve:
        return Curve(
            state / "curves",
            kinds,
            replicate,
            params.model,
            params.training,
            params.epochs,
            dataset,
        )

    networks = Networks.of(params.model)

    def parameters(kinds: Sequence[str]) -> int:
        return networks.parameters(kinds, params.model["width"])

    # Named only if they are not the article's, so that its studies keep their names.
    kinds = {name: [list(part) for part in kind.parts] for name, kind in networks.kinds.items()}
    others = {"kinds": kinds, "module_layers": networks.module_layers}

    return Search(
        name,
        params.settings,
        params.epochs,
        params.workers,
        params.storage,
        state / "studies",
        networks.space,
        make_curve,
        parameters,
        {} if networks.is_article else others,
    )
