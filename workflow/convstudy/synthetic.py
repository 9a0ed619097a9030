"""Images of ten classes that need no download: a stand-in where CIFAR-10 cannot be had.

A class is a pair: one of five textures (stripes in four directions, or a checkerboard) and one of
two relations between colour channels (the texture's phase is the same in red and blue, or
opposite). Telling the relation takes a layer that compares channels in space, so that the kinds of
layers differ. Random wavelength, phase, colours, brightness, a plain disc and noise hide the class.
"""

from collections.abc import Sequence

import numpy as np

CLASSES = 10
SIDE = 32
BATCH = 2000


def make(count: int, seed: int | Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw images, equally many of each class up to one, in random order.

    Parameters
    ----------
    count : int
        Number of images.
    seed : int or sequence of int
        Where they come from; other seeds give other images of the same classes.

    Returns
    -------
    images : ndarray of uint8, (count, 32, 32, 3)
    labels : ndarray of uint8, (count,)
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % CLASSES).astype(np.uint8)
    batches = [_draw(labels[first : first + BATCH], rng) for first in range(0, count, BATCH)]
    return np.concatenate(batches), labels


def _draw(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count = len(labels)
    texture, opposite = labels // 2, labels % 2

    def per_image(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, (count, 1, 1)).astype(np.float32)

    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)[:, None]
    angle = (texture * np.pi / 4)[:, None, None].astype(np.float32) + per_image(-0.25, 0.25)
    frequency = 2 * np.pi / per_image(4, 9)
    along = frequency * (x * np.cos(angle) + y * np.sin(angle))
    across = frequency * (y * np.cos(angle) - x * np.sin(angle))
    phase = per_image(0, 2 * np.pi)
    checkered = (texture == 4)[:, None, None]

    def pattern(shift: np.ndarray | np.floating) -> np.ndarray:
        stripes = np.sin(along + phase + shift)
        return np.where(checkered, stripes * np.sin(across + phase), stripes)

    same = per_image(-0.6, 0.6)
    red, green = pattern(np.float32(0)), pattern(per_image(0, 2 * np.pi))
    blue = pattern(same + np.pi * opposite[:, None, None].astype(np.float32))
    strength = rng.uniform(18, 50, (count, 1, 1, 3)).astype(np.float32)
    middle = rng.uniform(80, 176, (count, 1, 1, 3)).astype(np.float32)
    images = middle + strength * np.stack([red, green, blue], axis=-1)
    radius = per_image(3, 9)
    disc = (x - per_image(0, SIDE)) ** 2 + (y - per_image(0, SIDE)) ** 2 < radius**2
    colour = rng.uniform(0, 255, (count, 1, 1, 3)).astype(np.float32)
    images = np.where(disc[..., None], colour, images)
    images += rng.normal(0, 28, images.shape).astype(np.float32)
    return np.clip(images, 0, 255).astype(np.uint8)
