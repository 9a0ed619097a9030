"""Checks of what the article says about layers, whether true or not: for the claims alone.

The identities of `convstudy.layers.verification` must hold; of these, some do not.
"""

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from convstudy.article import facts
from convstudy.layers.examples import Example, examples
from convstudy.layers.verification import EPS, SEED, keras_layer

# Id, what is measured in words, the expected and the actual number, and the tolerance.
Row = tuple[str, str, float, float, float]
# Half a unit in the last of eight printed digits.
PRINTED = 5e-8
# Stands for an argument without default, in facts.yaml.
REQUIRED = "required"


def check_statements() -> pd.DataFrame:
    """Run the article's code blocks in today's Keras, and measure what its sentences say.

    Returns:
        ``id``, ``what`` (in words), ``expected``, ``actual``, ``tolerance``.
    """
    stated = facts.load()["worked_examples"]
    rows = [
        row
        for name, example in examples().items()
        if "shapes" in stated.get(name, {})
        for row in _code_block(example, stated[name])
    ]
    rng = np.random.default_rng(SEED)
    rows += [*_signature(), *_reach(rng), *_pointwise(rng), *_many_channels(rng)]
    rows += [*_separable(rng), *_overlaps(), *_transpose(rng)]
    return pd.DataFrame(rows, columns=["id", "what", "expected", "actual", "tolerance"])


def _code_block(example: Example, stated: dict[str, Any]) -> Iterator[Row]:
    """Build the model, set its weights and predict, as the article's code does."""
    import keras

    filters = {} if example.layer == "DepthwiseConv2D" else {"filters": _filters(example)}
    size = example.kernels[0].shape[0]
    layer = getattr(keras.layers, example.layer)(kernel_size=size, use_bias=False, **filters)
    image = keras.Input(example.image.shape[1:])
    model = keras.Model(image, layer(image))
    made = layer.get_weights()
    layer.set_weights([kernel.astype(np.float32) for kernel in example.kernels])
    found = model.predict(example.image.astype(np.float32), verbose=0)
    bounds = example.tolerance("float32", "float32")
    kernels = [
        kernel[:, :, place, other]
        for kernel in layer.get_weights()
        for place, other in np.ndindex(kernel.shape[2:])
    ]
    channels = np.moveaxis(example.image[0], -1, 0)
    name = example.name
    shapes = [size for kernel in made for size in kernel.shape]
    printed = [size for shape in stated["shapes"] for size in shape]
    yield from _compared(f"shapes_{name}", "size of an axis of the weights", printed, shapes, 0.0)
    yield from _compared(f"code_{name}", "weight", stated["kernels"], kernels, 0.0)
    yield from _compared(f"code_{name}", "input", stated["inputs"], channels, PRINTED)
    for channel, outputs in enumerate(stated["outputs"]):
        bound = float(bounds[0, :, :, channel].max())
        yield from _compared(f"code_{name}", "output", outputs, found[0, :, :, channel], bound)


def _filters(example: Example) -> int:
    return int(example.kernels[-1].shape[2 if example.layer == "Conv2DTranspose" else 3])


def _flat(part: Any) -> list[float]:
    return [float(one) for rows in part for one in np.ravel(rows)]


def _compared(id_: str, what: str, printed: Any, found: Any, bound: float) -> Iterator[Row]:
    for place, pair in enumerate(zip(_flat(printed), _flat(found), strict=True), start=1):
        yield id_, f"{what} {place}", *pair, bound


def _signature() -> Iterator[Row]:
    """Compare the arguments of DepthwiseConv2D with those that the article quotes."""
    import keras

    today = inspect.signature(keras.layers.DepthwiseConv2D).parameters
    quoted = facts.load()["depthwise_arguments"]
    for name, default in quoted.items():
        found = today[name].default if name in today else inspect.Parameter.empty
        found = REQUIRED if name in today and found is inspect.Parameter.empty else found
        same = float(found == (tuple(default) if isinstance(default, list) else default))
        yield "depthwise_arguments", f"{name} has the quoted default (1: yes)", 1.0, same, 0.0
    first = float(next(iter(today)) == next(iter(quoted)))
    yield "depthwise_first", "the first argument is the kernel size (1: yes)", 1.0, first, 0.0


def _reach(rng: np.random.Generator) -> Iterator[Row]:
    """Count the cells and channels that one number changes, by half of a separable layer."""
    n, m, k = 3, 5, 3
    image = np.zeros((1, 2 * k + 1, 2 * k + 1, n))
    image[0, k, k, 1] = 1.0
    for half, layer, shape, cells, channels in (
        ("depthwise", "DepthwiseConv2D", (k, k, n, 1), k * k, 1),
        ("pointwise", "Conv2D", (1, 1, n, m), 1, m),
    ):
        changed = keras_layer(layer, image, rng.uniform(1, 2, shape))[0] != 0
        reached = {"cells": (cells, (2,)), "channels": (channels, (0, 1))}
        for name, (expected, axes) in reached.items():
            what = f"{name} that one number reaches through the {half} half:"
            yield f"{half}_{name}", what, expected, float(changed.any(axis=axes).sum()), 0.0


