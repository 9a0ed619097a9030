"""Parts of a step on any backend: take images, augment them, sum the loss."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

# Maximum shift of an image, in pixels.
MAX_SHIFT = 4


def draw_augmentation(how: str, images: int, rng: np.random.Generator) -> np.ndarray:
    """Draw each image's augmentation.

    Args:
        how: ``none``, ``flip`` (random left-right flips) or ``flip_and_shift`` (also shifts by up
            to four pixels in both directions).
        images: Number of images.
        rng: Source of randomness.

    Returns:
        (images, 3) of int32. Whether the image is flipped, and by how many pixels it moves up and
        left.
    """
    moves = np.zeros((images, 3), np.int32)
    if how != "none":
        moves[:, 0] = rng.integers(0, 2, images)
    if how == "flip_and_shift":
        moves[:, 1:] = rng.integers(-MAX_SHIFT, MAX_SHIFT + 1, (2, images)).T
    return moves


def augment(images: Any, moves: Any) -> Any:
    """Flip images left-right and shift them, filling with zeros.

    Args:
        images: (images, Y, X, channels). Not modified.
        moves: (images, 3) of int32. See `draw_augmentation`.
    """
    from keras import ops

    height, width, channels = images.shape[1:]
    flip, up, left = (moves[:, column, None, None] for column in range(3))
    rows = ops.arange(height)[None, :, None] + up
    columns = ops.arange(width)[None, None, :] + left
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    columns = ops.where(flip == 1, width - 1 - columns, columns)
    image = ops.arange(ops.shape(images)[0])[:, None, None]
    pixels = ops.where(inside, (image * height + rows) * width + columns, 0)
    moved = ops.take(ops.reshape(images, (-1, channels)), pixels, axis=0)
    return ops.where(inside[..., None], moved, ops.zeros_like(moved))


def take_batch(images: Any, labels: Any, order: Any, moves: Any | None) -> tuple[Any, Any]:
    """Return the images, augmented, and the labels of a step."""
    from keras import ops

    images = ops.take(images, order, axis=0)
    labels = ops.cast(ops.take(labels, order, axis=0), "int32")
    return (images if moves is None else augment(images, moves)), labels


@contextlib.contextmanager
def giving_logits(model: Any) -> Iterator[None]:
    """Make a model return logits instead of probabilities.

    Keras recovers the logits itself only in TensorFlow, and only directly before the softmax. A
    loss computed from probabilities is clipped, and has no gradient, if a network is badly wrong.
    """
    head = model.layers[-1]
    softmax, head.activation = head.activation, None
    try:
        yield
    finally:
        head.activation = softmax


def loss_and_right(logits: Any, labels: Any, smoothing: float = 0.0) -> tuple[Any, Any]:
    """Return the summed cross-entropy of a batch, and which images are right."""
    from keras import ops

    if smoothing:
        classes = logits.shape[-1]
        targets = ops.one_hot(labels, classes, dtype=logits.dtype)
        targets = (1 - smoothing) * targets + smoothing / classes
        losses = ops.categorical_crossentropy(targets, logits, from_logits=True)
    else:
        losses = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    # As for a user of the model, from probabilities, which may be equal where logits differ.
    right = ops.cast(ops.argmax(ops.softmax(logits), axis=-1), "int32") == labels
    return ops.sum(losses), right


def loss_and_correct(logits: Any, labels: Any, smoothing: float) -> tuple[Any, Any]:
    """Return the summed cross-entropy of a training batch, and the number of correct images."""
    from keras import ops

    loss, right = loss_and_right(logits, labels, smoothing)
    return loss, ops.sum(ops.cast(right, "int32"))
