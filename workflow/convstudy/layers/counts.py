"""Tables of parameters and multiply-accumulates, and their agreement with Keras and the article."""

import logging
from math import prod

import pandas as pd

from convstudy.article import facts
from convstudy.core.errors import UserError
from convstudy.layers.networks import Kinds, Networks, build, costs, total

# About how many models are also built in Keras, which takes a tenth of a second each.
MOST_BUILT = 30
# Layer types counted as layers of a network.
WEIGHTED = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense")

logger = logging.getLogger(__name__)


def count_models(networks: Networks, trained_width: float) -> pd.DataFrame:
    """Count every model at width 1 and at the trained width.

    Returns:
        ``model``, ``layer1`` and so on (kinds of the layers in the first stage),
        ``weighted_layers`` (convolutions and the last layer), ``parameters``,
        ``trainable``, ``macs`` (of one image's forward pass), and ``trained_width`` with those
        three counts at that width.
    """
    rows, nothing = [], [None] * networks.module_layers
    for name, kinds in networks.all_models().items():
        architecture = networks.architecture(kinds)
        full, trained = total(costs(architecture)), networks.count(kinds, trained_width)
        first = kinds[0] if name in networks.kinds else kinds
        rows.append(
            {
                "model": name,
                **dict(zip(networks.positions, [*first, *nothing], strict=False)),
                "weighted_layers": sum(layer.type in WEIGHTED for layer in architecture),
                "parameters": full.parameters,
                "trainable": full.trainable,
                "macs": full.macs,
                "trained_width": trained_width,
                "trained_parameters": trained.parameters,
                "trained_trainable": trained.trainable,
                "trained_macs": trained.macs,
            }
        )
    return pd.DataFrame(rows)


def count_layers(networks: Networks) -> pd.DataFrame:
    """Count every layer of every model at width 1.

    Returns:
        ``model``, ``layer``, ``type``, ``output_shape``, ``parameters``, ``trainable``, ``macs``.
    """
    rows = []
    for name, kinds in networks.all_models().items():
        layers = networks.architecture(kinds)
        for layer, cost in zip(layers, costs(layers), strict=True):
            shape = "x".join(map(str, cost.output_shape))
            numbers = (cost.parameters, cost.trainable, cost.macs)
            rows.append((name, layer.name, layer.type, shape, *numbers))
    columns = ["model", "layer", "type", "output_shape", "parameters", "trainable", "macs"]
    return pd.DataFrame(rows, columns=columns)


def checked_models(networks: Networks, most: int = MOST_BUILT) -> dict[str, Kinds]:
    """Return the models whose counts are compared with Keras's, which takes time.

    A model's count is the sum over its layers, and these have every kind.
    """
    models = networks.all_models()
    step = -(-len(models) // most)
    kept = {*networks.kinds, *(list(models)[::step])}
    return {name: kinds for name, kinds in models.items() if name in kept}


def verify(networks: Networks, trained_width: float, most: int = MOST_BUILT) -> pd.DataFrame:
    """Build models in Keras and compare their counts with the closed form and the article.

    Args:
        networks: Those of the run.
        trained_width: The width that is trained, besides 1.
        most: How many modules are compared, evenly spread, besides the single-kind networks.

    Returns:
        ``model``, ``width``, ``closed_form``, ``count_params`` (Keras's own), ``sum_of_weights``,
        ``trainable_closed_form``, ``trainable_weights``, ``article`` (the printed count, if any),
        ``passed``.
    """
    import keras

    printed = facts.parameter_counts() if networks.is_article else {}
    rows = []
    for width in dict.fromkeys((1.0, trained_width)):
        for name, kinds in checked_models(networks, most).items():
            layers = networks.architecture(kinds, width)
            counted = total(costs(layers))
            # Only shapes are counted, so no weight needs a value.
            with keras.StatelessScope(initialize_variables=False):
                built = build(layers)
            row = {
                "model": name,
                "width": width,
                "closed_form": counted.parameters,
                "count_params": built.count_params(),
                "sum_of_weights": sum(prod(weight.shape) for weight in built.weights),
                "trainable_closed_form": counted.trainable,
                "trainable_weights": sum(prod(weight.shape) for weight in built.trainable_weights),
                "article": printed.get(name) if width == 1 else None,
            }
            counts = {row["closed_form"], row["count_params"], row["sum_of_weights"]}
            row["passed"] = (
                counts == {row["article"] or row["closed_form"]}
                and row["trainable_closed_form"] == row["trainable_weights"]
            )
            rows.append(row)
    return pd.DataFrame(rows).astype({"article": "Int64"})


def require_agreement(table: pd.DataFrame) -> None:
    """Raise an error if any model's counts disagree.

    Raises:
        UserError: With the names of those models.
    """
    failed = table.loc[~table["passed"], ["model", "width"]]
    if len(failed):
        names = ", ".join(f"{row.model} at width {row.width:g}" for row in failed.itertuples())
        raise UserError(f"parameter counts disagree: {names}; see results/verification/counts.csv")
    logger.info("the counts of %d models agree", len(table))
