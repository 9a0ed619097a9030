"""The settings of the networks."""

from typing import Annotated

from pydantic import Field

from convstudy.core.section import Number, Section


class Model(Section):
    """Size and normalisation of the networks.

    Changing a key here means new curves.
    """

    width: Annotated[Number, Field(ge=0.03125, le=8)] = 0.25
    """Factor on the 64, 128 and 256 channels of the three stages."""

    batch_normalization_momentum: Annotated[Number, Field(ge=0, lt=1)] = 0.9
    """Momentum of the moving averages in BatchNormalization.

    Keras's own 0.99 stays at chance for many epochs on a few thousand images.
    """
