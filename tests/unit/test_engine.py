import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import engine_example
import numpy as np
import pytest
from convstudy import engine

# Relative to the length of the steps. Keras's fit comes as near to float64, and no nearer.
TOLERANCE = {"float32": 1e-3, "float64": 1e-10, "mixed_bfloat16": 0.02, "mixed_float16": 0.02}


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_the_engine_computes_what_fit_computes(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: make setup EXTRA={backend}")
    example = Path(engine_example.__file__)
    done = subprocess.run(
        [sys.executable, str(example), backend],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    ways = {(line["name"], line["kind"], line["precision"]) for line in lines}
    assert len(ways) == 2 * (3 + 3)
    for line in lines:
        assert line["error"] < TOLERANCE[line["precision"]], line
        np.testing.assert_allclose(line["results"], line["expected"], rtol=1e-3, err_msg=line)


def test_smoothed_labels_are_spread_over_all_classes():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(10), 6).astype("float32")
    labels = rng.integers(0, 10, 6).astype("int32")
    targets = np.full((6, 10), 0.02)
    targets[np.arange(6), labels] += 0.8
    expected = -(targets * np.log(probabilities)).sum()
    loss, right = engine._loss_and_right(probabilities, labels, 0.2)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(right, probabilities.argmax(axis=1) == labels)


def moved_by_hand(image, flip, up, left):
    """Move one image, pixel by pixel."""
    height, width, _ = image.shape
    moved = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            if 0 <= row + up < height and 0 <= column + left < width:
                source = width - 1 - (column + left) if flip else column + left
                moved[row, column] = image[row + up, source]
    return moved


def test_images_move_as_they_are_told():
    rng = np.random.default_rng(0)
    images = rng.integers(1, 256, (40, 6, 8, 3), dtype=np.uint8)
    moves = engine.draw_moves("flip_and_shift", 40, rng)
    assert {tuple(np.unique(column)) for column in moves.T} == {(0, 1), tuple(range(-4, 5))}
    expected = [moved_by_hand(image, *how) for image, how in zip(images, moves, strict=True)]
    np.testing.assert_array_equal(engine.move(images, moves), expected)


def test_what_is_drawn_depends_on_the_augmentation():
    drawn = {
        how: engine.draw_moves(how, 500, np.random.default_rng(0))
        for how in ("none", "flip", "flip_and_shift")
    }
    assert not drawn["none"].any()
    assert 150 < drawn["flip"][:, 0].sum() < 350
    assert not drawn["flip"][:, 1:].any()
    assert drawn["flip_and_shift"][:, 1:].any(axis=0).all()
