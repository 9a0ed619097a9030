import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
from convstudy.training.engine import steps
from helpers import engine as engine_example
from helpers import training as training_example
from helpers.paths import with_helpers

# Relative to the length of the steps. Keras's fit is as close to float64, but no closer.
TOLERANCE = {"float32": 1e-3, "float64": 1e-10, "mixed_bfloat16": 0.02}


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_the_engine_computes_what_fit_computes(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: make setup EXTRA={backend}")
    done = subprocess.run(
        [sys.executable, "-m", "helpers.engine", backend],
        env=with_helpers(KERAS_BACKEND=backend),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 3 * 3 + 1 + 2 * 2
    tolerance = dict(TOLERANCE)
    if backend != "tensorflow":
        # The last layer is float32, where fit computes the loss from rounded probabilities.
        tolerance["float64"] = 1e-6
    for line in lines:
        assert line["error"] < tolerance[line["precision"]], line
        np.testing.assert_allclose(line["results"], line["expected"], rtol=1e-3, err_msg=line)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_the_loss_of_a_badly_wrong_image_is_exact(scale, smoothing):
    """From clipped probabilities it would be 16 instead of 100, without a gradient."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    logits = (scale * rng.normal(size=(6, 10))).astype("float32")
    labels = rng.integers(0, 10, 6).astype("int32")
    targets = np.full((6, 10), smoothing / 10)
    targets[np.arange(6), labels] += 1 - smoothing
    exact = logits.astype("float64")
    log_probabilities = exact - np.log(np.exp(exact).sum(axis=1, keepdims=True))
    tensor = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        loss, right = steps.loss_and_right(tensor, labels, smoothing)
    assert float(loss) == pytest.approx(-(targets * log_probabilities).sum(), rel=1e-5)
    np.testing.assert_allclose(
        tape.gradient(loss, tensor), np.exp(log_probabilities) - targets, atol=1e-5
    )
    np.testing.assert_array_equal(right, logits.argmax(axis=1) == labels)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_engine_takes_logits_and_leaves_the_model_as_it_is(precision):
    import keras

    model = engine_example.network("conv", precision)
    images = training_example.DATASET.test_images[:4]
    before = model(images)
    with steps.giving_logits(model):
        logits = model(images)
    assert keras.ops.dtype(logits) == "float32"
    np.testing.assert_allclose(keras.ops.softmax(logits), before, rtol=1e-5)
    np.testing.assert_array_equal(model(images), before)
    keras.config.set_dtype_policy("float32")


def moved_by_hand(image, flip, up, left):
    """Move an image by padding it with black and cropping."""
    frame = np.pad(image[:, ::-1] if flip else image, ((4, 4), (4, 4), (0, 0)))
    height, width, _ = image.shape
    return frame[4 + up :, 4 + left :][:height, :width]


def test_images_move_as_they_are_told():
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, (40, 6, 8, 3), dtype=np.uint8)
    moves = steps.draw_augmentation("flip_and_shift", 40, rng)
    assert {tuple(np.unique(column)) for column in moves.T} == {(0, 1), tuple(range(-4, 5))}
    expected = [moved_by_hand(image, *how) for image, how in zip(images, moves, strict=True)]
    np.testing.assert_array_equal(steps.augment(images, moves), expected)


def test_what_is_drawn_depends_on_the_augmentation():
    drawn = {
        how: steps.draw_augmentation(how, 500, np.random.default_rng(0))
        for how in ("none", "flip", "flip_and_shift")
    }
    assert not drawn["none"].any()
    assert 150 < drawn["flip"][:, 0].sum() < 350
    assert not drawn["flip"][:, 1:].any()
    assert drawn["flip_and_shift"][:, 1:].any(axis=0).all()
