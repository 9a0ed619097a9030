from pathlib import Path

import pytest
from convstudy.config import analyses, settings
from convstudy.core.files import write_json

CONFIG = settings.validate({})


def changed(section: str, **values: object) -> dict:
    return {**CONFIG, section: {**CONFIG[section], **values}}


@pytest.mark.parametrize(
    ("config", "same"),
    [
        (CONFIG, True),
        (changed("model", width=0.5), False),
        (changed("module_table", epochs=9), False),
        (changed("data", seed=1), False),
        (changed("report", title="x"), True),
        (changed("training", threads=2), True),
        (changed("data", directory="elsewhere"), True),
        (changed("search", epochs=9), True),
    ],
)
def test_an_extra_is_of_the_settings_that_decide_what_it_says(
    tmp_path: Path, config: dict, same: bool
):
    assert analyses.made(tmp_path, config) == analyses.outdated(tmp_path, config) == []
    about = {"settings": analyses.settings("module_table", CONFIG)}
    write_json(tmp_path / "module_table/about.json", about)
    assert analyses.made(tmp_path, config) == ["module_table"] * same
    assert analyses.outdated(tmp_path, config) == ["module_table"] * (not same)


def test_readme_and_makefile_name_every_extras_target(root: Path):
    for extra in analyses.EXTRAS.values():
        assert f"`{extra.target}`" in (root / "README.md").read_text()
        assert f" {extra.target}" in (root / "Makefile").read_text()
