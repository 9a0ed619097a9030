"""Read the texts and colours of a figure."""

from typing import Any

import matplotlib as mpl
import numpy as np


def contrast(colour: Any, on: Any = "white") -> float:
    """Return a colour's contrast with another one, as WCAG 2 defines it."""
    darker, lighter = sorted(map(_luminance, (colour, on)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Any) -> float:
    channels = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def texts(figure: Any) -> str:
    """Return the text in a figure."""
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    title = figure.get_suptitle()
    labels = [text for axis in figure.axes for text in (axis.get_title("left"), axis.get_xlabel())]
    return "\n".join([title, *legends, *labels])
