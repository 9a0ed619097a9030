from pathlib import Path

import matplotlib as mpl
import pytest
from convstudy.analyses.article_study import figures
from convstudy.display import style
from convstudy.layers.networks import ARTICLE
from helpers.figures import contrast
from helpers.results import RECORDED
from PIL import Image


@pytest.mark.parametrize("kind", ARTICLE.kinds)
def test_each_kind_has_a_colour_of_its_own_that_stands_out_from_white(kind: str):
    assert list(style.colours(ARTICLE).values()).count(style.colours(ARTICLE)[kind]) == 1
    # WCAG 2 asks for 3 to 1 in graphics.
    assert contrast(style.colours(ARTICLE)[kind]) >= 3


@pytest.mark.parametrize(
    ("kinds", "leading"),
    [
        (["conv", "conv", "depthwise"], "conv"),
        (["depthwise", "separable", "separable"], "separable"),
        (["conv", "depthwise", "separable"], style.MIXED),
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
