"""The list of analyses in the config, and the files of each analysis."""

import pytest
import yaml
from convstudy.config import analyses, settings
from convstudy.core.errors import UserError

EVERY = {"module_table", "epoch_selection", "depth", "replay", "penalties", "timing", "pareto"}
EVERY |= {"recipes"}


def test_every_folder_is_an_analysis_but_the_articles_own():
    assert set(analyses.names()) == EVERY
    assert set(analyses.NEEDS) | {one for needs in analyses.NEEDS.values() for one in needs} < EVERY


def test_none_is_made_unless_the_config_lists_it(root):
    assert settings.validate({})["analyses"] == []
    beyond = yaml.safe_load((root / "config/beyond.yaml").read_text())
    assert set(settings.validate(beyond)["analyses"]) == EVERY


def mistakes(*listed):
    with pytest.raises(UserError) as caught:
        settings.validate({"analyses": list(listed)})
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("exhaustive", "remove it"),
        ("article_study", "remove it"),
        ("module_tabel", "did you mean module_table?"),
        ("", "remove it"),
    ],
)
def test_a_name_that_is_no_analysis_is_one_line(name, fix):
    [line] = mistakes(name)
    assert line.startswith(f"analyses[0]: {name} is not an analysis; allowed are ")
    assert line.endswith(f"; {fix}")
    assert all(one in line for one in EVERY)


@pytest.mark.parametrize("name", sorted(analyses.NEEDS))
def test_what_an_analysis_is_made_of_must_be_listed_too(name):
    needed = analyses.NEEDS[name]
    assert mistakes(name) == [
        f"analyses[0]: {name} needs {' and '.join(needed)}; add {', '.join(needed)}"
    ]
    for missing in needed:
        others = [one for one in needed if one != missing]
        [line] = mistakes(name, *others)
        assert line.endswith(f"; add {missing}")
    assert settings.validate({"analyses": [name, *needed]})["analyses"] == [name, *needed]


def test_captions_are_those_of_what_is_made():
    article = analyses.captions([])
    with_times = analyses.captions(["timing"])
    assert "single_kind" in article
    assert set(with_times) - set(article) == {"timing_modules", "timing_layers"}
    assert all(path.read_text(encoding="utf-8").strip() for path in with_times.values())


def test_the_documentation_names_every_analysis(root):
    text = (root / "docs/analyses.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in analyses.names())
