from pathlib import Path

import matplotlib as mpl
import pytest
from convstudy.analyses.article_study import figures
from convstudy.display import style
from convstudy.layers.networks import ARTICLE, Networks
from helpers.figures import contrast
from helpers.results import RECORDED
from PIL import Image


def networks_of(*kinds: str) -> Networks:
    return Networks.of({"kinds": {kind: {"layers": [{"type": "Conv2D"}]} for kind in kinds}})


# As many kinds as the config allows.
EIGHT = networks_of(*(f"kind{number}" for number in range(8)))


def test_eight_kinds_can_be_told_apart_with_and_without_colour():
    looks = style.module_looks(EIGHT)
    assert len(looks) == 9
    assert len({look["marker"] for look in looks.values()}) == 9
    assert len({look["color"] for look in looks.values()}) == 9
    # WCAG 2 asks for 3 to 1 in graphics.
    assert all(contrast(colour) >= 3 for colour in style.colours(EIGHT).values())


def test_letters_are_the_shortest_names_that_differ():
    networks = networks_of("conv", "depthwise", "dilated", "dilated_wide")
    assert style.letters("conv-depthwise-dilated_wide", networks) == "C De Dilated_"
    assert style.letters("dilated-conv-conv", networks) == "Dilated C C"
    assert style.letters("conv-depthwise-separable", ARTICLE) == "C D S"


@pytest.mark.parametrize(
    ("kinds", "leading"),
    [
        (["conv", "conv", "depthwise"], "conv"),
        (["depthwise", "separable", "separable"], "separable"),
        (["conv", "depthwise", "separable"], style.MIXED),
        (["conv", "depthwise", "conv", "depthwise"], style.MIXED),
    ],
)
def test_leading_kind_is_that_of_most_layers(kinds: list[str], leading: str):
    assert style.leading_kind(kinds) == leading


def test_drawing_leaves_the_settings_of_others_alone(tmp_path: Path):
    before = dict(mpl.rcParams)
    style.save(figures.single_kind(RECORDED), tmp_path / "single_kind")
    assert dict(mpl.rcParams) == before


def test_saving_twice_gives_the_same_bytes_and_leaves_nothing_else(tmp_path: Path):
    for name in ("first", "second"):
        style.save(figures.learning_curves(RECORDED), tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "first.png",
        "first.svg",
        "second.png",
        "second.svg",
    ]
    for suffix in ("png", "svg"):
        first, second = (tmp_path / f"{name}.{suffix}" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
    with Image.open(tmp_path / "first.png") as picture:
        assert picture.width == 2 * 760
    # Text is drawn as shapes, so that it looks the same without our fonts.
    assert "<text" not in (tmp_path / "first.svg").read_text()
