"""The figures of all analyses, drawn of the recorded run."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from convstudy.analyses.article_study import figures
from convstudy.analyses.timing.figures import speedups
from convstudy.config import analyses
from convstudy.display import style
from convstudy.report import parts
from convstudy.results.run import Results
from helpers.figures import contrast, texts
from helpers.results import RECORDED

NOTE = "Synthetic data"
DRAWINGS = parts.drawings(analyses.names())


@pytest.fixture
def results() -> Results:
    """Return the recorded run's results, to be changed."""
    return Results(RECORDED.folder)


@pytest.mark.parametrize("name", ["learning_curves", "single_kind", "parameters_accuracy"])
def test_synthetic_data_are_named_and_the_article_is_left_out(results: Results, name: str):
    results.data["synthetic"] = True
    found = texts(DRAWINGS[name].draw(results))
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
    found = texts(DRAWINGS[name].draw(results))
    assert ("article" in found.lower()) == beside
    assert NOTE not in found


def test_a_figure_for_a_phone_is_narrow_and_says_the_same(results: Results):
    for name, drawing in DRAWINGS.items():
        wide = drawing.draw(results)
        with style.narrow_screen():
            narrow = drawing.draw(results)
        assert narrow.get_figwidth() == style.NARROW < wide.get_figwidth()
        assert len(narrow.axes) == len(wide.axes)
        assert texts(narrow).split() == texts(wide).split(), name


def test_all_text_in_figures_can_be_read(results: Results):
    for name, drawing in DRAWINGS.items():
        for text in drawing.draw(results).findobj(mpl.text.Text):
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
    found = speedups(table, "conv", "separable")
    assert list(found.index) == [4]
    assert found.loc[4, "value"] == 3
    assert found.loc[4, ["low", "high"]].tolist() == pytest.approx([2.5, 3.5], rel=0.02)


@pytest.mark.parametrize(("reductions", "panels"), [([], 1), (["It is small."], 2)])
def test_a_smaller_run_does_not_share_axes_with_the_article(
    results: Results, reductions: list[str], panels: int
):
    results.run["reductions"] = reductions
    assert len(figures.parameters_accuracy(results).axes) == panels


def test_a_study_whose_trials_all_failed_can_be_drawn(results: Results):
    for name, study in results.studies.items():
        trials = study.trials.assign(state="FAIL", objective=np.nan, test_accuracy=np.nan)
        results.studies[name] = replace(study, trials=trials)
    assert figures.parameters_accuracy(results).axes
