"""A figure of an analysis: how it is drawn, and its main numbers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from convstudy.results.run import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Drawing(NamedTuple):
    """A figure, whose caption is the file ``captions/NAME.rst`` beside it.

    Attributes:
        draw: Results to figure.
        numbers: Results to its main numbers, for those who do not see it.
    """

    draw: "Callable[[Results], Figure]"
    numbers: Callable[[Results], list[str]]
