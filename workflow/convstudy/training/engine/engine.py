"""The engine: a Keras model's training and test steps, compiled for the current machine.

Only this package depends on the backend, with one file for each. Keras's layers, loss and
optimizers define what is computed; the engine decides how, which affects only rounding:

- On a CPU, a call does one step, so that stop signals are handled between two steps and images stay
  in memory-mapped arrays. On a GPU, a call does a whole epoch on images that stay on the GPU, so
  that nothing waits for the host.
- In training with TensorFlow, BatchNormalization uses a fused kernel; Keras computes the moments,
  the scaling and their gradients in about ten passes over the activations. A bias before it, which
  it subtracts again, is left out; its gradient is zero.
- In training with TensorFlow on a CPU, 1x1 convolutions are matrix products, and so are those
  weight gradients that are faster this way (see `kernels.multiplies_weight_gradients`).
"""

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from convstudy.training.engine import backends
from convstudy.training.engine.kernels import multiplies_weight_gradients

TEST_BATCH_SIZE = 250
# Images stay on a GPU if they take no more than this; CIFAR-10 takes 0.18 GB.
RESIDENT_BYTES = 4e9


class TrainTotals(NamedTuple):
    """Totals of a training call: steps, summed loss, number of correct images."""

    steps: int
    loss: float
    correct: int


class TestTotals(NamedTuple):
    """Totals of a test call: summed loss, and whether each image was right, (images,)."""

    loss: float
    right: np.ndarray


class Engine:
    """A compiled model with the images to train and test it on.

    Args:
        model: Compiled, with its optimizer; from images, (batch, Y, X, channels), to probabilities.
        dataset: Images and labels.
        batch_size: Images per training step; an epoch's last step may have fewer.
        augmentation: See `draw_augmentation`.
        label_smoothing: Share of each training label that is spread over all classes (Szegedy et
            al., 2016).
        jit_compile: Whether XLA fuses TensorFlow's operations (``auto``: on a GPU). For JAX it
            always does.
        resident: Whether images stay on the device and a call does all steps; by default, on a GPU
            if they fit into `RESIDENT_BYTES`.
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
            # On a CPU, XLA makes a depthwise layer about fifty times slower (docs/performance.md).
            jit_compile = gpu and backend == "tensorflow"
        self.batch_size = batch_size
        model.optimizer.build(model.trainable_variables)
        self._train, self._test = backends.chosen().compile_steps(
            model, augmentation != "none", label_smoothing, bool(jit_compile)
        )
        multiplied = any(
            multiplies_weight_gradients(layer, layer.input.shape) for layer in model.layers[1:]
        )
        load: Callable[[Any], Any] = np.asarray
        if self.resident:
            load = keras.ops.convert_to_tensor
        self.choices = ", ".join(
            [
                backend,
                f"oneDNN {'on' if os.environ.get('TF_ENABLE_ONEDNN_OPTS') == '1' else 'off'}",
                f"just-in-time compiler {'on' if jit_compile or backend == 'jax' else 'off'}",
                f"one {'epoch' if self.resident else 'step'} per call",
                *(["weight gradients of narrow layers as matrix products"] if multiplied else []),
                *(f"{name}={value}" for name, value in backends.variables_kept().items()),
            ]
        )
        self.data = {
            split: (load(images), load(labels))
            for split, (images, labels) in splits.items()
            if len(labels)
        }

    def train(self, order: np.ndarray, moves: np.ndarray) -> Iterator[TrainTotals]:
        """Train on augmented images in the given order, and yield each call's totals.

        Args:
            order: (images,) of int. Indices of the training images.
            moves: (images, 3) of int32. See `draw_augmentation`.
        """
        calls = self._calls(self._train, self.data["train"], order, moves, self.batch_size)
        for steps, loss, correct in calls:
            yield TrainTotals(steps, float(loss), int(correct))

    def test(self, split: str = "test") -> Iterator[TestTotals]:
        """Test on all images of the test or validation split in order; yield each call's totals."""
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
        """Call a function on all full batches, then on the remainder; or on each batch in turn."""
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
