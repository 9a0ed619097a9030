import time

import numpy as np
import pytest
from convstudy.data import synthetic


def test_classes_are_equally_many():
    images, labels = synthetic.make(205, seed=0)
    assert images.shape == (205, 32, 32, 3)
    assert images.dtype == labels.dtype == np.uint8
    assert set(np.bincount(labels)) == {20, 21}


def test_the_seed_decides_everything():
    first, again, other = (synthetic.make(50, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[0] != other[0]).mean() > 0.9


def test_images_of_a_class_differ(made):
    images, labels = (part[:100] for part in made)
    for label in range(10):
        same = images[labels == label].astype(float)
        assert np.abs(same[0] - same[1:]).mean(axis=(1, 2, 3)).min() > 10


def test_brightness_and_colour_give_no_class_away():
    images, labels = synthetic.make(4000, seed=0)
    features = images.reshape(4000, -1, 3).mean(1)
    centres = np.stack([features[:2000][labels[:2000] == label].mean(0) for label in range(10)])
    guesses = np.linalg.norm(features[2000:, None] - centres, axis=-1).argmin(1)
    assert (guesses == labels[2000:]).mean() < 0.15


@pytest.fixture(scope="module")
def made() -> tuple[np.ndarray, np.ndarray]:
    return synthetic.make(1000, seed=0)


def spectrum(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean strength of each wave in red, and the wave's direction in radians."""
    red = images[..., 0].astype(float)
    strength = np.abs(np.fft.fft2(red - red.mean((1, 2), keepdims=True)))
    y, x = np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32), indexing="ij")
    # Wavelengths of 3 to 10 pixels, which excludes the disc and the finest noise.
    band = (np.hypot(x, y) > 0.1) & (np.hypot(x, y) < 0.35)
    return strength.mean(0)[band], np.arctan2(y, x)[band]


# Waves of symmetry 2 run along one axis, of symmetry 4 along two perpendicular axes.
@pytest.mark.parametrize(
    ("texture", "symmetry", "degrees"), [(0, 2, 90), (1, 2, 0), (2, 4, 45), (3, 4, 0)]
)
@pytest.mark.parametrize("mirrored", [False, True])
def test_waves_run_in_the_directions_of_their_texture(
    made, texture: int, symmetry: int, degrees: float, mirrored: bool
):
    images, labels = made
    images = images[labels // 2 == texture]
    strength, direction = spectrum(images[:, :, ::-1] if mirrored else images)
    strength = strength - np.median(strength)
    mean = (strength * np.exp(1j * symmetry * (direction - np.radians(degrees)))).sum()
    assert abs(np.angle(mean)) / symmetry < np.radians(8)
    assert abs(mean) > 0.15 * np.abs(strength).sum()


def test_rings_run_in_all_directions(made):
    images, labels = made
    strength, direction = spectrum(images[labels // 2 == 4])
    strength = strength - np.median(strength)
    for symmetry in (2, 4):
        mean = (strength * np.exp(1j * symmetry * direction)).sum()
        assert abs(mean) < 0.15 * np.abs(strength).sum()


def test_relation_of_red_and_blue_is_the_second_half_of_a_class(made):
    images, labels = made
    red, blue = (images[..., channel].astype(float).reshape(1000, -1) for channel in (0, 2))
    red -= red.mean(1, keepdims=True)
    blue -= blue.mean(1, keepdims=True)
    opposite = (red * blue).mean(1) < 0
    # By chance, 500 +- 16 would be right.
    assert (opposite == labels % 2).mean() > 0.6


def test_six_thousand_images_take_seconds():
    start = time.process_time()
    synthetic.make(6000, seed=0)
    assert time.process_time() - start < 20
