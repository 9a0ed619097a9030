"""Synthetic images of ten classes, used when CIFAR-10 is not available.

A class is a pair: one of five textures (horizontal or vertical stripes, an upright or diagonal
checkerboard, rings) and one of two relations between colour channels (the texture has about the
same phase in red and blue, or about the opposite one). Recognising the relation takes a layer that
compares channels spatially, so the kinds of layers perform differently. Random wavelength, phase,
tilt and colours, a plain disc and strong noise hide the class, which does not change when an image
is mirrored or shifted.
"""

from collections.abc import Sequence

import numpy as np

CLASSES = 10
SIDE = 32
BATCH = 2000
# Standard deviation of the noise (white is 255), chosen so that a few epochs learn something but
# not everything.
NOISE = 64


def make(count: int, seed: int | Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw images in random order, with class sizes that differ by at most one.

    Returns:
        images: (count, 32, 32, 3) of uint8.
        labels: (count,) of uint8. Twice the number of the texture, plus one if red and blue have
            opposite phases.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % CLASSES).astype(np.uint8)
    batches = [_draw(labels[first : first + BATCH], rng) for first in range(0, count, BATCH)]
    return np.concatenate(batches), labels


def _draw(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count = len(labels)
    texture = (labels // 2)[:, None, None]
    opposite = (labels % 2)[:, None, None].astype(np.float32)

    def per_image(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, (count, 1, 1)).astype(np.float32)

    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)[:, None]
    frequency = 2 * np.pi / per_image(4, 9)
    angle = np.array([90, 0, 0, 45, 0], np.float32)[texture] * np.pi / 180 + per_image(-0.35, 0.35)
    along = frequency * (x * np.cos(angle) + y * np.sin(angle))
    across = frequency * (y * np.cos(angle) - x * np.sin(angle))
    outward = frequency * np.hypot(x - per_image(8, 24), y - per_image(8, 24))
    position = np.where(texture == 4, outward, along) + per_image(0, 2 * np.pi)
    checkered = (texture == 2) | (texture == 3)
    factor = np.where(checkered, np.sin(across + per_image(0, 2 * np.pi)), np.float32(1))

    red = factor * np.sin(position)
    green = factor * np.sin(position + per_image(0, 2 * np.pi))
    blue = factor * np.sin(position + per_image(-1.2, 1.2) + np.pi * opposite)
    strength = rng.uniform(8, 40, (count, 1, 1, 3)).astype(np.float32)
    middle = rng.uniform(80, 176, (count, 1, 1, 3)).astype(np.float32)
    images = middle + strength * np.stack([red, green, blue], axis=-1)
    radius = per_image(3, 9)
    disc = (x - per_image(0, SIDE)) ** 2 + (y - per_image(0, SIDE)) ** 2 < radius**2
    colour = rng.uniform(0, 255, (count, 1, 1, 3)).astype(np.float32)
    images = np.where(disc[..., None], colour, images)
    images += rng.normal(0, NOISE, images.shape).astype(np.float32)
    return np.clip(images, 0, 255).astype(np.uint8)