def _pointwise(rng: np.random.Generator) -> Iterator[Row]:
    """Compare 1×1 layers: the weights, and what of a Conv2D a depthwise layer can express."""
    import keras

    n = 8
    image = rng.normal(size=(1, 16, 16, n))
    for name, layer, expected in (
        ("depthwise", keras.layers.DepthwiseConv2D(1, use_bias=False), n),
        ("conv", keras.layers.Conv2D(n, 1, use_bias=False), n * n),
    ):
        layer.build(image.shape)
        # Each weight is used once a cell.
        yield f"{name}_k1_macs", f"products a cell, N = {n}", expected, layer.count_params(), 0.0
    wanted = keras_layer("Conv2D", image, rng.normal(size=(1, 1, n, n)))
    scale = (wanted * image).sum(axis=(0, 1, 2)) / (image**2).sum(axis=(0, 1, 2))
    best = keras_layer("DepthwiseConv2D", image, scale.reshape(1, 1, n, 1))
    left = float(np.linalg.norm(wanted - best) / np.linalg.norm(wanted))
    what = "share of a random 1×1 Conv2D's output that the best depthwise layer misses"
    yield "depthwise_k1_misses", what, 0.0, left, 0.0


def _many_channels(rng: np.random.Generator) -> Iterator[Row]:
    """Compare a Conv2D of many channels with the sum of its filters over the input channels."""
    k, m = 3, 2
    for n in facts.load()["many_channels"]:
        image, kernel = rng.normal(size=(1, k, k, n)), rng.normal(size=(k, k, n, m))
        found = keras_layer("Conv2D", image, kernel)[0, 0, 0]
        products = image[0, :, :, :, None] * kernel
        terms = k * k * n
        bound = 2 * terms * EPS["float64"] * float(np.abs(products).sum(axis=(0, 1, 2)).max())
        for channel, total in enumerate(products.sum(axis=(0, 1, 2))):
            what = f"N = {n}, output channel {channel + 1}"
            yield "many_channels", what, float(total), float(found[channel]), bound


def _separable(rng: np.random.Generator) -> Iterator[Row]:
    """Measure what of a random Conv2D a separable layer can express.

    Each input channel's filters form a matrix of k² by M, and a separable layer's has rank one; the
    best approximation of rank one is the first singular value's (C. Eckart and G. Young,
    Psychometrika 1, 211, 1936).
    """
    values = np.linalg.svd(rng.normal(size=(9, 16)), compute_uv=False)
    left = float(np.sqrt((values[1:] ** 2).sum() / (values**2).sum()))
    what = "share of a random Conv2D's filters that the best separable layer misses"
    yield "separable_misses", what, 0.0, left, 0.0


def _overlaps() -> Iterator[Row]:
    """Count the kernels that overlap in each cell of the transposed example."""
    ones = np.ones((1, 2, 2, 1)), np.ones((3, 3, 1, 1))
    overlaps = keras_layer("Conv2DTranspose", *ones)[0, :, :, 0]
    inside = np.zeros(overlaps.shape, bool)
    inside[1:-1, 1:-1] = True
    corner = np.zeros(overlaps.shape, bool)
    corner[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    for name, cells in (("centre", inside), ("corner", corner), ("edge", ~inside & ~corner)):
        for number in overlaps[cells]:
            yield f"overlaps_{name}", "kernels that overlap there", 1.0, float(number), 0.0


def _transpose(rng: np.random.Generator) -> Iterator[Row]:
    """Go there and back with the same kernel."""
    kernel = rng.normal(size=(3, 3, 2, 3))
    image, made = rng.normal(size=(1, 8, 8, 2)), rng.normal(size=(1, 6, 6, 3))
    there = keras_layer("Conv2D", image, kernel)
    for what, start, back in (
        ("Conv2D, then Conv2DTranspose", image, keras_layer("Conv2DTranspose", there, kernel)),
        (
            "Conv2DTranspose, then Conv2D",
            made,
            keras_layer("Conv2D", keras_layer("Conv2DTranspose", made, kernel), kernel),
        ),
    ):
        same = float(back.shape == start.shape)
        yield "round_trip_shape", f"{what}: the shape is that of the input (1: yes)", 1.0, same, 0.0
        # Up to a constant factor, so that a kernel of another size is no reason.
        scale = float((back * start).sum() / (back**2).sum())
        left = float(np.linalg.norm(start - scale * back) / np.linalg.norm(start))
        what = f"{what}, up to a constant factor, loses"
        yield "round_trip", what, 0.0, left, 1e-9
