"""The scripts of the report: alone in Node.js, and against NumPy in a browser."""

import json
import os
import shutil
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from convstudy.layers.examples import count_up, examples
from convstudy.layers.numpy_layers import LAYERS
from convstudy.report import interactive
from helpers.browser import browse, needs_browser

FOLDER = Path(interactive.__file__).with_name("template")
CHOICES = {
    "size": (2, 3, 4, 5),
    "channels": (1, 2, 3),
    "outputs": (1, 2, 3),
    "kernel": (1, 2, 3),
    "stride": (1, 2),
    "dilation": (1, 2),
    "padding": ("valid", "same"),
}
CELLS_A_SETTING = 6
WITH_CELLS = """
const given = JSON.parse(document.getElementById("cells").textContent);
const { cell, depth, extent, refusal, CHOICES } = window.layers;
let wrong = 0, refused = 0, number = 0;
for (const [layer, settings, shape, cells] of given) {
  if (refusal(layer, settings)) { refused += 1; continue; }
  const { positions } = extent(layer, settings);
  if ([positions, positions, depth(layer, settings)].join() !== shape.join()) wrong += 1;
  for (const [place, expected] of cells) {
    const { sum, terms } = cell(layer, settings, place);
    number += 1;
    if (!(Math.abs(sum - expected) <= 1e-9 * Math.max(1, Math.abs(expected)))) wrong += 1;
  }
}
return { wrong, refused, number, CHOICES };
"""


def test_the_scripts_alone():
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    tests = sorted(map(str, Path(__file__).with_name("interactive").glob("*.test.js")))
    done = subprocess.run(
        [node, "--test", *tests],
        env={**os.environ, "SCRIPTS": str(FOLDER)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "# pass 10" in done.stdout


def arrays(layer: str, size: int, channels: int, outputs: int, kernel: int) -> list[np.ndarray]:
    """Return the explorer's input and kernels, with Keras's shapes."""
    image = 0.1 * count_up(1, size, size, channels)
    if layer == "Conv2DTranspose":
        return [image, count_up(kernel, kernel, outputs, channels)]
    if layer == "SeparableConv2D":
        pointwise = count_up(1, 1, channels, outputs) + 1
        return [image, count_up(kernel, kernel, channels, 1), pointwise]
    return [image, count_up(kernel, kernel, channels, outputs)]


@needs_browser
def test_every_setting_computes_what_numpy_computes(tmp_path):
    draw = np.random.default_rng(0)
    given = []
    for layer in LAYERS:
        for chosen in product(*CHOICES.values()):
            settings = dict(zip(CHOICES, chosen, strict=True))
            size, channels, outputs, kernel, stride, dilation, padding = chosen
            transposed = layer == "Conv2DTranspose"
            too_large = padding == "valid" and dilation * (kernel - 1) >= size and not transposed
            if (dilation > 1 and (stride > 1 or transposed)) or too_large:
                continue
            how = {"stride": stride, "padding": padding}
            how |= {} if transposed else {"dilation": dilation}
            made = LAYERS[layer](*arrays(layer, size, channels, outputs, kernel), **how)[0]
            places = [tuple(map(int, draw.integers(made.shape))) for _ in range(CELLS_A_SETTING)]
            cells = [[place, float(made[place])] for place in places]
            given.append([layer, settings, made.shape, cells])
    source = (FOLDER / "layers.js").read_text("utf-8")
    names = "cell, depth, extent, refusal, CHOICES"
    page = (
        f'<body><script type="application/json" id="cells">{json.dumps(given)}</script>'
        f"<script>{source}; window.layers = {{ {names} }};</script></body>"
    )
    found, messages = browse(page, tmp_path, WITH_CELLS)
    assert (found["wrong"], found["refused"]) == (0, 0), messages
    assert found["number"] == CELLS_A_SETTING * len(given) >= 10_000
    assert found["CHOICES"] == {key: list(values) for key, values in CHOICES.items()}


@pytest.mark.parametrize("name", ["conv2d_multi", "depthwise_k3", "separable", "transpose"])
def test_the_explorer_begins_with_the_articles_numbers(name):
    example = examples()[name]
    _, size, _, channels = example.image.shape
    outputs = {"transpose": 2, "depthwise_k3": 1, "separable": 2, "conv2d_multi": 3}[name]
    made = arrays(example.layer, size, channels, outputs, 3)
    for ours, theirs in zip(made, [example.image, *example.kernels], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    text = (FOLDER / "layers.js").read_text("utf-8")
    line = (
        f"{example.layer}: {{ ...PLAIN, size: {size}, channels: {channels}, outputs: {outputs} }}"
    )
    assert line in text


def test_data_cannot_end_their_script_and_are_json():
    text = interactive.room("tradeoff", {"name": "</script><b>"}).text
    assert text.count("</script>") == 1
    assert json.loads(text.split(">", 2)[2].partition("</script>")[0])["name"] == "</script><b>"
    with pytest.raises(ValueError, match="JSON"):
        interactive.room("tradeoff", {"low": float("nan")})
    assert "</script" not in interactive.script()
