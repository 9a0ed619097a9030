"""What MobileNet and Xception are built of, counted in Keras's own models."""

from typing import Any

import pandas as pd

FAMILIES = {"mobilenet": "MobileNet", "xception": "Xception"}


def count_families() -> pd.DataFrame:
    """Count the convolutions of `keras.applications`, built without weights, in forward order.

    Returns:
        ``family``; numbers of layers, ``conv``, ``conv_1x1`` (of these), ``depthwise``,
        ``separable`` and ``convolutions`` (all of them); of the depthwise layers,
        ``depthwise_after_conv`` (a Conv2D is the convolution before) and ``depthwise_before_1x1``
        (a 1×1 Conv2D is the next one); ``conv_depthwise_depthwise``, how often two depthwise layers
        follow a Conv2D.
    """
    import keras

    rows = []
    for family, name in FAMILIES.items():
        made = [_kind(layer) for layer in getattr(keras.applications, name)(weights=None).layers]
        kinds = [kind for kind in made if kind]
        simple = ["conv" if kind == "conv_1x1" else kind for kind in kinds]
        pairs = list(zip(simple, kinds[1:], strict=False))
        triples = list(zip(simple, simple[1:], simple[2:], strict=False))
        rows.append(
            {
                "family": family,
                "conv": simple.count("conv"),
                "conv_1x1": kinds.count("conv_1x1"),
                "depthwise": kinds.count("depthwise"),
                "separable": kinds.count("separable"),
                "convolutions": len(kinds),
                "depthwise_after_conv": pairs.count(("conv", "depthwise")),
                "depthwise_before_1x1": pairs.count(("depthwise", "conv_1x1")),
                "conv_depthwise_depthwise": triples.count(("conv", "depthwise", "depthwise")),
            }
        )
    return pd.DataFrame(rows)


def _kind(layer: Any) -> str | None:
    """Return a convolution's kind; None for any other layer."""
    kinds = {"DepthwiseConv2D": "depthwise", "SeparableConv2D": "separable"}
    if type(layer).__name__ == "Conv2D":
        return "conv_1x1" if layer.kernel_size == (1, 1) else "conv"
    return kinds.get(type(layer).__name__)
