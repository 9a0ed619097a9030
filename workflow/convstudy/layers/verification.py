"""Checks of the article's identities between layers, and of Keras against the reference."""

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from convstudy.core.errors import UserError
from convstudy.layers import numpy_layers

logger = logging.getLogger(__name__)

SEED = 20181221
# Identity as id and in words, check, error, tolerance, whether it passed.
Row = tuple[str, str, str, float, float, bool]
EPS = {name: float(np.finfo(name).eps) for name in ("float32", "float64")}


def check_identities() -> pd.DataFrame:
    """Check the article's identities between layers on random numbers in Keras.

    Returns:
        ``id``, ``identity``, ``check`` (in words), ``max_abs_error``, ``tolerance`` (2 x n x eps x
        the largest sum of the magnitudes of n products), ``passed``.
    """
    rng = np.random.default_rng(SEED)
    rows = [*_identities(rng), *_filter_counts()]
    table = pd.DataFrame(
        rows, columns=["id", "identity", "check", "max_abs_error", "tolerance", "passed"]
    )
    return table.astype({"passed": bool})


def _identities(rng: np.random.Generator) -> Iterator[Row]:
    n, m, k, size = 4, 5, 3, 8
    image = rng.normal(size=(2, size, size, n))
    depthwise, pointwise = rng.normal(size=(k, k, n, 1)), rng.normal(size=(1, 1, n, m))
    eps = EPS["float64"]

    def row(
        id_: str, identity: str, check: str, one: Any, other: Any, terms: int, sizes: Any
    ) -> Any:
        error = float(np.max(np.abs(np.subtract(one, other))))
        # Both sides are rounded.
        tolerance = 2 * terms * eps * float(np.max(sizes))
        return id_, identity, check, error, tolerance, error <= tolerance

    separable = keras_layer("SeparableConv2D", image, depthwise, pointwise)
    outer = depthwise * pointwise
    yield row(
        "separable_is_conv",
        "separable = Conv2D",
        "the Conv2D kernel is the outer product of depthwise and pointwise kernel",
        separable,
        keras_layer("Conv2D", image, outer),
        k * k * n + n,
        numpy_layers.conv2d(np.abs(image), np.abs(outer)),
    )
    by_channel = keras_layer("DepthwiseConv2D", image, depthwise)
    block = depthwise * np.eye(n)
    yield row(
        "depthwise_is_conv",
        "depthwise = Conv2D",
        "the Conv2D kernel is block-diagonal: no weight between different channels",
        by_channel,
        keras_layer("Conv2D", image, block),
        k * k * n,
        numpy_layers.conv2d(np.abs(image), np.abs(block)),
    )
    yield row(
        "separable_is_two_layers",
        "separable = depthwise, then 1x1 Conv2D",
        "two layers one after the other",
        separable,
        keras_layer("Conv2D", by_channel, pointwise),
        k * k + n,
        numpy_layers.separable_conv2d(np.abs(image), np.abs(depthwise), np.abs(pointwise)),
    )
    scale = rng.normal(size=(1, 1, n, 1))
    yield row(
        "depthwise_k1_scales",
        "depthwise with a 1x1 kernel = scaling",
        "each channel is multiplied by one number",
        keras_layer("DepthwiseConv2D", image, scale),
        image * scale[0, 0, :, 0],
        1,
        np.abs(image) * np.abs(scale[0, 0, :, 0]),
    )
    for padding, stride in itertools.product(("valid", "same"), (1, 2)):
        kernel = rng.normal(size=(k, k, n, m))
        options: dict[str, Any] = {"padding": padding, "strides": stride}
        convolved = keras_layer("Conv2D", image, kernel, **options)
        other = rng.normal(size=convolved.shape)
        back = keras_layer("Conv2DTranspose", other, kernel, **options)
        # If the stride leaves a remainder, Conv2DTranspose returns fewer rows; the convolution did
        # not use the missing ones.
        seen = image[:, : back.shape[1], : back.shape[2]]
        sizes = numpy_layers.conv2d(np.abs(image), np.abs(kernel), stride, 1, padding)
        yield row(
            "transpose_is_adjoint",
            "transpose = adjoint of Conv2D",
            f"<Ax, y> = <x, A'y>, padding {padding}, stride {stride}",
            np.sum(convolved * other),
            np.sum(seen * back),
            k * k * n + other.size,
            np.sum(sizes * np.abs(other)),
        )


