"""Layer kinds: the building blocks of models, and their costs in closed form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

Shape = tuple[int, ...]
# Keras's defaults; arguments that have them are left out of a layer's description.
DEFAULTS = {"dilation_rate": 1, "groups": 1, "depth_multiplier": 1, "use_bias": True}


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
    """A kind of layer that a stage can hold, with ``padding="same"``.

    Attributes:
        name: Name in model names, results and the search space.
        label: Name in tables and plots.
        parts: Its layers: class in ``keras.layers`` and those keyword arguments that differ from
            Keras's defaults.

    Example:
        >>> dilated = LayerKind.of("dilated", {"layers": [{"type": "Conv2D", "dilation_rate": 2}]})
        >>> dilated.layers("stage1_layer1", channels=64)[0].arguments["filters"]
        64
    """

    name: str
    label: str = field(compare=False)
    parts: tuple[tuple[str, dict[str, Any]], ...]

    @classmethod
    def of(cls, name: str, kind: Mapping[str, Any]) -> "LayerKind":
        """Make a kind from its section of the config."""
        parts = []
        for layer in kind["layers"]:
            own = {
                key: layer[key] for key, same in DEFAULTS.items() if layer.get(key, same) != same
            }
            parts.append((layer["type"], {"kernel_size": layer.get("kernel_size", 3), **own}))
        return cls(name, kind.get("label") or name, tuple(parts))

    def layers(self, name: str, channels: int) -> list[Layer]:
        """Return the layers of this kind with `channels` output channels.

        They have the given name or, of several, a number after it.
        """
        made = []
        for number, (type_, own) in enumerate(self.parts, start=1):
            arguments = {**own, "padding": "same"}
            # A depthwise layer cannot change the number of channels, so it takes no such argument.
            if type_ != "DepthwiseConv2D":
                arguments["filters"] = channels
            numbered = f"{name}_{number}" if len(self.parts) > 1 else name
            made.append(Layer(numbered, type_, arguments))
        return made

    @property
    def mixes_channels(self) -> bool:
        """Whether an output channel depends on all input channels."""
        return any(
            type_ != "DepthwiseConv2D" and own.get("groups", 1) == 1 for type_, own in self.parts
        )


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


class UncountableError(ValueError):
    """A layer that cannot be: its groups do not divide its channels.

    Attributes:
        place: The layer's place in its kind, from 0.
    """

    def __init__(self, layer: Layer, channels: int) -> None:
        groups, filters = layer.arguments["groups"], layer.arguments["filters"]
        _, _, number = layer.name.rpartition("_")
        self.place = int(number) - 1 if number.isdigit() else 0
        super().__init__(
            f"{groups}, but it must divide the {channels} channels and {filters} filters of"
            f" {layer.name}"
        )


def cost(layer: Layer, input_shape: Shape) -> Cost:
    """Count a layer's parameters and multiply-accumulates in closed form.

    Args:
        layer: The layer; strides are 1 and padding keeps the size.
        input_shape: (Y, X, channels), or (channels,) for a dense layer.

    Returns:
        Conv2D has k²·N·M/groups weights, DepthwiseConv2D k²·N·depth_multiplier, SeparableConv2D the
        latter plus N·depth_multiplier·M for its pointwise half, whatever the dilation; each output
        channel has a bias, if there is one. BatchNormalization has four numbers per channel, two of
        them trainable.

    Raises:
        UncountableError: If the groups do not divide the channels.
        ValueError: If the layer's type has no formula here.
    """
    *space, channels = input_shape
    positions = prod(space)
    arguments = layer.arguments
    taps = arguments.get("kernel_size", 1) ** 2
    groups = arguments.get("groups", 1)
    multiplied = channels * arguments.get("depth_multiplier", 1)
    filters = arguments.get("filters", multiplied)
    if layer.type == "Conv2D":
        if channels % groups or filters % groups:
            raise UncountableError(layer, channels)
        weights = taps * (channels // groups) * filters
    elif layer.type == "DepthwiseConv2D":
        weights = taps * multiplied
    elif layer.type == "SeparableConv2D":
        weights = taps * multiplied + multiplied * filters
    elif layer.type == "BatchNormalization":
        return Cost(input_shape, 4 * channels, 2 * channels)
    elif layer.type == "InputLayer":
        return Cost(tuple(arguments["shape"]))
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
    parameters = weights + filters * arguments.get("use_bias", True)
    return Cost((*space, filters), parameters, parameters, weights * positions)
