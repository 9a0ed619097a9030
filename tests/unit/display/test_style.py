import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from convstudy.analyses.article_study import figures as article_study_figures
from convstudy.analyses.timing import figures as timing_figures
from convstudy.display import style
from convstudy.layers.kinds import KINDS
from convstudy.results.run import Results, figure_names
from helpers.results import RECORDED, STUDIES
from PIL import Image

NOTE = "Synthetic data"


def texts(figure) -> str:
    """Give all that is written in a figure."""
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    title = figure.get_suptitle()
    labels = [text for axis in figure.axes for text in (axis.get_title("left"), axis.get_xlabel())]
    return "\n".join([title, *legends, *labels])


@pytest.fixture
def results() -> Results:
    """Give the recorded run's results, to be changed."""
    return Results(RECORDED.folder)


def test_names_are_had_without_loading_plotting_packages():
    code = (
        "import sys; from convstudy.results import *;"
        f"figure_names(); table_names({STUDIES}); result_files({STUDIES});"
        "print([name for name in ('matplotlib', 'seaborn', 'pandas') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_a_colour_of_its_own_that_stands_out_from_white(kind: str):
    assert list(style.colours().values()).count(style.colours()[kind]) == 1
    # WCAG 2 asks for 3 to 1 in graphics.
    assert contrast(style.colours()[kind]) >= 3


@pytest.mark.parametrize("name", ["learning_curves", "single_kind", "parameters_accuracy"])
def test_synthetic_data_are_named_and_the_article_is_left_out(results: Results, name: str):
    results.data["synthetic"] = True
    found = texts(drawing.figures(results)[name]())
    assert NOTE in found
    assert "article" not in found


@pytest.mark.parametrize(
    ("name", "reductions", "beside"),
    [
        ("single_kind", ["It is small."], True),
        ("parameters_accuracy", ["It is small."], True),
        ("learning_curves", ["It is small."], False),
        ("learning_curves", [], True),
        ("recipes_accuracy", ["It is small."], False),
        ("recipes_accuracy", [], True),
    ],
)
def test_the_article_stands_beside_what_compares_with_it(
    results: Results, name: str, reductions: list[str], beside: bool
):
    results.run["reductions"] = reductions
    found = texts(drawing.figures(results)[name]())
    assert ("article" in found.lower()) == beside
    assert NOTE not in found


def test_a_figure_for_a_phone_is_narrow_and_says_the_same(results: Results):
    for name in figure_names(results.extras):
        draw = drawing.figures(results)[name]
        wide = draw()
        with style.narrow_screen():
            narrow = draw()
        assert narrow.get_figwidth() == style.NARROW < wide.get_figwidth()
        assert len(narrow.axes) == len(wide.axes)
        assert texts(narrow).split() == texts(wide).split(), name


def contrast(colour) -> float:
    """Give a colour's contrast with white, as WCAG 2 defines it."""
    channels = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)


def test_all_text_in_figures_can_be_read(results: Results):
    for name, draw in drawing.figures(results).items():
        for text in draw().findobj(mpl.text.Text):
            if text.get_text() and text.get_visible():
                # WCAG 2 asks for 4.5 to 1 in text.
                assert contrast(text.get_color()) >= 4.5, (name, text.get_text())


def test_speedups_are_conv_over_separable_with_the_chance_in_both():
    table = pd.DataFrame(
        {
            "kind": ["conv", "separable", "conv"],
            "channels": [4, 4, 8],
            "ms": [6.0, 2.0, 7.0],
            "ms_low": [5.0, 2.0, 6.0],
            "ms_high": [7.0, 2.0, 8.0],
        }
    )
    found = timing_figures.speedups(table)
    assert list(found.index) == [4]
    assert found.loc[4, "value"] == 3
    assert found.loc[4, ["low", "high"]].tolist() == pytest.approx([2.5, 3.5], rel=0.02)


@pytest.mark.parametrize(("reductions", "panels"), [([], 1), (["It is small."], 2)])
def test_a_smaller_run_does_not_share_axes_with_the_article(
    results: Results, reductions: list[str], panels: int
):
    results.run["reductions"] = reductions
    assert len(article_study_figures.parameters_accuracy(results).axes) == panels


def test_a_study_whose_trials_all_failed_can_be_drawn(results: Results):
    for name, study in results.studies.items():
        trials = study.trials.assign(state="FAIL", objective=np.nan, test_accuracy=np.nan)
        results.studies[name] = replace(study, trials=trials)
    assert article_study_figures.parameters_accuracy(results).axes


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


def test_drawing_leaves_the_settings_of_others_alone(results: Results, tmp_path: Path):
    before = dict(mpl.rcParams)
    style.save(article_study_figures.single_kind(results), tmp_path / "single_kind")
    assert dict(mpl.rcParams) == before


def test_saving_twice_gives_the_same_bytes_and_leaves_nothing_else(
    results: Results, tmp_path: Path
):
    for name in ("first", "second"):
        style.save(article_study_figures.learning_curves(results), tmp_path / name)
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
