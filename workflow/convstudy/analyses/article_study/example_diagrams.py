"""Diagrams of the worked examples: input, kernels and output as grids of numbers."""

import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from convstudy.display import style
from convstudy.layers.examples import Example, examples, products

INK, MUTED, LINE = "#1f2933", "#5f6b7a", "#c5ccd6"
SEEN, RESULT = "#d6e8f5", "#f9d9c4"
INCHES_A_CELL = 0.46
# Cells between the grids of one group, and between groups.
GAP, WIDE_GAP = 0.7, 2.2
CHARACTERS_A_INCH = 11.3
LINE_INCHES = 0.285
# Marks a cell without numbering its pair.
ONLY_MARKED = -1
# Height above the grids for titles, in cells.
HEAD = 1.7


@style.styled
def draw_example(name: str) -> Figure:
    """Draw one worked example, with the highlighted output's sum below."""
    example = examples()[name]
    groups = _groups(example)
    heights = [_height(group) for _, group in groups]
    widths = [_width(group) for _, group in groups]
    narrow = style.is_narrow()
    wide, tall, inches = _size(widths, heights)
    lines = textwrap.wrap(_sum(example), int(CHARACTERS_A_INCH * inches * wide))
    line = LINE_INCHES / inches
    below = 1.0 + line * len(lines)
    figure = Figure(figsize=(inches * (wide + 0.6), inches * (tall + below + HEAD)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(-0.3, wide + 0.3)
    axes.set_ylim(tall + below, -HEAD)
    axes.set_aspect("equal")
    axes.axis("off")
    left = above = 0.0
    for number, ((title, group), height, width) in enumerate(
        zip(groups, heights, widths, strict=True)
    ):
        top = above if narrow else (tall - height) / 2
        colour = RESULT if title == "output" else SEEN
        axes.text(left, top - 0.95, title, color=INK, fontsize=10.5, fontweight="bold")
        for row in group:
            x, tallest = left, 0.0
            for label, values, marked in row:
                _draw_grid(axes, x, top, label, values, marked, colour)
                x += values.shape[1] + GAP
                tallest = max(tallest, values.shape[0])
            top += tallest + GAP + 0.35
        sign = "=" if number + 2 == len(groups) else "∗"
        if narrow:
            place = (2.0, above + height + WIDE_GAP / 2)
            above += height + WIDE_GAP + HEAD
        else:
            place = (left + width + WIDE_GAP / 2, tall / 2)
            left += width + WIDE_GAP
        if number + 1 < len(groups):
            axes.text(*place, sign, fontsize=20, color=MUTED, ha="center", va="center")
    for number, text in enumerate(lines):
        axes.text(0, tall + 0.9 + line * number, text, fontsize=9.5, color=INK, va="center")
    return figure


def _size(widths: list[float], heights: list[float]) -> tuple[float, float, float]:
    """Return width and height of all groups in cells, and the inches per cell."""
    between = len(widths) - 1
    if not style.is_narrow():
        return max(sum(widths) + WIDE_GAP * between, 16), max(heights), INCHES_A_CELL
    # One below the other.
    wide = max(*widths, 9)
    return wide, sum(heights) + (WIDE_GAP + HEAD) * between, style.NARROW / (wide + 0.6)


# A grid is a label, its numbers, and their marks (numbered in pairs if the order differs); a group
# is rows of grids.
Grid = tuple[str, np.ndarray, np.ndarray]
Group = list[list[Grid]]


def _width(group: Group) -> float:
    return max(sum(grid[1].shape[1] for grid in row) + GAP * (len(row) - 1) for row in group)


def _height(group: Group) -> float:
    rows = [max(grid[1].shape[0] for grid in row) for row in group]
    return sum(rows) + (GAP + 0.35) * (len(rows) - 1)


def _groups(example: Example) -> list[tuple[str, Group]]:
    """Lay out an example: input channels, kernels by input and output channel, output channels."""
    image, output = example.image[0], example.output()[0]
    row, column, channel = example.cell
    kernel = example.kernels[0]
    transposed = example.layer == "Conv2DTranspose"
    depthwise = example.layer == "DepthwiseConv2D"
    separable = example.layer == "SeparableConv2D"
    # In Keras, transposed kernels have output channels before input channels.
    by_channel = kernel.swapaxes(2, 3) if transposed else kernel
    tall, wide, sources, filters = by_channel.shape

    # The pairs of input cells and weights that make up the highlighted output.
    cells, taps = np.zeros(image.shape[:2], int), np.zeros((tall, wide), int)
    pairs = 0
    for y, x in np.ndindex(cells.shape):
        down, right = (row - y, column - x) if transposed else (y - row, x - column)
        if 0 <= down < tall and 0 <= right < wide:
            pairs += 1
            cells[y, x] = taps[down, right] = pairs if transposed else ONLY_MARKED

    inputs: Group = []
    for source in range(image.shape[2]):
        seen = cells * (not depthwise or source == channel)
        inputs.append([(_channel(source, image), image[:, :, source], seen)])
    kernels: Group = []
    for source in range(sources):
        grids = []
        for target in range(filters):
            used = separable or (source if depthwise else target) == channel
            label = f"input {source + 1} → output {(source if depthwise else target) + 1}"
            plain = separable or sources == filters == 1
            weights = by_channel[:, :, source, target]
            grids.append(("" if plain else label, weights, taps * used))
        kernels.append(grids)
    groups: list[tuple[str, Group]] = [("input", inputs)]
    if separable:
        pointwise = example.kernels[1][0, 0]
        mixing: Group = [
            [(f"→ output {target + 1}", pointwise[:, [target]], np.array([[target == channel]]))]
            for target in range(pointwise.shape[1])
        ]
        groups += [("depthwise", kernels), ("pointwise", mixing)]
    else:
        groups.append(("kernel" if sources == filters == 1 else "kernels", kernels))
    outputs: Group = []
    for target in range(output.shape[2]):
        result = np.zeros(output.shape[:2], bool)
        result[row, column] = target == channel
        outputs.append([(_channel(target, output), output[:, :, target], result)])
    return [*groups, ("output", outputs)]


def _channel(number: int, array: np.ndarray) -> str:
    """Label a channel if there are several."""
    return f"channel {number + 1}" if array.shape[2] > 1 else ""


def _draw_grid(
    axes: Any,
    left: float,
    top: float,
    label: str,
    values: np.ndarray,
    marked: np.ndarray,
    colour: str,
) -> None:
    from matplotlib.patches import Rectangle

    for row, column in np.ndindex(values.shape):
        face = colour if marked[row, column] else "white"
        corner = (left + column, top + row)
        axes.add_patch(Rectangle(corner, 1, 1, facecolor=face, edgecolor=LINE, lw=0.8))
        axes.text(
            left + column + 0.5,
            top + row + 0.52,
            _number(float(values[row, column])),
            ha="center",
            va="center",
            fontsize=8.5,
            color=INK,
            fontweight="bold" if face == RESULT else "normal",
        )
        if marked[row, column] > 0 and marked.dtype == int:
            corner = (left + column + 0.08, top + row + 0.28)
            axes.text(*corner, str(marked[row, column]), fontsize=6, color=MUTED)
    if label:
        axes.text(left, top - 0.17, label, fontsize=7.5, color=MUTED)


def _number(value: float) -> str:
    return f"{round(value, 6):g}"


def _sum(example: Example) -> str:
    """Write out the sum of the highlighted cell."""
    row, column, channel = example.cell
    value = _number(float(example.output()[0, row, column, channel]))
    terms = [f"{_number(x)}×{_number(w)}" for x, w in products(example)]
    channels = example.image.shape[3] if example.layer == "Conv2D" else 1
    each = len(terms) // channels
    parts = [" + ".join(terms[each * part : each * (part + 1)]) for part in range(channels)]
    written = parts[0] if channels == 1 else " + ".join(f"({part})" for part in parts)
    if len(example.kernels) > 1:
        written = f"({written}) × {_number(float(example.kernels[1][0, 0, 0, channel]))}"
    return f"{value} = {written}"
