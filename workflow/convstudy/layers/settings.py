"""The settings of the networks: which layers they are made of, and how."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from convstudy.core.section import Config, Mistake, Number, Section, Text


class KindLayer(Section):
    """A layer of a kind; it keeps the size of the feature map.

    Like every convolution, it is followed by BatchNormalization and ReLU.
    """

    type: Literal["Conv2D", "DepthwiseConv2D", "SeparableConv2D"] = "Conv2D"
    """The Keras layer."""

    kernel_size: Annotated[int, Field(ge=1, le=15)] = 3
    """Height and width of the kernel."""

    dilation_rate: Annotated[int, Field(ge=1, le=8)] = 1
    """Distance between the kernel's taps."""

    groups: Annotated[int, Field(ge=1, le=1024)] = 1
    """Groups of channels that are convolved separately; only for Conv2D."""

    depth_multiplier: Annotated[int, Field(ge=1, le=16)] = 1
    """Filters per input channel; only for DepthwiseConv2D and SeparableConv2D."""

    use_bias: bool = True
    """Whether each output channel has a bias."""


class Kind(Section):
    """A kind of layer: one Keras layer, or a few that always follow each other."""

    label: Text | None = None
    """Its name in tables and plots; by default the kind's own."""

    layers: Annotated[list[KindLayer], Field(min_length=1, max_length=4)] = [KindLayer()]
    """Its layers in order; by default one 3x3 Conv2D."""


def _kind(type_: Any) -> Kind:
    return Kind(label=type_, layers=[KindLayer(type=type_)])


class Stage(Section):
    """A stage: layers on feature maps of one size, after a 1x1 Conv2D that sets the channels."""

    channels: Annotated[int, Field(ge=1, le=4096)]
    """Channels, times the width."""

    layers: Annotated[int, Field(ge=1, le=16)] = 2
    """Layers in the networks with one kind of layer."""

    pooling: Annotated[int, Field(ge=1, le=8)] = 2
    """Size of the average pooling before the stage; 1 for none."""


Side = Annotated[int, Field(ge=1, le=512)]
InputShape = Annotated[list[Side], Field(min_length=3, max_length=3)]
# Modules are named after their kinds, and files after modules.
KindName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,19}$")]


class Model(Section):
    """The networks in question. The defaults are the article's.

    Changing a key here means new curves. With other kinds, stages or modules than the article's,
    the report leaves out the comparison with the article.
    """

    width: Annotated[Number, Field(ge=0.03125, le=8)] = 0.25
    """Factor on the channels of all stages."""

    batch_normalization_momentum: Annotated[Number, Field(ge=0, lt=1)] = 0.9
    """Momentum of the moving averages in BatchNormalization.

    Keras's own 0.99 stays at chance for many epochs on a few thousand images.
    """

    input_shape: InputShape = [32, 32, 3]
    """Height, width and channels (1 or 3) of the images; CIFAR-10's are [32, 32, 3]."""

    classes: Annotated[int, Field(ge=2, le=256)] | None = None
    """Number of classes of images of one's own; null means CIFAR-10's ten."""

    kinds: Annotated[dict[KindName, Kind], Field(min_length=1, max_length=8)] = {
        "conv": _kind("Conv2D"),
        "depthwise": _kind("DepthwiseConv2D"),
        "separable": _kind("SeparableConv2D"),
    }
    """The kinds of layer by name, up to eight; `NAME: null` removes one.

    The others are compared with the first one.
    """

    stages: Annotated[list[Stage], Field(min_length=1, max_length=6)] = [
        Stage(channels=64, layers=2, pooling=1),
        Stage(channels=128, layers=2, pooling=2),
        Stage(channels=256, layers=2, pooling=2),
    ]
    """The stages in order; a list replaces this one as a whole."""

    module_layers: Annotated[int, Field(ge=2, le=8)] = 3
    """Layers of a module, each of any kind; every stage holds the same module."""


# Settings of a layer that only some types have.
ONLY = {"groups": ("Conv2D",), "depth_multiplier": ("DepthwiseConv2D", "SeparableConv2D")}


def mistakes(config: Config) -> Iterator[Mistake]:
    """Find kinds that Keras cannot build, or that fit no stage."""
    from convstudy.layers.kinds import UncountableError
    from convstudy.layers.networks import Networks, costs

    model, found = config["model"], False
    for name, kind in model["kinds"].items():
        for place, layer in enumerate(kind["layers"]):
            path = ("model", "kinds", name, "layers", place)
            for key, types in ONLY.items():
                if layer[key] != 1 and layer["type"] not in types:
                    found = True
                    what = f"{layer[key]}, but a {layer['type']} has no {key}; write {key}: 1"
                    yield Mistake((*path, key), what)
    *sides, channels = model["input_shape"]
    if channels not in (1, 3):
        found = True
        what = (
            f"{channels} channels, but images have 3 (colour) or 1 (grey); write one of them last"
        )
        yield Mistake(("model", "input_shape"), what)
    size = min(sides)
    for place, stage in enumerate(model["stages"]):
        if stage["pooling"] > size:
            found = True
            what = f"{stage['pooling']}, but the feature map has only {size}x{size} cells; write 1"
            yield Mistake(("model", "stages", place, "pooling"), what)
            break
        size //= stage["pooling"]
    if found:
        return
    networks = Networks.of(model)
    for name in networks.kinds:
        # The first layer in a stage gets the stage's channels, the next one perhaps more.
        for width in dict.fromkeys((model["width"], 1.0)):
            try:
                costs(networks.architecture((name, name), width))
            except UncountableError as error:
                where = ("model", "kinds", name, "layers", error.place, "groups")
                yield Mistake(where, f"{error}, at width {width:g}; write another number of groups")
                break
