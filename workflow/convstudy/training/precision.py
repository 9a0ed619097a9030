"""bfloat16: whether what trains computes it rightly, judged by doing.

bfloat16 has the range of float32 and 8 of its 24 bits, so a wrong kernel, or one that adds up in
bfloat16, looks like rounding until a network is tested. Known kinds of wrong: TensorFlow without
oneDNN, sums that stop at 256, kernels for one input channel or for some shapes alone.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from convstudy.core.environment import processor
from convstudy.core.errors import UserError
from convstudy.layers import models
from convstudy.layers.kinds import Layer, Shape

# Right kernels come to 0.004, the unit roundoff, or 0.011 in two steps; emulation to 0.05 or more.
LARGEST_ERROR = 0.02
CHECKED_IMAGES = 8
# Units (see `environment.UNITS`) on which the grid of tests/unit/training/test_precision.py passes.
GRID_PASSED = ("AVX512-BF16",)


def require_bfloat16(layers: Sequence[Layer]) -> None:
    """Compute each of a network's convolutions, with its gradients, and compare with float32.

    It takes about a second, and less for further networks of the same process.

    Raises:
        UserError: If one is wrong.
    """
    shapes = [models.INPUT_SHAPE, *(cost.output_shape for cost in models.costs(layers))]
    for layer, shape in zip(layers, shapes, strict=False):
        if not layer.type.endswith("Conv2D"):
            continue
        arguments = tuple(sorted(layer.arguments.items()))
        what, error = _largest_error(layer.type, arguments, shape)
        # A comparison with nan is false.
        if not error <= LARGEST_ERROR:
            raise UserError(
                f"training.precision: mixed_bfloat16, but this machine ({processor()}) computes"
                f" {layer.name} ({layer.type} on {shape[0]}x{shape[1]}x{shape[2]}) wrongly: the"
                f" {what} is off by {100 * error:.0f} %; write precision: float32"
            )


@cache
def _largest_error(type_: str, arguments: Any, shape: Shape) -> tuple[str, float]:
    layer = Layer("checked", type_, dict(arguments))
    found = errors(layer, shape, CHECKED_IMAGES, "float32")
    return max(found.items(), key=lambda item: np.nan_to_num(item[1], nan=np.inf))


def errors(layer: Layer, shape: Shape, images: int, reference: str) -> dict[str, float]:
    """Compute a layer as it is trained, in bfloat16, and compare with another precision.

    Args:
        layer: A convolution.
        shape: Of an input, (Y, X, channels).
        images: A batch.
        reference: ``float32`` or ``float64``.

    Returns:
        For the output, the gradient by the input, and that by each weight: the largest difference,
        relative to the true value and the root mean square of all true values.
    """
    expected = compute(layer, shape, images, reference)
    actual = compute(layer, shape, images, "mixed_bfloat16")
    found = {}
    for what, truth in expected.items():
        allowed = np.abs(truth) + np.sqrt(np.mean(truth**2))
        difference = np.abs(actual[what] - truth)
        found[what] = float(np.max(difference / np.where(allowed > 0, allowed, 1)))
    return found


def compute(
    layer: Layer, shape: Shape, images: int, policy: str, magnitudes: bool = False
) -> dict[str, np.ndarray]:
    """Compute a layer's output and gradients, by the engine's own kernels.

    All that goes in is in bfloat16 already, so that only the computation rounds. The gradient
    that comes from above has a mean, and its sum over a batch is large.

    Args:
        layer, shape, images: See `errors`.
        policy: Keras dtype policy.
        magnitudes: Whether to take the absolute values of all that goes in, which bounds all
            rounding.

    Returns:
        ``output``, ``gradient by the input``, and one by each weight's name.
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
        # Cut to the bits that bfloat16 has.
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
