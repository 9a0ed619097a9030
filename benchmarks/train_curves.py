"""Fully train the single-kind networks of a config, without Snakemake.

python benchmarks/train_curves.py [CONFIG...] [--minutes N]

The configs are merged over config/config.yaml; later ones override earlier ones. The curves go into
the store in results/, where the workflow finds them, and finished ones can be recorded at any time:
python -m convstudy record NAME. The cheapest networks come first. Stop or kill it whenever you
like; the same command resumes. It needs only NumPy, Keras with TensorFlow or JAX, PyYAML, pydantic,
filelock, pyarrow and Pillow.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from convstudy.config import settings, yaml_file
from convstudy.core import locks, signals
from convstudy.core.environment import processor
from convstudy.core.errors import UserError
from convstudy.core.progress import duration
from convstudy.data.dataset import load_arrays, prepare
from convstudy.layers.networks import costs, total
from convstudy.results.run import write_run
from convstudy.training.curve import Curve
from convstudy.training.engine.backends import use_backend
from convstudy.training.store import single_kind_curves
from convstudy.training.trainer import Trainer

logger = logging.getLogger("convstudy")

ROOT = Path(__file__).parents[1]
RESULTS = Path("results")
# How long to train for measuring the speed, before a network's first curve.
SECONDS_OF_TRIAL = 5.0
# How much longer than estimated a curve may take.
MARGIN = 1.1


def seconds_an_epoch(curve: Curve) -> float:
    """Return how long an epoch takes here, from the last epoch or by training a few seconds."""
    for record in reversed(curve.read()["records"]):
        if record.get("processor") == processor():
            return float(record["seconds"])
    device, threads = (curve.training[key] for key in ("device", "threads"))
    use_backend(curve.recipe.backend, device, threads, curve.recipe.precision)
    trainer = Trainer(curve.layers, curve.recipe, curve.seed, curve.dataset)
    images = len(curve.dataset.train_images)
    order, moves = np.arange(images), np.zeros((images, 3), np.int32)
    # The first round compiles.
    for seconds in (0.0, SECONDS_OF_TRIAL):
        began, steps = time.perf_counter(), 0
        for more in trainer.engine.train(order, moves):
            steps += more.steps
            signals.stop_if_asked("while measuring the training speed")
            if time.perf_counter() - began > seconds:
                break
    done = min(steps * curve.recipe.batch_size, images)
    # A test image costs a third of a training image.
    cost = images + (len(curve.dataset.test_images) + len(curve.dataset.validation_images)) / 3
    return cost * (time.perf_counter() - began) / done


def train(config: dict[str, Any], seconds: float) -> None:
    """Train all unfinished curves, except those that could not finish in time."""
    started = time.perf_counter()
    directory = config["data"]["directory"] or os.environ.get("CONVSTUDY_CIFAR10")
    summary = prepare(config["data"], directory, RESULTS / "data")
    article = yaml_file.read(ROOT / "config/article.yaml").content
    write_run(RESULTS, config, article, summary)
    epochs = config["training"]["epochs"]
    dataset = load_arrays(RESULTS / "data")
    planned = single_kind_curves(config, RESULTS / ".state/curves", dataset)
    # The cheapest networks first.
    curves = sorted(planned, key=lambda curve: total(costs(curve.layers)).macs)
    pace: dict[str, float] = {}
    left = {}
    for curve in curves:
        state = curve.read()
        left[curve.name] = 0 if state["ended"] else max(epochs - len(state["records"]), 0)
        if left[curve.name] and curve.kinds[0] not in pace:
            pace[curve.kinds[0]] = seconds_an_epoch(curve)
            logger.info(
                "%s: about %s per epoch, %s per curve",
                curve.kinds[0],
                duration(pace[curve.kinds[0]]),
                duration(epochs * pace[curve.kinds[0]]),
            )
    for number, curve in enumerate(curves, start=1):
        needed = left[curve.name] * pace.get(curve.kinds[0], 0)
        which = f"curve {number} of {len(curves)}, {curve.kinds[0]}, replicate {curve.replicate}"
        remaining = max(seconds - (time.perf_counter() - started), 0)
        if needed * MARGIN > remaining:
            logger.info(
                "%s: skipped, as it needs about %s and only %s are left",
                which,
                duration(needed),
                duration(remaining),
            )
            continue
        if left[curve.name]:
            unfinished = [each for each in curves if left[each.name]]
            all_left = sum(left[each.name] * pace[each.kinds[0]] for each in unfinished)
            logger.info("%s: about %s, of %s in total", which, duration(needed), duration(all_left))
            began = time.perf_counter()
            curve.train(epochs, "training")
            pace[curve.kinds[0]] = (time.perf_counter() - began) / left[curve.name]
            left[curve.name] = 0
        path = RESULTS / f"training/curves/{curve.kinds[0]}_{curve.replicate}.json"
        curve.export(path, curve.kinds[0], epochs)
    finished = sum(not epochs for epochs in left.values())
    logger.info("%d of %d curves are finished and can be recorded", finished, len(curves))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "configs", nargs="*", type=Path, metavar="CONFIG", help="such as config/article.yaml"
    )
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="skip curves that would take longer"
    )
    chosen = parser.parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logger.setLevel(logging.INFO)
    try:
        # Later configs override earlier ones, as in Snakemake.
        config = settings.read([ROOT / "config/config.yaml", *chosen.configs])
        locks.claim_folder(Path(".snakemake"))
        signals.install()
        train(config, 60 * chosen.minutes)
    except (UserError, signals.Interrupted) as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
