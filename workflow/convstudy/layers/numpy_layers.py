"""Readable NumPy implementations of the layers, in float64.

Arrays are (batch, Y, X, channels) and kernels have Keras's shapes. Nothing here calls Keras, so
agreement with Keras is an independent check.
"""

from collections.abc import Callable, Iterator

import numpy as np


def _pads(size: int, kernel: int, stride: int, dilation: int, padding: str) -> tuple[int, int, int]:
    """Return the zeros before and after one axis, and the number of output positions.

    ``same`` makes size / stride outputs, rounded up, and puts an odd zero at the end, as TensorFlow
    does.
    """
    reach = dilation * (kernel - 1) + 1
    if padding == "valid":
        return 0, 0, (size - reach) // stride + 1
    outputs = -(-size // stride)
    missing = max(0, (outputs - 1) * stride + reach - size)
    return missing // 2, missing - missing // 2, outputs


def _patches(
    image: np.ndarray, kernel: tuple[int, int], stride: int, dilation: int, padding: str
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Slide a window over images; yield the output row, the column and the window's content."""
    _, height, width, _ = image.shape
    top, bottom, rows = _pads(height, kernel[0], stride, dilation, padding)
    left, right, columns = _pads(width, kernel[1], stride, dilation, padding)
    padded = np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)))
    for row in range(rows):
        for column in range(columns):
            below = row * stride + dilation * np.arange(kernel[0])
            across = column * stride + dilation * np.arange(kernel[1])
            yield row, column, padded[:, below[:, None], across, :]


def conv2d(
    image: np.ndarray,
    kernel: np.ndarray,
    stride: int = 1,
    dilation: int = 1,
    padding: str = "valid",
) -> np.ndarray:
    """Convolve: every filter covers all input channels, and the products are summed.

    With groups, the first filters cover the first input channels, and so on.

    Args:
        image: (batch, Y, X, N).
        kernel: (kernel Y, kernel X, N / groups, M).
        stride, dilation: Step of the window, and spacing of its taps.
        padding: ``valid`` or ``same``.

    Returns:
        (batch, output Y, output X, M) of float64.
    """
    image, kernel = image.astype(np.float64), kernel.astype(np.float64)
    groups = image.shape[3] // kernel.shape[2]
    if groups > 1:
        parts = zip(*(np.split(one, groups, axis=3) for one in (image, kernel)), strict=True)
        each = [conv2d(one, its, stride, dilation, padding) for one, its in parts]
        return np.concatenate(each, axis=3)
    cells = {}
    for row, column, patch in _patches(image, kernel.shape[:2], stride, dilation, padding):
        products = patch[..., None] * kernel
        cells[row, column] = products.sum(axis=(1, 2, 3))
    return _grid(cells)


def depthwise_conv2d(
    image: np.ndarray,
    kernel: np.ndarray,
    stride: int = 1,
    dilation: int = 1,
    padding: str = "valid",
) -> np.ndarray:
    """Convolve each channel with its own filters: Conv2D without the sum over channels.

    Args:
        image: (batch, Y, X, N).
        kernel: (kernel Y, kernel X, N, depth multiplier).
        stride, dilation, padding: As for `conv2d`.

    Returns:
        (batch, output Y, output X, N x depth multiplier) of float64, starting with the outputs of
        the first channel's filters.
    """
    image, kernel = image.astype(np.float64), kernel.astype(np.float64)
    cells = {}
    for row, column, patch in _patches(image, kernel.shape[:2], stride, dilation, padding):
        products = patch[..., None] * kernel
        sums = products.sum(axis=(1, 2))
        cells[row, column] = sums.reshape(len(image), -1)
    return _grid(cells)


def separable_conv2d(
    image: np.ndarray,
    depthwise: np.ndarray,
    pointwise: np.ndarray,
    stride: int = 1,
    dilation: int = 1,
    padding: str = "valid",
) -> np.ndarray:
    """Convolve each channel separately, then mix the channels with a 1x1 Conv2D.

    Args:
        image: (batch, Y, X, N).
        depthwise: (kernel Y, kernel X, N, depth multiplier).
        pointwise: (1, 1, N x depth multiplier, M).
        stride, dilation, padding: As for `conv2d`; they apply to the depthwise half.
    """
    return conv2d(depthwise_conv2d(image, depthwise, stride, dilation, padding), pointwise)


def conv2d_transpose(
    image: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: str = "valid"
) -> np.ndarray:
    """Add a copy of the kernel, scaled by the input cell, to the output for every input cell.

    Args:
        image: (batch, Y, X, N).
        kernel: (kernel Y, kernel X, M, N). Keras's order: output channels before input channels.
        stride: Distance between the copies of neighbouring input cells.
        padding: ``valid`` keeps the full output, ``same`` crops it to Y x stride by X x stride.

    Returns:
        (batch, output Y, output X, M) of float64.
    """
    image, kernel = image.astype(np.float64), kernel.astype(np.float64)
    batch, height, width, _ = image.shape
    tall, wide, filters, _ = kernel.shape
    # If the kernel is smaller than the stride, the cells between copies stay zero.
    full_height = (height - 1) * stride + max(tall, stride)
    full_width = (width - 1) * stride + max(wide, stride)
    output = np.zeros((batch, full_height, full_width, filters))
    for row in range(height):
        for column in range(width):
            laid = (kernel * image[:, row, column][:, None, None, None, :]).sum(axis=-1)
            top, left = row * stride, column * stride
            output[:, top : top + tall, left : left + wide] += laid
    if padding == "valid":
        return output
    top = max(tall - stride, 0) // 2
    left = max(wide - stride, 0) // 2
    return output[:, top : top + height * stride, left : left + width * stride]


def _grid(cells: dict[tuple[int, int], np.ndarray]) -> np.ndarray:
    """Arrange output cells, each (batch, channels), in rows and columns."""
    rows, columns = max(cells)
    return np.stack(
        [
            np.stack([cells[row, column] for column in range(columns + 1)], axis=1)
            for row in range(rows + 1)
        ],
        axis=1,
    )


# By the name of the Keras class.
LAYERS: dict[str, Callable[..., np.ndarray]] = {
    "Conv2D": conv2d,
    "DepthwiseConv2D": depthwise_conv2d,
    "SeparableConv2D": separable_conv2d,
    "Conv2DTranspose": conv2d_transpose,
}