def _filter_counts() -> Iterator[Row]:
    """Check the article's numbers of filters in Keras layers."""
    import keras

    n, m, k = 6, 10, 3
    given, conv, depthwise = f"N = {n}", keras.layers.Conv2D, keras.layers.DepthwiseConv2D
    for id_, identity, check, layer, expected in (
        ("conv_filters", "Conv2D has N·M filters", f"{given}, M = {m}", conv(m, k), n * m),
        ("conv_square_filters", "Conv2D with M = N has N² filters", given, conv(n, 1), n * n),
        ("depthwise_filters", "DepthwiseConv2D has N filters", given, depthwise(1), n),
    ):
        layer.build((None, 8, 8, n))
        shape = layer.kernel.shape
        filters = int(np.prod(shape)) // (shape[0] * shape[1])
        error = float(abs(filters - expected))
        yield id_, identity, check, error, 0.0, not error
    channels = depthwise(k).compute_output_shape((None, 8, 8, n))[-1]
    identity = "DepthwiseConv2D keeps the number of channels"
    yield "depthwise_channels", identity, given, float(abs(channels - n)), 0.0, channels == n
    separable = keras.layers.SeparableConv2D(m, k)
    separable.build((None, 8, 8, n))
    weights = sum(int(np.prod(weight.shape)) for weight in separable.weights[:2])
    expected = k * k * n + n * m
    identity = "SeparableConv2D has N filters of k×k and N·M of 1×1"
    check, error = f"{given}, M = {m}, k = {k}", float(abs(weights - expected))
    yield "separable_filters", identity, check, error, 0.0, not error


def keras_layer(
    layer: str, image: np.ndarray, *kernels: np.ndarray, dtype: str = "float64", **options: Any
) -> np.ndarray:
    """Apply a Keras layer with the given kernels and no bias.

    Args:
        image: (batch, Y, X, channels).
        *kernels: In Keras's order and shapes.
        dtype: Type in which the layer computes.
        **options: ``strides``, ``dilation_rate``, ``groups``, ``padding``.
    """
    made = _make(layer, image, kernels, dtype, options)
    return _apply(made, image, kernels)


def _make(
    layer: str, image: np.ndarray, kernels: Sequence[np.ndarray], dtype: str, options: Any
) -> Any:
    """Make a Keras layer for an image and kernels of these shapes."""
    import keras

    first = kernels[0].shape
    arguments: dict[str, Any] = {"kernel_size": first[:2], "use_bias": False, "dtype": dtype}
    if layer in ("DepthwiseConv2D", "SeparableConv2D"):
        arguments["depth_multiplier"] = first[3]
    if layer != "DepthwiseConv2D":
        arguments["filters"] = first[2] if layer == "Conv2DTranspose" else kernels[-1].shape[3]
    made = getattr(keras.layers, layer)(**arguments, **options)
    made.build(image.shape)
    return made


def _apply(made: Any, image: np.ndarray, kernels: Sequence[np.ndarray]) -> np.ndarray:
    """Apply a Keras layer with these kernels."""
    import keras

    made.set_weights(list(kernels))
    output = made(image.astype(made.compute_dtype))
    return np.asarray(keras.ops.convert_to_numpy(output), np.float64)


# Settings of the grid; Keras does not allow all combinations.
GRID: dict[str, tuple[Any, ...]] = {
    "layer": ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose"),
    "kernel": (1, 2, 3, 5),
    "stride": (1, 2),
    "dilation": (1, 2),
    "padding": ("valid", "same"),
    "channels": (1, 3),
    "depth_multiplier": (1, 2),
    "groups": (1, 3),
    "dtype": tuple(EPS),
}
GRID_COLUMNS = (*GRID, "filters", "mutation", "max_abs_error", "tolerance", "passed")


def grid_cases() -> list[dict[str, Any]]:
    """Return the cases of the grid: all combinations that Keras allows."""
    cases = []
    for values in itertools.product(*GRID.values()):
        case = dict(zip(GRID, values, strict=True))
        layer, channels, groups = case["layer"], case["channels"], case["groups"]
        multiplier, dilated = case["depth_multiplier"], case["dilation"] > 1
        if (
            # Keras does not support stride and dilation together.
            (dilated and case["stride"] > 1)
            or (dilated and (case["kernel"] == 1 or layer == "Conv2DTranspose"))
            # Only a sample of the large kernel, which takes time.
            or (
                case["kernel"] == 5 and (dilated or case["stride"] > 1 or multiplier * channels < 3)
            )
            or (multiplier > 1 and layer not in ("DepthwiseConv2D", "SeparableConv2D"))
            or (groups > 1 and (layer != "Conv2D" or channels % groups))
        ):
            continue
        filters = channels * multiplier if layer == "DepthwiseConv2D" else 2 * groups
        cases.append({**case, "filters": filters})
    return cases


