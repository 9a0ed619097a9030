import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from convstudy import plots, tables
from convstudy.layers import KINDS
from convstudy.results import Results
from PIL import Image
from sample_results import STUDIES, write_sample

NOTE = "Synthetic data"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return Results(write_sample(tmp_path_factory.mktemp("results")))


def texts(figure) -> str:
    """Give all that is written in a figure."""
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    title = figure.get_suptitle()
    labels = [text for axis in figure.axes for text in (axis.get_title("left"), axis.get_xlabel())]
    return "\n".join([title, *legends, *labels])


def draw(results: Results, synthetic: bool) -> dict:
    trials = tables.all_trials(results)
    study = results.studies["penalised"]
    rows = tables.single_kind(results)
    rows["accuracies"] = [[one] for one in rows["mean"]]
    printed = tables.article_best(penalised=True)
    article = dict(zip(rows["kind"], rows["article"], strict=True))
    return {
        "learning_curves": plots.learning_curves(results.curves, article, synthetic),
        "single_kind": plots.single_kind(rows, synthetic),
        "parameters_accuracy": plots.parameters_accuracy(
            trials, tables.front(results), printed, True, synthetic
        ),
        "trials": plots.trial_history(study.trials, "penalised", synthetic),
        "reuse": plots.reuse(tables.studies(results), results.training, synthetic),
    }


def test_names_are_had_without_loading_plotting_packages():
    code = (
        "import sys; from convstudy.plots import figure_names; from convstudy.results import *;"
        f"figure_names({STUDIES}); table_names({STUDIES}); result_files({STUDIES});"
        "print([name for name in ('matplotlib', 'seaborn', 'pandas') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_there_is_one_figure_name_for_each_study():
    names = plots.figure_names(["one", "two"])
    assert {"trials_one", "trials_two"} <= set(names)
    assert len(names) == len(set(names))


def test_each_kind_has_a_colour_of_its_own():
    assert set(plots.colours()) == set(KINDS)
    assert len(set(plots.colours().values())) == len(KINDS)


@pytest.mark.parametrize("colour", plots.PALETTE[:3])
def test_colours_of_kinds_stand_out_from_white(colour: str):
    channels = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    contrast = 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    # WCAG 2 asks for 3 to 1 in graphics.
    assert contrast >= 3


def test_synthetic_data_are_named_in_every_figure_and_the_article_is_left_out(results: Results):
    for name, figure in draw(results, synthetic=True).items():
        assert NOTE in texts(figure), name
        assert "article" not in texts(figure), name


def test_real_data_stand_beside_the_article(results: Results):
    figures = draw(results, synthetic=False)
    for name in ("learning_curves", "single_kind", "parameters_accuracy"):
        assert "article" in texts(figures[name]), name
        assert NOTE not in texts(figures[name]), name


@pytest.mark.parametrize(("comparable", "panels"), [(True, 1), (False, 2)])
def test_a_smaller_run_does_not_share_axes_with_the_article(
    results: Results, comparable: bool, panels: int
):
    printed = tables.article_best(penalised=True)
    trials = tables.all_trials(results)
    figure = plots.parameters_accuracy(
        trials, tables.front(results), printed, comparable, synthetic=False
    )
    assert len(figure.axes) == panels


def test_a_study_whose_trials_all_failed_can_be_drawn(results: Results):
    trials = results.studies["accuracy"].trials.assign(
        state="FAIL", objective=np.nan, test_accuracy=np.nan
    )
    figure = plots.trial_history(trials, "accuracy", synthetic=False)
    assert "failed" in texts(figure)
    none = trials.iloc[:0].assign(number=[], module=[])
    assert plots.parameters_accuracy(trials, none, none, comparable=True, synthetic=False).axes


def test_modules_are_counted_without_the_single_kind_models(results: Results):
    figure = plots.counts(results.counts, {"conv-conv-conv": 2_000_000})
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == len(KINDS) ** 3
    # Fewest parameters stand at the top.
    assert labels[-1] == "depthwise · depthwise · depthwise"
    assert "printed in the article" in texts(figure)


@pytest.mark.parametrize(
    ("kinds", "leading"),
    [
        (["conv", "conv", "depthwise"], "conv"),
        (["depthwise", "separable", "separable"], "separable"),
        (["conv", "depthwise", "separable"], plots.MIXED),
    ],
)
def test_leading_kind_is_that_of_most_layers(kinds: list[str], leading: str):
    assert plots.leading_kind(kinds) == leading


def test_drawing_leaves_the_settings_of_others_alone(results: Results, tmp_path: Path):
    before = dict(mpl.rcParams)
    plots.save(plots.counts(results.counts, {}), tmp_path / "counts")
    assert dict(mpl.rcParams) == before


def test_saving_twice_gives_the_same_bytes_and_leaves_nothing_else(tmp_path: Path):
    table = pd.DataFrame({"kind": ["conv"] * 2, "replicate": 0, "epoch": [1, 2]})
    table = table.assign(train_accuracy=0.4, test_accuracy=0.3)
    for name in ("first", "second"):
        plots.save(plots.learning_curves(table, {}, synthetic=False), tmp_path / name)
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
