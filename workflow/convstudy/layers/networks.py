"""The networks of a config: kinds of layer in stages, as plain data, as counts, as Keras models.

Each stage has a 1x1 Conv2D that sets the number of channels, then layers of the given kinds; every
convolution is followed by BatchNormalization and ReLU. Average pooling separates the stages;
global average pooling and a softmax layer come last. By default, the networks are the article's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from itertools import product
from typing import Any

from convstudy.layers.kinds import Cost, Layer, LayerKind, Shape, cost
from convstudy.layers.settings import Model

INPUT_SHAPE = (32, 32, 3)
CLASSES = 10
# Larger search spaces are counted in part.
MOST_COUNTED = 1024

# Kinds of every stage, or of each stage if they differ.
Kinds = Sequence[str] | Sequence[Sequence[str]]


@dataclass(frozen=True)
class Networks:
    """The kinds of layer, the stages, and the modules that can be made of them.

    Attributes:
        kinds: By name; the others are compared with the first.
        stages: ``channels`` at width 1, ``layers`` of a single-kind network, and ``pooling``
            before the stage (1 for none).
        module_layers: Layers of a module.
        input_shape: Of an image, (Y, X, channels).
        own_classes: Number of classes of one's own images; none for CIFAR-10's ten.

    Example:
        >>> networks = Networks.of({"module_layers": 2})
        >>> len(networks.modules()), networks.is_article
        (9, False)
    """

    kinds: Mapping[str, LayerKind]
    stages: tuple[Mapping[str, int], ...]
    module_layers: int
    input_shape: Shape
    own_classes: int | None

    @classmethod
    def of(cls, model: Mapping[str, Any]) -> "Networks":
        """Take them from the config's ``model`` section; what it leaves out is the article's."""
        model = {**_ARTICLE, **model}
        kinds = {name: LayerKind.of(name, kind) for name, kind in model["kinds"].items()}
        shape = tuple(model["input_shape"])
        return cls(kinds, tuple(model["stages"]), model["module_layers"], shape, model["classes"])

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.own_classes or CLASSES

    @cached_property
    def is_article(self) -> bool:
        """Whether these are the article's networks."""
        # In the same order, too: the first is the reference.
        return self == ARTICLE and list(self.kinds) == list(ARTICLE.kinds)

    @property
    def positions(self) -> tuple[str, ...]:
        """Names of a module's layers in tables and in the search space."""
        return tuple(f"layer{position}" for position in range(1, self.module_layers + 1))

    @property
    def space(self) -> dict[str, list[str]]:
        """The search space: the kinds that each position may have."""
        return {position: list(self.kinds) for position in self.positions}

    @property
    def reference(self) -> str:
        """The kind that the others are compared with."""
        return next(iter(self.kinds))

    @property
    def reference_module(self) -> str:
        """The module of that kind alone."""
        return "-".join([self.reference] * self.module_layers)

    @property
    def replacements(self) -> list[str]:
        """The other kinds that mix channels, as the first must be replaced by; or all others."""
        others = [kind for kind in self.kinds if kind != self.reference]
        return [kind for kind in others if self.kinds[kind].mixes_channels] or others

    @property
    def number_of_modules(self) -> int:
        """Size of the search space."""
        return len(self.kinds) ** self.module_layers

    def describe(self, width: float) -> str:
        """Describe them in one line, at a width."""
        labels = ", ".join(kind.label for kind in self.kinds.values())
        channels = ", ".join(str(max(1, round(one["channels"] * width))) for one in self.stages)
        return (
            f"{labels}; stages of {channels} channels; {self.number_of_modules:,} modules of"
            f" {self.module_layers} layers"
        )

    def label(self, kind: str) -> str:
        """Return a kind's name in tables and plots."""
        return self.kinds[kind].label

    def single_kind(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """Return the kinds of each stage for every single-kind network, by kind."""
        layers = [stage["layers"] for stage in self.stages]
        return {kind: tuple((kind,) * number for number in layers) for kind in self.kinds}

    def stacks(self, most: int) -> dict[str, tuple[str, ...]]:
        """Return the kinds of every stage for one to `most` layers of each kind, by `stack`."""
        numbers = range(1, most + 1)
        return {stack(kind, one): (kind,) * one for kind in self.kinds for one in numbers}

    def modules(self) -> dict[str, tuple[str, ...]]:
        """Return every combination of kinds that the studies search, by name."""
        return {"-".join(one): one for one in product(self.kinds, repeat=self.module_layers)}

    def counted_modules(self) -> dict[str, tuple[str, ...]]:
        """Return all modules or, of too many, some with each kind at each position."""
        if self.number_of_modules <= MOST_COUNTED:
            return self.modules()
        kinds = list(self.kinds)
        some = [[one] * self.module_layers for one in kinds]
        some += [
            [kinds[(place + first) % len(kinds)] for place in range(self.module_layers)]
            for first in range(len(kinds))
        ]
        return {"-".join(one): tuple(one) for one in some}

    def all_models(self) -> dict[str, Kinds]:
        """Return the kinds of the single-kind networks and of the modules, by name."""
        return {**self.single_kind(), **self.counted_modules()}

    def kinds_of(self, model: str) -> Kinds:
        """Return the kinds of a single-kind network, or of a module, by its name."""
        return self.single_kind()[model] if model in self.kinds else tuple(model.split("-"))

    def per_stage(self, kinds: Kinds) -> list[Sequence[str]]:
        """Return the kinds of each stage."""
        same = [kind for kind in kinds if isinstance(kind, str)]
        if same:
            return [same] * len(self.stages)
        return [kind for kind in kinds if not isinstance(kind, str)]

    def name_of(self, kinds: Kinds) -> str:
        """Return a network's name, of the kinds of its first stage or, if they differ, of each."""
        stages = dict.fromkeys("-".join(one) for one in self.per_stage(kinds))
        return "_".join(stages)

    def architecture(self, kinds: Kinds, width: float = 1.0, momentum: float = 0.99) -> list[Layer]:
        """Describe a network.

        Args:
            kinds: Its layer kinds, in order.
            width: Multiplies the stages' channels.
            momentum: Momentum of the moving averages in BatchNormalization.

        Returns:
            The layers in forward order.

        Example:
            >>> len(ARTICLE.architecture(("conv", "conv")))
            32
        """
        layers = [Layer("rescaling", "Rescaling", {"scale": 1 / 255})]
        if self.input_shape != INPUT_SHAPE:
            layers.insert(0, Layer("image", "InputLayer", {"shape": list(self.input_shape)}))
        stages = zip(self.stages, self.per_stage(kinds), strict=True)
        for number, (stage, mine) in enumerate(stages, start=1):
            channels = max(1, round(stage["channels"] * width))
            if stage["pooling"] > 1:
                size = {"pool_size": stage["pooling"]}
                layers.append(Layer(f"stage{number}_pool", "AveragePooling2D", size))
            convolutions = [
                Layer(f"stage{number}_adjust", "Conv2D", {"filters": channels, "kernel_size": 1})
            ]
            for position, kind in enumerate(mine, start=1):
                name = f"stage{number}_layer{position}"
                convolutions += self.kinds[kind].layers(name, channels)
            for layer in convolutions:
                layers += [
                    layer,
                    Layer(f"{layer.name}_norm", "BatchNormalization", {"momentum": momentum}),
                    Layer(f"{layer.name}_relu", "ReLU"),
                ]
        return [
            *layers,
            Layer("pool", "GlobalAveragePooling2D"),
            Layer("classifier", "Dense", {"units": self.classes, "activation": "softmax"}),
        ]

    def count(self, kinds: Kinds, width: float = 1.0) -> Cost:
        """Count a network in closed form."""
        return total(costs(self.architecture(kinds, width)))

    def parameters(self, kinds: Kinds, width: float = 1.0) -> int:
        """Count the parameters of a network in closed form."""
        return self.count(kinds, width).parameters


def stack(kind: str, layers: int) -> str:
    """Return the name of a network with so many layers of one kind in each stage."""
    return f"{kind}_{layers}"


def with_layers(model: Mapping[str, Any], layers: int) -> dict[str, Any]:
    """Return the config's ``model`` section with this many layers in each stage."""
    return {**model, "stages": [{**stage, "layers": layers} for stage in model["stages"]]}


def costs(layers: Sequence[Layer], shape: Shape = INPUT_SHAPE) -> list[Cost]:
    """Count consecutive layers in closed form, in order.

    Args:
        layers: The layers.
        shape: Of the input, (Y, X, channels), unless the first layer says it.

    Raises:
        UncountableError: If a layer's groups do not divide its channels.
    """
    counted: list[Cost] = []
    for layer in layers:
        counted.append(cost(layer, shape))
        shape = counted[-1].output_shape
    return counted


def total(counted: Sequence[Cost]) -> Cost:
    """Sum the costs of a network's layers; the output shape is that of the last one."""
    _, *numbers = zip(*(astuple(layer) for layer in counted), strict=True)
    return Cost(counted[-1].output_shape, *(sum(column) for column in numbers))


def build(layers: Sequence[Layer]) -> Any:
    """Build the Keras model of a network.

    Returns:
        A model from images, uint8 of shape (batch, Y, X, channels), to class probabilities, (batch,
        classes).
    """
    import keras

    mixed = keras.config.dtype_policy().name.startswith("mixed")
    shape = INPUT_SHAPE
    if layers[0].type == "InputLayer":
        shape, layers = layers[0].arguments["shape"], layers[1:]
    output = image = keras.Input(shape, dtype="uint8")
    for layer in layers:
        arguments = dict(layer.arguments)
        # bfloat16 has too few bits for pixel values, and makes the loss inaccurate.
        if layer.type == "Dense" or (layer.type == "Rescaling" and mixed):
            arguments["dtype"] = "float32"
        output = getattr(keras.layers, layer.type)(name=layer.name, **arguments)(output)
    return keras.Model(image, output)


def positions_in(columns: Iterable[str]) -> list[str]:
    """Return the columns of a table that hold a module's layers.

    Example:
        >>> positions_in(["module", "layer1", "layer2", "parameters"])
        ['layer1', 'layer2']
    """
    return [name for name in columns if re.fullmatch(r"layer\d+", name)]


_ARTICLE = Model().model_dump()
ARTICLE = Networks.of({})
