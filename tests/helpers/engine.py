"""Train a small network for two steps with the engine, and compare it with Keras's fit.

python -m helpers.engine BACKEND

Prints a line of JSON for each way of training: the distance between the weights after the engine's
steps and after fit's in float64, relative to the length of fit's steps (all weights as one vector);
and the loss and the number of correct images, in training and test. The reference is in float64, as
even fit itself rounds in float32.
"""

import itertools
import json
import sys
from typing import Any

import numpy as np
from convstudy.layers.networks import Networks, build
from convstudy.training.engine import backends, engine

from helpers.training import DATASET, MODEL

BATCH = 32
# A whole batch and a smaller one.
ORDER = np.random.default_rng(0).permutation(160)[:54]


def network(kind: str, precision: str, networks: Networks | None = None, layers: int = 1) -> Any:
    """Create a compiled network, with the same initial weights in each precision.

    By default it is small; a layer in each of two stages has all gradients.
    """
    import keras

    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(1)
    networks = networks or Networks.of(MODEL)
    model = build(networks.architecture((kind,) * layers, 0.125, 0.9))
    rng = np.random.default_rng(2)
    for variable in model.trainable_variables:
        if "kernel" in variable.path or "bias" in variable.path:
            variable.assign(rng.normal(0, 0.2, variable.shape).astype("float32"))
    model.compile(
        optimizer=keras.optimizers.SGD(0.01, momentum=0.9),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        # The reference is minutes faster without XLA, but JAX requires it.
        jit_compile=keras.backend.backend() == "jax",
    )
    return model


def weights(model: Any) -> np.ndarray:
    """Return all weights and moving averages as one vector."""
    return np.concatenate([np.ravel(value).astype("float64") for value in model.get_weights()])


def by_fit(model: Any) -> list[float]:
    """Train and test as the article does."""
    images, labels = DATASET.train_images[ORDER], DATASET.train_labels[ORDER]
    trained = model.fit(images, labels, batch_size=BATCH, shuffle=False, verbose=0).history
    loss, accuracy = model.evaluate(DATASET.test_images, DATASET.test_labels, verbose=0)
    return [
        trained["loss"][0],
        round(trained["accuracy"][0] * len(ORDER)),
        loss,
        round(accuracy * len(DATASET.test_labels)),
    ]


def by_engine(model: Any, resident: bool, jit_compile: bool) -> list[float]:
    """Do the same with the engine."""
    made = engine.Engine(model, DATASET, BATCH, "none", 0.0, jit_compile, resident)
    trained = list(made.train(ORDER, np.zeros((len(ORDER), 3), np.int32)))
    tested = list(made.test())
    assert [one.steps for one in trained] == [1, 1]
    return [
        sum(one.loss for one in trained) / len(ORDER),
        sum(one.correct for one in trained),
        sum(one.loss for one in tested) / len(DATASET.test_labels),
        sum(int(one.right.sum()) for one in tested),
    ]


def main(backend: str) -> None:
    """Train in every way."""
    backends.use_backend(backend, "cpu", 1, precision="float64")
    for kind in ("conv", "depthwise", "separable"):
        exact = network(kind, "float64")
        first = weights(exact)
        expected = by_fit(exact)
        step = weights(exact) - first
        # Precision, whether the images are on the device, whether XLA compiles.
        ways = [("float32", False, False), ("float32", True, False), ("float32", True, True)]
        if kind == "separable":
            ways += [("float32", False, True)]
            ways += itertools.product(("float64", "mixed_bfloat16"), (False, True), (False,))
        for precision, resident, jit_compile in ways:
            model = network(kind, precision)
            results = by_engine(model, resident, jit_compile)
            error = np.linalg.norm(weights(model) - first - step) / np.linalg.norm(step)
            line = {"kind": kind, "precision": precision, "error": error}
            line |= {"resident": resident, "jit_compile": jit_compile}
            print(json.dumps({**line, "results": results, "expected": expected}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
