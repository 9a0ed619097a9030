"""The article's six worked examples as data, and their checks against the printed numbers.

Each is computed by the NumPy reference in float64 and by the Keras layer in float32 and float64,
without bias and with ``padding="valid"``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from convstudy.article import facts
from convstudy.layers import numpy_layers
from convstudy.layers.verification import keras_layer

GIVEN = ["example", "id", "check", "expected", "actual", "tolerance"]
Row = tuple[str, str, str, float, float, float]


@dataclass(frozen=True)
class Example:
    """A layer, its input and its kernels.

    Attributes:
        name: Name in results and file names.
        title: Name for display.
        layer: Class in ``keras.layers``.
        image: (1, Y, X, channels).
        kernels: In Keras's order and shapes.
        cell: Row, column and channel of the output cell whose sum the diagram writes out.
        terms: Maximum number of products summed in one output number.
        note: What is not from the article, if anything.
    """

    name: str
    title: str
    layer: str
    image: np.ndarray
    kernels: tuple[np.ndarray, ...]
    cell: tuple[int, int, int]
    terms: int
    note: str = ""

    @property
    def compute(self) -> Callable[..., np.ndarray]:
        """The layer's NumPy implementation."""
        return numpy_layers.LAYERS[self.layer]

    def output(self) -> np.ndarray:
        """Compute the example's output with NumPy, (1, Y, X, channels)."""
        return self.compute(self.image, *self.kernels)

    def tolerance(self, *dtypes: str) -> np.ndarray:
        """Bound the difference of each output number between computations in the given types.

        A sum of n products has an error of at most about n x eps x the sum of their magnitudes
        (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1).
        """
        sizes = self.compute(np.abs(self.image), *(np.abs(kernel) for kernel in self.kernels))
        return self.terms * sum(float(np.finfo(dtype).eps) for dtype in dtypes) * sizes


def count_up(*shape: int) -> np.ndarray:
    """Return an array filled with 1, 2, 3, ..., as in the article."""
    return np.arange(1, np.prod(shape) + 1, dtype=np.float64).reshape(shape)


def examples() -> dict[str, Example]:
    """Return the six examples by name, in the article's order."""
    rows, columns = np.mgrid[:5, :5]
    made = (
        Example(
            "conv2d_single",
            "Conv2D, one channel to one",
            "Conv2D",
            0.1 * (rows + columns + 1.0)[None, :, :, None],
            (count_up(3, 3, 1, 1),),
            (0, 0, 0),
            9,
            "The article shows this one only as a picture, so the input is a reconstruction: it"
            " fits the two products and the sum that the text states.",
        ),
        Example(
            "conv2d_multi",
            "Conv2D, two channels to three",
            "Conv2D",
            0.1 * count_up(1, 3, 3, 2),
            (count_up(3, 3, 2, 3),),
            (0, 0, 0),
            18,
        ),
        Example(
            "depthwise_k1",
            "DepthwiseConv2D with a 1×1 kernel",
            "DepthwiseConv2D",
            0.1 * count_up(1, 3, 3, 2),
            (np.array([2.0, 3.0]).reshape(1, 1, 2, 1),),
            (0, 0, 0),
            1,
            "The article shows this one only as a picture, so the numbers are ours.",
        ),
        Example(
            "depthwise_k3",
            "DepthwiseConv2D with a 3×3 kernel",
            "DepthwiseConv2D",
            0.1 * count_up(1, 3, 3, 2),
            (count_up(3, 3, 2, 1),),
            (0, 0, 0),
            9,
        ),
        Example(
            "separable",
            "SeparableConv2D, one channel to two",
            "SeparableConv2D",
            0.1 * count_up(1, 3, 3, 1),
            (count_up(3, 3, 1, 1), np.array([2.0, 3.0]).reshape(1, 1, 1, 2)),
            (0, 0, 0),
            # Nine products, plus one with the pointwise kernel.
            10,
        ),
        Example(
            "transpose",
            "Conv2DTranspose, three channels to two",
            "Conv2DTranspose",
            0.1 * count_up(1, 2, 2, 3),
            (count_up(3, 3, 2, 3),),
            (0, 1, 0),
            # At most four input cells overlap, each with three channels.
            12,
        ),
    )
    return {example.name: example for example in made}


def check_examples() -> pd.DataFrame:
    """Compare every printed number with the reference and with Keras, and the partial sums.

    Returns:
        ``example``, ``id`` (what outputs are compared with, ``print`` or ``reference``; or which
        sum or product is checked), ``check`` (in words), ``expected``, ``actual``, ``abs_error``,
        ``tolerance``, ``passed``.
    """
    rows = [row for example in examples().values() for row in _check_outputs(example)]
    rows += _check_partial_sums()
    table = pd.DataFrame(rows, columns=GIVEN)
    table.insert(5, "abs_error", (table["expected"] - table["actual"]).abs())
    return table.assign(passed=table["abs_error"] <= table["tolerance"])


