"""Build networks from layer kinds, as plain data, as counts, or as a Keras model.

The network is the article's. Each of three stages has a 1x1 Conv2D that sets the number of
channels, then layers of the given kinds; every convolution is followed by BatchNormalization and
ReLU. Average pooling separates the stages; global average pooling and a softmax layer come last.
"""

from collections.abc import Sequence
from dataclasses import astuple
from itertools import product
from typing import Any

from convstudy.layers.kinds import KINDS, Cost, Layer, cost

INPUT_SHAPE = (32, 32, 3)
CLASSES = 10
STAGE_CHANNELS = (64, 128, 256)
SINGLE_KIND_LAYERS = 2
MODULE_LAYERS = 3
# Names of the layers in tables and in the search space.
POSITIONS = tuple(f"layer{position}" for position in range(1, MODULE_LAYERS + 1))


def single_kind_models() -> dict[str, tuple[str, ...]]:
    """Return each stage's layer kinds for every single-kind model, by the model's name."""
    return {kind: (kind,) * SINGLE_KIND_LAYERS for kind in KINDS}


def modules() -> dict[str, tuple[str, ...]]:
    """Return every combination of layer kinds that the studies search, by name."""
    return {"-".join(kinds): kinds for kinds in product(KINDS, repeat=MODULE_LAYERS)}


def architecture(kinds: Sequence[str], width: float = 1.0, momentum: float = 0.99) -> list[Layer]:
    """Describe the network whose stages hold layers of the given kinds.

    Args:
        kinds: Layer kinds of every stage, in order.
        width: Multiplies the stages' 64, 128 and 256 channels.
        momentum: Momentum of the moving averages in BatchNormalization.

    Returns:
        The layers in forward order.
    """
    layers = [Layer("rescaling", "Rescaling", {"scale": 1 / 255})]
    for stage, full_channels in enumerate(STAGE_CHANNELS, start=1):
        channels = max(1, round(full_channels * width))
        if stage > 1:
            layers.append(Layer(f"stage{stage}_pool", "AveragePooling2D", {"pool_size": 2}))
        adjust = Layer(f"stage{stage}_adjust", "Conv2D", {"filters": channels, "kernel_size": 1})
        chosen = [
            KINDS[kind].layer(f"stage{stage}_layer{position}", channels)
            for position, kind in enumerate(kinds, start=1)
        ]
        for layer in (adjust, *chosen):
            layers += [
                layer,
                Layer(f"{layer.name}_norm", "BatchNormalization", {"momentum": momentum}),
                Layer(f"{layer.name}_relu", "ReLU"),
            ]
    return [
        *layers,
        Layer("pool", "GlobalAveragePooling2D"),
        Layer("classifier", "Dense", {"units": CLASSES, "activation": "softmax"}),
    ]


def costs(layers: Sequence[Layer]) -> list[Cost]:
    """Count every layer of a network in closed form, in order."""
    counted: list[Cost] = []
    shape: tuple[int, ...] = INPUT_SHAPE
    for layer in layers:
        counted.append(cost(layer, shape))
        shape = counted[-1].output_shape
    return counted


def total(counted: Sequence[Cost]) -> Cost:
    """Sum the costs of a network's layers; the output shape is that of the last one."""
    _, *numbers = zip(*(astuple(layer) for layer in counted), strict=True)
    return Cost(counted[-1].output_shape, *(sum(column) for column in numbers))


def parameters(kinds: Sequence[str], width: float = 1.0) -> int:
    """Count the parameters of a network in closed form."""
    return total(costs(architecture(kinds, width))).parameters


def build(layers: Sequence[Layer]) -> Any:
    """Build the Keras model of a network.

    Returns:
        A model from images, uint8 of shape (batch, 32, 32, 3), to class probabilities, (batch, 10).
    """
    import keras

    mixed = keras.config.dtype_policy().name.startswith("mixed")
    output = image = keras.Input(INPUT_SHAPE, dtype="uint8")
    for layer in layers:
        arguments = dict(layer.arguments)
        # bfloat16 has too few bits for pixel values, and makes the loss inaccurate.
        if layer.type == "Dense" or (layer.type == "Rescaling" and mixed):
            arguments["dtype"] = "float32"
        output = getattr(keras.layers, layer.type)(name=layer.name, **arguments)(output)
    return keras.Model(image, output)