def _arrays(case: dict[str, Any], rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draw an image and kernels that the case's dtype can represent exactly."""
    k, n, m = case["kernel"], case["channels"], case["filters"]
    shapes = {
        "Conv2D": [(k, k, n // case["groups"], m)],
        "DepthwiseConv2D": [(k, k, n, case["depth_multiplier"])],
        "SeparableConv2D": [
            (k, k, n, case["depth_multiplier"]),
            (1, 1, n * case["depth_multiplier"], m),
        ],
        "Conv2DTranspose": [(k, k, m, n)],
    }[case["layer"]]

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        return rng.normal(size=shape).astype(case["dtype"]).astype(np.float64)

    return draw((2, 6, 7, n)), [draw(shape) for shape in shapes]


def _expected(case: dict[str, Any], image: np.ndarray, kernels: list[np.ndarray]) -> np.ndarray:
    """Compute a case with the NumPy reference."""
    options = {"stride": case["stride"], "padding": case["padding"]}
    if case["layer"] != "Conv2DTranspose":
        options["dilation"] = case["dilation"]
    return numpy_layers.LAYERS[case["layer"]](image, *kernels, **options)


MUTATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "kernel flipped": lambda kernel: kernel[::-1, ::-1],
    "rows and columns swapped": lambda kernel: kernel.swapaxes(0, 1),
    "one weight off by a thousandth": lambda kernel: (
        kernel + 1e-3 * (np.arange(kernel.size) == 0).reshape(kernel.shape)
    ),
}


def check_grid() -> pd.DataFrame:
    """Compare Keras with the reference over a grid of settings, with and without mutations.

    Returns:
        One row per case. In rows with a ``mutation``, Keras got a deliberately wrong kernel, and
        ``passed`` means that the comparison detected it.
    """
    rng = np.random.default_rng(SEED)
    rows: list[dict[str, Any]] = []
    for case in grid_cases():
        image, kernels = _arrays(case, rng)
        given = {"": kernels}
        if case["kernel"] == 3 and case["dtype"] == "float32":
            for name, mutate in MUTATIONS.items():
                given[name] = [np.ascontiguousarray(mutate(kernels[0])), *kernels[1:]]
        rows += _compare(case, image, kernels, given)
    return pd.DataFrame(rows)[list(GRID_COLUMNS)]


def _compare(
    case: dict[str, Any],
    image: np.ndarray,
    kernels: list[np.ndarray],
    given: dict[str, list[np.ndarray]],
) -> Iterator[dict[str, Any]]:
    """Compare the reference on `kernels` with Keras on each of the kernels `given`, by mutation."""
    options = {"strides": case["stride"], "padding": case["padding"]}
    if case["layer"] != "Conv2DTranspose":
        options["dilation_rate"] = case["dilation"]
    if case["groups"] > 1:
        options["groups"] = case["groups"]
    expected = _expected(case, image, kernels)
    sizes = _expected(case, np.abs(image), [np.abs(kernel) for kernel in kernels])
    terms = case["kernel"] ** 2 * case["channels"] * case["depth_multiplier"]
    terms += case["channels"] * case["depth_multiplier"]
    # The reference is itself rounded to float64.
    tolerance = terms * (EPS[case["dtype"]] + EPS["float64"]) * float(np.max(sizes))
    # One layer for all, as making it takes longer than applying it.
    made = _make(case["layer"], image, kernels, case["dtype"], options)
    for mutation, weights in given.items():
        error = float(np.max(np.abs(expected - _apply(made, image, weights))))
        yield {
            **case,
            "mutation": mutation,
            "max_abs_error": error,
            "tolerance": tolerance,
            "passed": (error > tolerance) if mutation else (error <= tolerance),
        }


def require_all_passed(**tables: pd.DataFrame) -> None:
    """Raise an error if any check failed.

    Raises:
        UserError: With the failed checks.
    """
    failed = []
    for name, table in tables.items():
        what = [column for column in table if column not in ("tolerance", "passed")]
        for row in table.loc[~table["passed"], what].to_dict("records"):
            described = ", ".join(
                f"{column} {value}" for column, value in row.items() if value != ""
            )
            failed.append(f"{name}: {described}")
        logger.info("%s: %d of %d checks passed", name, table["passed"].sum(), len(table))
    if failed:
        raise UserError("\n  ".join([f"{len(failed)} checks failed:", *failed]))