def printed_output(name: str) -> np.ndarray | None:
    """Return an example's output as the article prints it, (1, Y, X, channels), or None."""
    stated = facts.load()["worked_examples"].get(name, {})
    if "outputs" not in stated:
        return None
    return np.moveaxis(np.array(stated["outputs"], np.float64), 0, -1)[None]


def _check_outputs(example: Example) -> Iterator[Row]:
    """Compare the reference and Keras with the printed numbers, and Keras with the reference."""
    reference = example.output()
    printed = printed_output(example.name)
    computed = {"reference": (reference, "float64")}
    for dtype in ("float32", "float64"):
        arrays = example.image, *example.kernels
        computed[f"Keras {dtype}"] = (keras_layer(example.layer, *arrays, dtype=dtype), dtype)
    for who, (actual, dtype) in computed.items():
        if printed is not None:
            # The article computed in float32.
            bounds = example.tolerance("float32", dtype)
            yield from _compare(example, who, "print", printed, actual, bounds)
        if who != "reference":
            bounds = example.tolerance("float64", dtype)
            yield from _compare(example, who, "reference", reference, actual, bounds)


def _compare(
    example: Example,
    who: str,
    against: str,
    expected: np.ndarray,
    actual: np.ndarray,
    bounds: np.ndarray,
) -> Iterator[Row]:
    for _, row, column, channel in np.ndindex(expected.shape):
        cell = (0, row, column, channel)
        place = f"row {row + 1}, column {column + 1}, channel {channel + 1}"
        stated, computed, bound = (float(array[cell]) for array in (expected, actual, bounds))
        yield example.name, against, f"{who} against {against}: {place}", stated, computed, bound


def products(example: Example) -> list[tuple[float, float]]:
    """Return the factors of every product in the example's highlighted cell.

    Returns:
        (input, weight), channel by channel and row by row within a channel. For a separable layer,
        only the products of its depthwise half.
    """
    image, kernel = example.image[0], example.kernels[0]
    row, column, channel = example.cell
    factors = []
    if example.layer == "Conv2DTranspose":
        for y, x in np.ndindex(image.shape[:2]):
            tap = (row - y, column - x)
            if all(0 <= at < size for at, size in zip(tap, kernel.shape, strict=False)):
                weights = kernel[tap][channel]
                factors += list(zip(image[y, x], weights, strict=True))
    else:
        tall, wide = kernel.shape[:2]
        channels = [channel] if example.layer == "DepthwiseConv2D" else range(image.shape[2])
        for source in channels:
            weights = kernel[:, :, source, channel if example.layer == "Conv2D" else 0]
            window = image[row : row + tall, column : column + wide, source]
            factors += list(zip(window.ravel(), weights.ravel(), strict=True))
    return [(float(value), float(weight)) for value, weight in factors]


def _check_partial_sums() -> list[Row]:
    """Check the sums and products written out in the article's text."""
    stated = facts.load()["worked_examples"]
    factors = {name: products(example) for name, example in examples().items()}
    single, multi = factors["conv2d_single"], factors["conv2d_multi"]
    channels, transpose = stated["conv2d_multi"]["partial_sums"], stated["transpose"]
    corner = [(float(value), float(weight)) for value, weight in transpose["corner_terms"]]
    neighbour = factors["transpose"]
    printed = printed_output("depthwise_k3")
    assert printed is not None
    nine = "sum of nine products"
    beside = ("transpose", "beside_corner")
    # Example, id, check, the stated number and the factors of its products.
    sums: list[tuple[str, str, str, float, list[tuple[float, float]]]] = [
        ("conv2d_single", "sum", nine, stated["conv2d_single"]["cell"], single),
        ("conv2d_multi", "sum", "sum over channel 1", channels[0], multi[:9]),
        ("conv2d_multi", "sum", "sum over channel 2", channels[1], multi[9:]),
        ("conv2d_multi", "sum", "sum of both channels", sum(channels), multi),
        ("depthwise_k3", "sum", nine, printed.flat[0], factors["depthwise_k3"]),
        ("transpose", "corner", "sum of the corner's products", transpose["corner"], corner),
        (*beside, "sum beside the corner", transpose["neighbour"], neighbour),
    ]
    terms = stated["conv2d_single"]["terms"]
    sums += [
        ("conv2d_single", "product", f"product {number}", value * weight, [single[number - 1]])
        for number, (value, weight) in enumerate(terms, start=1)
    ]
    eps = float(np.finfo("float64").eps)
    rows: list[Row] = []
    for name, id_, what, expected, pairs in sums:
        each = [value * weight for value, weight in pairs]
        rounding = len(pairs) * 2 * eps * sum(map(abs, each))
        rows.append((name, id_, what, float(expected), sum(each), rounding))
    counted = "number of products beside the corner"
    rows.insert(7, (*beside, counted, transpose["neighbour_products"], len(neighbour), 0.0))
    return rows
