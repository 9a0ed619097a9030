"""The layers' arithmetic in NumPy, float64, written for reading.

Arrays are (batch, Y, X, channels) and kernels have Keras's shapes. Nothing here calls Keras, so
that agreement with Keras says something.
"""

from collections.abc import Callable, Iterator

import numpy as np


def _pads(size: int, kernel: int, stride: int, dilation: int, padding: str) -> tuple[int, int, int]:
    """Give the zeros before and after one axis, and the number of output positions.

    ``same`` makes as many outputs as strides fit and puts the odd zero at the end, as TensorFlow
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
    """Slide a window over images: output row, output column, what the window shows there."""
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
    """Convolve: every filter sees every input channel, and the products are added up.

    Args:
        image: (batch, Y, X, N).
        kernel: (kernel Y, kernel X, N, M).
        stride, dilation: Steps of the window, and between its taps.
        padding: ``valid`` or ``same``.

    Returns:
        (batch, output Y, output X, M) of float64.
    """
    image, kernel = image.astype(np.float64), kernel.astype(np.float64)
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
    """Convolve each channel with filters of its own: Conv2D without the sum over channels.

    Args:
        image: (batch, Y, X, N).
        kernel: (kernel Y, kernel X, N, depth multiplier).
        stride, dilation, padding: As for `conv2d`.

    Returns:
        (batch, output Y, output X, N x depth multiplier) of float64. The filters of the first
        channel come first.
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
    """Convolve each channel by itself, then mix the channels with a 1x1 Conv2D.

    Args:
        image: (batch, Y, X, N).
        depthwise: (kernel Y, kernel X, N, depth multiplier).
        pointwise: (1, 1, N x depth multiplier, M).
        stride, dilation, padding: As for `conv2d`; they concern the depthwise half.
    """
    return conv2d(depthwise_conv2d(image, depthwise, stride, dilation, padding), pointwise)


def conv2d_transpose(
    image: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: str = "valid"
) -> np.ndarray:
    """Let every input cell lay down the kernel, times its value, and add up where they overlap.

    Args:
        image: (batch, Y, X, N).
        kernel: (kernel Y, kernel X, M, N). Keras's order: output channels before input channels.
        stride: Steps between the places where neighbouring cells lay the kernel.
        padding: ``valid`` keeps all that was laid down, ``same`` keeps Y x stride by X x stride
            cells.

    Returns:
        (batch, output Y, output X, M) of float64.
    """
    image, kernel = image.astype(np.float64), kernel.astype(np.float64)
    batch, height, width, _ = image.shape
    tall, wide, filters, _ = kernel.shape
    # Where the kernel is shorter than the stride, the cells between are zero.
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
    """Put output cells, each (batch, channels), in their rows and columns."""
    rows, columns = max(cells)
    return np.stack(
        [
            np.stack([cells[row, column] for column in range(columns + 1)], axis=1)
            for row in range(rows + 1)
        ],
        axis=1,
    )


# By the name of Keras's class.
LAYERS: dict[str, Callable[..., np.ndarray]] = {
    "Conv2D": conv2d,
    "DepthwiseConv2D": depthwise_conv2d,
    "SeparableConv2D": separable_conv2d,
    "Conv2DTranspose": conv2d_transpose,
}
