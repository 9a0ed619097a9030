from pathlib import Path

import pytest
from convstudy import extras, figures, settings
from convstudy.extras import EXTRAS
from convstudy.files import write_json
from convstudy.results import Results, figure_names

CONFIG = settings.validate({})


def make(results: Path, name: str, config: dict = CONFIG) -> None:
    write_json(results / name / "about.json", {"settings": extras.settings(name, config)})


def changed(section: str, **values: object) -> dict:
    return {**CONFIG, section: {**CONFIG[section], **values}}


def test_an_extra_is_of_the_settings_it_was_made_with(tmp_path: Path):
    assert extras.made(tmp_path, CONFIG) == []
    make(tmp_path, "exhaustive")
    assert extras.made(tmp_path, CONFIG) == ["exhaustive"]
    assert extras.outdated(tmp_path, CONFIG) == []


@pytest.mark.parametrize(
    "other", [changed("model", width=0.5), changed("exhaustive", epochs=9), changed("data", seed=1)]
)
def test_an_extra_of_other_settings_is_left_out(tmp_path: Path, other: dict):
    make(tmp_path, "exhaustive")
    assert extras.made(tmp_path, other) == []
    assert extras.outdated(tmp_path, other) == ["exhaustive"]


@pytest.mark.parametrize(
    "other",
    [
        changed("report", title="x"),
        changed("training", threads=2),
        changed("data", directory="elsewhere"),
        changed("search", epochs=9),
    ],
)
def test_what_does_not_decide_a_result_leaves_it_in(tmp_path: Path, other: dict):
    make(tmp_path, "exhaustive")
    assert extras.made(tmp_path, other) == ["exhaustive"]


@pytest.mark.parametrize("extra", EXTRAS.values(), ids=lambda extra: extra.name)
def test_an_extra_is_whole(root: Path, extra):
    text = (root / f"workflow/rules/{extra.name}.smk").read_text()
    assert f"rule {extra.target}:" in text
    assert f'about="results/{extra.name}/about.json"' in text
    for name in extra.files:
        assert f"results/{extra.name}/{name}" in text
    for name in extra.figures:
        assert callable(figures._function(name, Results(root)))
    assert set(extra.figures) <= set(figure_names([], [extra.name]))
    assert not set(extra.figures) & set(figure_names([], []))
    assert f"`{extra.target}`" in (root / "README.md").read_text()
    assert f" {extra.target}" in (root / "Makefile").read_text()
