"""Check that this machine computes bfloat16 correctly, by trying it.

bfloat16 has the range of float32 but only 8 of its 24 bits of precision, so a wrong kernel, or one
that sums in bfloat16, looks like rounding until a network is tested. Known defects: TensorFlow
without oneDNN, sums that stop at 256, kernels for one input channel or for certain shapes.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from convstudy.core.environment import processor
from convstudy.core.errors import UserError
from convstudy.layers.kinds import Layer, Shape
from convstudy.layers.networks import INPUT_SHAPE, costs

# Correct kernels reach 0.004, the unit roundoff, or 0.011 in two steps; emulation 0.05 or more.
LARGEST_ERROR = 0.02
CHECKED_IMAGES = 8
# Units (see `environment.UNITS`) on which the grid in tests/unit/training/test_precision.py passes.
GRID_PASSED = ("AVX512-BF16", "AMX")


def require_bfloat16(layers: Sequence[Layer]) -> None:
    """Check each of a network's convolutions and its gradients against float32.

    This takes about a second, less for further networks in the same process.

    Raises:
        UserError: If any is wrong.
    """
    shapes = [INPUT_SHAPE, *(cost.output_shape for cost in costs(layers))]
    for layer, shape in zip(layers, shapes, strict=False):
        if not layer.type.endswith("Conv2D"):
            continue
        arguments = tuple(sorted(layer.arguments.items()))
        what, error = _largest_error(layer.type, arguments, shape)
        # A comparison with nan is false.
        if not error <= LARGEST_ERROR:
            raise UserError(
                f"training.precision: mixed_bfloat16, but this machine ({processor()}) computes"
                f" {layer.name} ({layer.type} on {shape[0]}x{shape[1]}x{shape[2]}) incorrectly: the"
                f" {what} is off by {100 * error:.0f} %; write precision: float32"
            )


@cache
def _largest_error(type_: str, arguments: Any, shape: Shape) -> tuple[str, float]:
    layer = Layer("checked", type_, dict(arguments))
    relative = errors(layer, shape, CHECKED_IMAGES, "float32")
    return max(relative.items(), key=lambda item: np.nan_to_num(item[1], nan=np.inf))


def errors(layer: Layer, shape: Shape, images: int, reference: str) -> dict[str, float]:
    """Compute a layer in bfloat16, as in training, and compare with another precision.

    Args:
        layer: A convolution.
        shape: Shape of an input, (Y, X, channels).
        images: Batch size.
        reference: ``float32`` or ``float64``.

    Returns:
        For the output and the gradients by the input and by each weight: the largest difference,
        relative to the true value plus the root mean square of all true values.
    """
    expected = compute(layer, shape, images, reference)
    actual = compute(layer, shape, images, "mixed_bfloat16")
    relative = {}
    for what, truth in expected.items():
        allowed = np.abs(truth) + np.sqrt(np.mean(truth**2))
        difference = np.abs(actual[what] - truth)
        relative[what] = float(np.max(difference / np.where(allowed > 0, allowed, 1)))
    return relative


def compute(
    layer: Layer, shape: Shape, images: int, policy: str, magnitudes: bool = False
) -> dict[str, np.ndarray]:
    """Compute a layer's output and gradients with the engine's kernels.

    All inputs are exact in bfloat16, so that only the computation rounds. The upstream gradient has
    a non-zero mean, so its sum over a batch is large.

    Args:
        layer, shape, images: See `errors`.
        policy: Keras dtype policy.
        magnitudes: Whether to use the absolute values of all inputs, which bounds the rounding
            errors.

    Returns:
        ``output``, ``gradient by the input``, and a gradient for each weight, by its name.
    """
    import keras

    from convstudy.training.engine.backends import compiled_call
    from convstudy.training.engine.kernels import training_kernels

    rng = np.random.default_rng(0)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        made = getattr(keras.layers, layer.type)(**layer.arguments)
        image = keras.Input(shape, dtype=made.compute_dtype)
        model = keras.Model(image, made(image))
    finally:
        keras.config.set_dtype_policy(before)

    def drawn(size: Shape, mean: float) -> np.ndarray:
        values = rng.normal(mean, 1.0, size).astype("float32")
        # Truncate to the bits of bfloat16.
        values = (values.view(np.uint32) & 0xFFFF0000).view(np.float32)
        return np.abs(values) if magnitudes else values

    def tensor(size: Shape, mean: float) -> Any:
        return keras.ops.cast(drawn(size, mean), made.compute_dtype)

    for weight in made.weights:
        weight.assign(drawn(weight.shape, 0.0))
    call = compiled_call(model, gradients=True)
    with training_kernels(model):
        output, gradients = call(
            tensor((images, *shape), 0.0), tensor((images, *model.output_shape[1:]), 0.5)
        )
    names = ["output", "gradient by the input"]
    names += [f"gradient by the {weight.name}" for weight in made.trainable_weights]
    values = (keras.ops.cast(one, "float64") for one in (output, *gradients))
    return {
        name: np.asarray(keras.ops.convert_to_numpy(value))
        for name, value in zip(names, values, strict=True)
    }
