"""A learning curve: trained once, extended when more epochs are requested, never repeated.

A curve is a folder ``NAME/`` with ``curve.json`` (its identity and one record per epoch) and the
latest checkpoint, next to the lock ``NAME.lock``. ``curve.json`` is replaced last and names its
checkpoint, so a process that dies or is stopped loses at most the current epoch. Both files are
verified by their SHA-256; damaged ones are set aside, and their epochs are trained again.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import logging
import math
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from convstudy.core.errors import UserError
from convstudy.core.files import file_digest, read_sealed, write_sealed
from convstudy.core.locks import lock, require_held, wait
from convstudy.core.progress import duration
from convstudy.data.dataset import Dataset
from convstudy.layers.networks import Kinds, Networks, costs, total
from convstudy.training.record import devices
from convstudy.training.settings import RECIPE
from convstudy.training.trainer import Recipe, Trainer

logger = logging.getLogger(__name__)


def digest(value: Any) -> str:
    """Hash plain data: the first 12 hexadecimal digits of the SHA-256 of its sorted JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Curve:
    """One network's training, epoch by epoch.

    Args:
        store: Folder of all curves.
        kinds: Layer kinds of every stage, or of each stage.
        replicate: Added to the seed; the only difference between repeats of a network.
        model: The config's ``model`` section.
        training: The config's ``training`` section.
        epochs: Length of the learning rate schedule.
        dataset: Images and labels.
    """

    def __init__(
        self,
        store: Path,
        kinds: Kinds,
        replicate: int,
        model: dict[str, Any],
        training: dict[str, Any],
        epochs: int,
        dataset: Dataset,
    ) -> None:
        self.replicate = replicate
        self.seed = training["seed"] + replicate
        self.recipe = Recipe.from_settings(training, epochs)
        networks = Networks.of(model)
        self.network = networks.name_of(kinds)
        # Of the first stage.
        self.kinds = tuple(networks.per_stage(kinds)[0])
        self.layers = networks.architecture(
            kinds, model["width"], model["batch_normalization_momentum"]
        )
        self.dataset = dataset
        self.training = training
        self.identity = {
            "recipe": training["recipe"],
            "network": [dataclasses.asdict(layer) for layer in self.layers],
            "training": dataclasses.asdict(self.recipe),
            "seed": self.seed,
            "data": dataset.digest,
        }
        self.key = digest(self.identity)
        self.name = f"{self.network}_width{model['width']:g}_seed{self.seed}_{self.key}"
        self.folder = store / self.name
        self._trainer: Trainer | None = None
        self._device = ""
        self._described: dict[str, str] = {}

    def read(self) -> dict[str, Any]:
        """Read the curve from the store.

        Returns:
            ``records``, ``ended`` (see `ended`) and ``checkpoint`` (after the last record): its
            file, size and SHA-256.

        Raises:
            UserError: If the file is damaged.
        """
        try:
            return self._read()
        except (ValueError, OSError) as error:
            raise UserError(
                f"{self.folder / 'curve.json'} is damaged ({error}); the workflow sets it aside"
                " and trains the curve again: snakemake --cores all --forcerun train_model"
                " search_modules"
            ) from None

    def _read(self) -> dict[str, Any]:
        """Read the curve's file; raise ValueError if it is damaged."""
        try:
            state = read_sealed(self.folder / "curve.json")
        except FileNotFoundError:
            return {"identity": self.identity, "records": [], "ended": None, "checkpoint": None}
        if state.get("identity") != self.identity:
            raise ValueError("it describes another curve")
        # Earlier versions also stored steps within an epoch.
        state.pop("part", None)
        return state

    def _read_or_set_aside(self) -> dict[str, Any]:
        """Read the curve's file, setting a damaged one aside. The lock must be held."""
        try:
            return self._read()
        except ValueError as error:
            aside = self._set_aside(self.folder / "curve.json")
            logger.warning(
                "%s: curve.json is damaged (%s): set aside as %s; training again from epoch 1",
                self.name,
                error,
                aside.name,
            )
            return self._read()

    def _set_aside(self, path: Path) -> Path:
        return path.replace(path.with_name(f"damaged-{time.time_ns()}-{path.name}"))

    def epochs(self, last: int, trained_for: str = "") -> Generator[dict[str, Any], None, None]:
        """Yield the records of epochs 1 to `last`, training those that are not stored.

        If several processes iterate at the same time, one of them trains until it stops iterating,
        and the others wait.

        Args:
            last: The last epoch wanted. The caller may stop earlier.
            trained_for: What requested the epochs; stored with each record that is trained here.

        Yields:
            A record (see `Trainer.train_epoch`) with ``trained_for``, ``device``, ``backend``,
            ``processor``, ``matmul_precision`` and, if any is set, ``variables``. There are fewer
            than `last` if the loss stops being finite; `ended` then gives the reason.
        """
        records: list[dict[str, Any]] = []
        curve_lock = lock(self.folder)
        try:
            for epoch in range(1, last + 1):
                if len(records) < epoch:
                    state = self._known_or_none()
                    if state is None or (len(state["records"]) < epoch and not state["ended"]):
                        # Held until the caller stops iterating: taking turns would mean loading
                        # the checkpoint at every turn.
                        if not curve_lock.is_locked:
                            wait(curve_lock, f"the curve {self.name}")
                            state = None
                        state = state or self._read_or_set_aside()
                        while len(state["records"]) < epoch and not state["ended"]:
                            state = self._train(state, trained_for)
                    records = state["records"]
                if len(records) < epoch:
                    return
                yield records[epoch - 1]
        finally:
            self._trainer = None
            curve_lock.release()

    def _known_or_none(self) -> dict[str, Any] | None:
        """Read the curve's file; None if damaged, since only the lock's holder may set it aside."""
        with contextlib.suppress(ValueError):
            return self._read()
        return None

    @property
    def ended(self) -> dict[str, Any] | None:
        """The ``reason`` and ``epoch`` of the curve's early end; None if it did not end early."""
        return self.read()["ended"]

    def train(self, last: int, trained_for: str = "") -> None:
        """Train all epochs up to `last`, logging the progress after each."""
        began, known = time.perf_counter(), self._known_or_none()
        stored = len(known["records"]) if known else 0
        for record in self.epochs(last, trained_for):
            epoch = record["epoch"]
            pace = (time.perf_counter() - began) / max(1, epoch - stored)
            logger.info(
                "%s, replicate %d: epoch %d of %d, test accuracy %.1f %%, %.0f images/s%s",
                self.network,
                self.replicate,
                epoch,
                last,
                100 * record["test_accuracy"],
                record["images_per_second"],
                f", about {duration((last - epoch) * pace)} left" if stored < epoch < last else "",
            )

    def describe(self, last: int) -> dict[str, Any]:
        """Return what is stored of the curve up to epoch `last`, as plain data.

        Returns:
            ``curve`` (its name), ``identity`` (all that determines its numbers), ``seed``,
            ``replicate``, ``records``, ``device`` (or several, if training moved),
            ``environment`` (code, versions and machine of the last epoch), ``test_images`` (their
            number), ``status`` (``finished`` or ``ended``) and ``reason``.

        Raises:
            UserError: If the store has fewer epochs.
        """
        state = self.read()
        records = self._required(state, last)
        ended = len(records) < last
        return {
            "curve": self.name,
            "identity": self.identity,
            "replicate": self.replicate,
            "seed": self.seed,
            "device": devices(records),
            "environment": state["environment"],
            "test_images": len(self.dataset.test_labels),
            "status": "ended" if ended else "finished",
            "reason": state["ended"]["reason"] if ended else None,
            "records": records,
        }

    def export(self, path: str | Path, model: str, last: int) -> None:
        """Write a training's result: the output of `describe`, ``model`` and ``parameters``."""
        parameters = total(costs(self.layers)).parameters
        about = {"model": model, "parameters": parameters}
        write_sealed(path, {**about, **self.describe(last)})

    def required(self, last: int) -> list[dict[str, Any]]:
        """Return the records up to epoch `last`, or up to where the curve ended.

        Raises:
            UserError: If the store has fewer epochs.
        """
        return self._required(self.read(), last)

    def _required(self, state: dict[str, Any], last: int) -> list[dict[str, Any]]:
        records = state["records"][:last]
        if len(records) < last and not state["ended"]:
            raise UserError(
                f"{self.folder} has {len(records)} of {last} epochs; the rest was lost; the"
                " workflow trains it again: snakemake --cores all --forcerun train_model"
                " search_modules"
            )
        return records

    def _train(self, state: dict[str, Any], trained_for: str) -> dict[str, Any]:
        """Train one more epoch and store it, unless the lock, which must be held, was lost."""
        done = len(state["records"])
        if self._trainer is None or self._trainer.epoch > done:
            # At the start, or if stored epochs have been lost in the meantime.
            self._trainer = self._continue(state)
        trainer = self._trainer
        obsolete = state["checkpoint"]
        while trainer.epoch < done:
            # The checkpoint was pruned or lost; repeating the epochs gives the same weights.
            trainer.train_epoch()
        record: dict[str, Any] = {
            **trainer.train_epoch(),
            "trained_for": trained_for,
            "device": self._device,
            **self._described,
        }
        require_held(self.folder)
        if not all(math.isfinite(record[field]) for field in ("loss", "test_loss")):
            reason = f"the loss is not finite in epoch {record['epoch']}"
            logger.warning("%s ends: %s", self.name, reason)
            state["ended"] = {"reason": reason, "epoch": record["epoch"]}
        else:
            state["records"].append(record)
            state["checkpoint"] = self._save(trainer, f"epoch-{record['epoch']:04d}.keras")
        self._write(state, obsolete)
        return state

    def _save(self, trainer: Trainer, name: str) -> dict[str, Any]:
        """Write a checkpoint, and return its file, size and SHA-256."""
        path = self.folder / name
        trainer.save(path)
        return {"file": name, "bytes": path.stat().st_size, "sha256": file_digest(path)}

    def _write(self, state: dict[str, Any], obsolete: dict[str, Any] | None) -> None:
        """Replace the curve's file, and only then remove the previous checkpoint."""
        from convstudy.core.environment import of_training

        state["environment"] = {"device": self._device, **of_training(self.training)}
        write_sealed(self.folder / "curve.json", state)
        if obsolete and obsolete != state["checkpoint"]:
            (self.folder / obsolete["file"]).unlink(missing_ok=True)

    def _continue(self, state: dict[str, Any]) -> Trainer:
        """Select the backend, and resume from the checkpoint or start from scratch."""
        from convstudy.training.engine.backends import described, use_backend

        if self.training["recipe"] != RECIPE:
            raise UserError(
                f"training.recipe: {self.training['recipe']}, but {self.name} is not stored, and"
                f" this version trains recipe {RECIPE} only; write recipe: {RECIPE} for new curves"
            )
        self._device = use_backend(
            self.recipe.backend,
            self.training["device"],
            self.training["threads"],
            self.recipe.precision,
        )
        self._tidy(state)
        trainer = self._load(state)
        self._described = described()
        logger.info("%s: training on %s (%s)", self.name, self._device, trainer.engine.choices)
        return trainer

    def _load(self, state: dict[str, Any]) -> Trainer:
        """Create a trainer from the checkpoint, or a new one if it is lost or damaged."""
        make = functools.partial(
            Trainer,
            self.layers,
            self.recipe,
            self.seed,
            self.dataset,
            jit_compile=self.training["jit_compile"],
        )
        if checkpoint := state["checkpoint"]:
            path = self.folder / checkpoint["file"]
            try:
                _require_whole(path, checkpoint)
                trainer = make(checkpoint=path, epoch=len(state["records"]))
                logger.info("%s resumes after epoch %d", self.name, trainer.epoch)
                return trainer
            except FileNotFoundError:
                logger.warning("%s is missing", path)
            except (OSError, ValueError, KeyError) as error:
                aside = self._set_aside(path).name
                logger.warning("%s is damaged (%s): set aside as %s", path, error, aside)
        if state["records"]:
            logger.warning("%s has no checkpoint: training again from epoch 1", self.name)
        return make()

    def _tidy(self, state: dict[str, Any]) -> None:
        """Remove unfinished files of a killed process. The lock must be held."""
        kept = state["checkpoint"]["file"] if state["checkpoint"] else None
        for path in [*self.folder.glob(".*"), *self.folder.glob("epoch-*.keras")]:
            if path.name != kept:
                path.unlink()


def _require_whole(path: Path, described: dict[str, Any]) -> None:
    """Raise ValueError unless a checkpoint matches its size and SHA-256."""
    size = path.stat().st_size
    if size != described["bytes"]:
        raise ValueError(f"it has {size} bytes, not {described['bytes']}")
    if file_digest(path) != described["sha256"]:
        raise ValueError("it does not match its SHA-256")
