"""Layer kinds: the building blocks of models, and their costs in closed form.

To add a kind, add one entry to `KINDS`; models, counts, studies and plots follow.
"""

from dataclasses import dataclass, field
from math import prod
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One layer of a network, as plain data.

    Attributes:
        name: Name within the model, such as ``stage1_layer2``.
        type: Class in ``keras.layers``.
        arguments: Keyword arguments of that class.

    Example:
        >>> Layer("stage1_pool", "AveragePooling2D", {"pool_size": 2}).type
        'AveragePooling2D'
    """

    name: str
    type: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LayerKind:
    """A kind of 3x3 layer that a stage can hold, with ``padding="same"`` and a bias.

    Attributes:
        name: Name in model names, results and the search space.
        label: Name in tables and plots.
        type: Class in ``keras.layers``.
        arguments: Its keyword arguments; a grouped, dilated or 5x5 kind differs only here.

    Example:
        >>> dilated = LayerKind("dilated", "Dilated", "Conv2D", {"dilation_rate": 2})
        >>> dilated.layer("stage1_layer1", channels=64).arguments["filters"]
        64
    """

    name: str
    label: str
    type: str
    arguments: dict[str, Any] = field(default_factory=lambda: {"kernel_size": 3})

    def layer(self, name: str, channels: int) -> Layer:
        """Return a layer of this kind with `channels` output channels."""
        arguments = {**self.arguments, "padding": "same"}
        # A depthwise layer cannot change the number of channels, so it takes no such argument.
        if self.type != "DepthwiseConv2D":
            arguments["filters"] = channels
        return Layer(name, self.type, arguments)


KINDS: dict[str, LayerKind] = {
    kind.name: kind
    for kind in (
        LayerKind("conv", "Conv2D", "Conv2D"),
        LayerKind("depthwise", "DepthwiseConv2D", "DepthwiseConv2D"),
        LayerKind("separable", "SeparableConv2D", "SeparableConv2D"),
    )
}


@dataclass(frozen=True)
class Cost:
    """The cost of a layer.

    Attributes:
        output_shape: (Y, X, channels), or (channels,) after global pooling.
        parameters: Number of weights, biases and statistics.
        trainable: How many of them are trained.
        macs: Multiply-accumulate operations of one image's forward pass in convolutions and the
            dense layer; biases, normalisation, activation and pooling are left out.
    """

    output_shape: Shape
    parameters: int = 0
    trainable: int = 0
    macs: int = 0


def cost(layer: Layer, input_shape: Shape) -> Cost:
    """Count a layer's parameters and multiply-accumulates in closed form.

    Args:
        layer: The layer; strides are 1 and padding keeps the size.
        input_shape: (Y, X, channels), or (channels,) for a dense layer.

    Returns:
        Conv2D has k²·N·M/groups weights, DepthwiseConv2D k²·N·depth_multiplier, SeparableConv2D the
        latter plus N·depth_multiplier·M for its pointwise half; each output channel has a bias.
        BatchNormalization has four numbers per channel, two of them trainable.

    Raises:
        ValueError: If the layer's type has no formula here.
    """
    *space, channels = input_shape
    positions = prod(space)
    arguments = layer.arguments
    taps = arguments.get("kernel_size", 1) ** 2
    multiplied = channels * arguments.get("depth_multiplier", 1)
    filters = arguments.get("filters", multiplied)
    if layer.type == "Conv2D":
        weights = taps * (channels // arguments.get("groups", 1)) * filters
    elif layer.type == "DepthwiseConv2D":
        weights = taps * multiplied
    elif layer.type == "SeparableConv2D":
        weights = taps * multiplied + multiplied * filters
    elif layer.type == "BatchNormalization":
        return Cost(input_shape, 4 * channels, 2 * channels)
    elif layer.type in ("ReLU", "Rescaling"):
        return Cost(input_shape)
    elif layer.type == "AveragePooling2D":
        return Cost((*(size // arguments["pool_size"] for size in space), channels))
    elif layer.type == "GlobalAveragePooling2D":
        return Cost((channels,))
    elif layer.type == "Dense":
        units = arguments["units"]
        return Cost((units,), (channels + 1) * units, (channels + 1) * units, channels * units)
    else:
        raise ValueError(f"no closed form for a layer of type {layer.type}")
    parameters = weights + filters
    return Cost((*space, filters), parameters, parameters, weights * positions)
