"""The engine: a Keras model's training and test steps, compiled for the machine at hand.

Backends differ in this package alone, each in its own file. Keras's own layers, loss and optimizers
define what is computed; the engine decides how, and its choices change results by rounding alone:

- A call does a number of steps: one on a CPU, so that a stop is heard between two of them and the
  images stay where they are, in memory-mapped arrays; all of an epoch on a GPU, on images that
  stay on the GPU, so that nothing waits for the host.
- In training, BatchNormalization uses the backend's fused kernel, where there is one: Keras
  computes the moments, the scaling and their gradients in some ten passes over the activations.
- In training with TensorFlow on a CPU, 1x1 convolutions are products of matrices.
"""

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from convstudy.training.engine import backends

TEST_BATCH_SIZE = 250
# Images stay on a GPU if they take no more than this; CIFAR-10 takes 0.18 GB.
RESIDENT_BYTES = 4e9


class TrainTotals(NamedTuple):
    """What a call trained: its steps, the sum of its images' losses, those that were right."""

    steps: int
    loss: float
    correct: int


class TestTotals(NamedTuple):
    """What a call tested: the sum of its images' losses, and whether each was right, (images,)."""

    loss: float
    right: np.ndarray


class Engine:
    """A compiled model with the images that it is trained and tested on.

    Args:
        model: Compiled, with its optimizer; from images, (batch, Y, X, channels), to probabilities.
        batch_size: Images a training step; an epoch's last step may have fewer.
        augmentation: See `draw_augmentation`.
        label_smoothing: Share of each training label that is spread over all classes (Szegedy et
            al., 2016).
        jit_compile: Whether XLA fuses TensorFlow's operations (``auto``: on a GPU). JAX always
            does.
        resident: Whether images stay on the device and a call does all steps; by default, on a GPU,
            if they are not too many (`RESIDENT_BYTES`).
    """

    def __init__(
        self,
        model: Any,
        dataset: Any,
        batch_size: int,
        augmentation: str,
        label_smoothing: float = 0.0,
        jit_compile: bool | str = "auto",
        resident: bool | None = None,
    ) -> None:
        import keras

        gpu = bool(backends.gpu_names())
        backend = keras.backend.backend()
        splits = {
            "train": (dataset.train_images, dataset.train_labels),
            "validation": (dataset.validation_images, dataset.validation_labels),
            "test": (dataset.test_images, dataset.test_labels),
        }
        small = sum(images.nbytes for images, _ in splits.values()) <= RESIDENT_BYTES
        self.resident = gpu and small if resident is None else resident
        if jit_compile == "auto":
            # XLA on a CPU makes a depthwise layer some fifty times slower (docs/performance.md).
            jit_compile = gpu and backend == "tensorflow"
        self.batch_size = batch_size
        model.optimizer.build(model.trainable_variables)
        self._train, self._test = backends.chosen().compile_steps(
            model, augmentation != "none", label_smoothing, bool(jit_compile)
        )
        place: Callable[[Any], Any] = np.asarray
        if self.resident:
            place = keras.ops.convert_to_tensor
        self.choices = ", ".join(
            [
                backend,
                f"oneDNN {'on' if os.environ.get('TF_ENABLE_ONEDNN_OPTS') == '1' else 'off'}",
                f"just-in-time compiler {'on' if jit_compile or backend == 'jax' else 'off'}",
                f"{'an epoch' if self.resident else 'a step'} a call",
            ]
        )
        self.data = {
            split: (place(images), place(labels))
            for split, (images, labels) in splits.items()
            if len(labels)
        }

    def train(self, order: np.ndarray, moves: np.ndarray) -> Iterator[TrainTotals]:
        """Train on images in this order, moved so, and give each call's totals.

        Args:
            order: (images,) of int. Numbers of the training images.
            moves: (images, 3) of int32. See `draw_augmentation`.
        """
        calls = self._calls(self._train, self.data["train"], order, moves, self.batch_size)
        for steps, loss, correct in calls:
            yield TrainTotals(steps, float(loss), int(correct))

    def test(self, split: str = "test") -> Iterator[TestTotals]:
        """Test on all images of the test or validation split, in their order, a call at a time."""
        import keras

        order = np.arange(len(self.data[split][1]))
        moves = np.zeros((len(order), 3), np.int32)
        batch = max(self.batch_size, TEST_BATCH_SIZE)
        for _, loss, right in self._calls(self._test, self.data[split], order, moves, batch):
            yield TestTotals(float(loss), keras.ops.convert_to_numpy(right).reshape(-1))

    def _calls(
        self,
        function: Callable[..., Any],
        data: tuple[Any, Any],
        order: np.ndarray,
        moves: np.ndarray,
        batch: int,
    ) -> Iterator[tuple[int, Any, Any]]:
        """Call a compiled function on all whole batches and then the rest, or on each in turn."""
        last = len(order)
        bounds = [0, last // batch * batch] if self.resident else list(range(0, last, batch))
        for start, end in pairwise([*bounds, last]):
            if start == end:
                continue
            size = min(batch, end - start)
            steps = (end - start) // size
            chosen = order[start:end].astype(np.int32)
            images, labels = data
            if not self.resident:
                images, labels = images[chosen], labels[chosen]
                chosen = np.arange(size, dtype=np.int32)
            loss, correct = function(
                images,
                labels,
                chosen.reshape(steps, size),
                moves[start:end].reshape(steps, size, 3),
            )
            yield steps, loss, correct
