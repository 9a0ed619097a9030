"""Which settings of two runs differ."""

import copy
import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from convstudy.comparison import differing
from convstudy.comparison.differing import Setting
from convstudy.config import analyses, settings
from convstudy.core.files import write_json
from convstudy.results.run import Results
from helpers.paths import ROOT
from helpers.results import RECORDED
from pydantic import ValidationError

# All words that some setting allows.
CHOICES = [
    word
    for words in re.findall(
        r'"enum": \[([^]]*)\]', (ROOT / "config/settings.schema.json").read_text("utf-8")
    )
    for word in re.findall(r'"(\w+)"', words)
]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[dict], Results]:
    """Return a function that makes a run with these settings."""
    numbers = iter(range(10))

    def make(config: dict[str, Any]) -> Results:
        folder = tmp_path / str(next(numbers))
        (folder / "data").mkdir(parents=True)
        write_json(folder / "run.json", {**RECORDED.run, "config": config})
        write_json(folder / "data/summary.json", RECORDED.data)
        return Results(folder)

    return make


def quick(**changes: Any) -> dict[str, Any]:
    return settings.merged(settings.filled({}), changes)


def listed(found: list[Setting]) -> dict[str, tuple[str, str, str]]:
    return {one.name: (one.effect, one.a, one.b) for one in found}


def other(value: Any, allowed: Callable[[Any], bool]) -> Any:
    """Return another value that is allowed in the same place."""
    tries: Iterator[Any] = chain(
        [not value] if isinstance(value, bool) else [],
        [value + 1, value / 2, value + 0.5, value - 1] if isinstance(value, int | float) else [],
        [[3, 4], ["SeparableConv2D"], [16, 16, 3]] if isinstance(value, list) else [],
        CHOICES if isinstance(value, str) else [],
        ["another", {"batch_size": 2}, 7, [5], True, None],
    )
    return next(one for one in tries if one != value and allowed(one))


def all_other(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config that the classes allow and in which every setting is another one."""
    changed = copy.deepcopy(config)

    def allowed_at(part: Any, key: Any) -> Callable[[Any], bool]:
        def allowed(value: Any) -> bool:
            before, part[key] = part[key], value
            try:
                settings.Settings.model_validate(changed)
            except ValidationError:
                part[key] = before
                return False
            return True

        return allowed

    def walk(part: Any) -> None:
        for key in list(part) if isinstance(part, dict) else range(len(part)):
            value = part[key]
            inner = isinstance(value, dict) and value
            if inner or (isinstance(value, list) and value and isinstance(value[0], dict)):
                walk(value)
            else:
                other(value, allowed_at(part, key))

    for section, part in changed.items():
        if section == "claims":
            changed[section] = "mine.yaml"
        elif section != "analyses":
            walk(part)
    return changed


def test_where_every_setting_differs_every_one_is_named_with_its_own_values(run):
    first = quick(analyses=[name for name in analyses.names() if name != "penalties"])
    second = all_other(first)
    second["analyses"] = [name for name in analyses.names() if name != "epoch_selection"]
    for section, key in (("model", "kinds"), ("search", "studies"), ("recipes", "compared")):
        second[section][key] = dict(reversed(second[section][key].items()))
    differ, same = differing.settings(run(first), run(second))
    # The analyses that both made are the only ones that are equal.
    assert {one.name.partition(".")[0] for one in same} == {"analyses"}
    for one in differ:
        assert one.a != one.b
        if "order" in one.name or one.name.startswith("analyses"):
            continue
        for config, text in ((first, one.a), (second, one.b)):
            value: Any = config
            for key in one.name.split("."):
                value = value[int(key) - 1] if isinstance(value, list) else value.get(key, "absent")
                if value == "absent":
                    break
            assert differing._written(value) == text
    assert listed(differ)["analyses.penalties"] == ("what is made", "absent", "made")
    assert {one.effect for one in differ} == set(differing.EFFECTS.values())
    mirrored, _ = differing.settings(run(second), run(first))
    assert {(one.name, one.b, one.a) for one in mirrored} == {
        (one.name, one.a, one.b) for one in differ
    }


def test_absent_null_and_zero_are_three_things(run):
    configs = [
        quick(search={"training": part}) for part in ({}, {"batch_size": 64}, {"batch_size": 32})
    ]
    runs = [run(config) for config in configs]
    name = "search.training.batch_size"
    assert listed(differing.settings(runs[0], runs[1])[0]) == {name: ("training", "absent", "64")}
    assert listed(differing.settings(runs[1], runs[2])[0]) == {name: ("training", "64", "32")}
    none, zero = (run(quick(data={"validation_images": number})) for number in (0, 5))
    null = run(quick(data={"test_images": None, "validation_images": 0}))
    found = listed(differing.settings(none, null)[0])
    assert found == {"data.test_images": ("data", "1000", "null")}
    found = listed(differing.settings(none, zero)[0])
    assert found == {"data.validation_images": ("data", "0", "5")}


def test_a_study_that_only_one_run_has_is_absent_in_the_other(run):
    config = quick()
    del config["search"]["studies"]["penalised"]
    found = listed(differing.settings(run(quick()), run(config))[0])
    assert found["search.studies.penalised.trials"] == ("search", "10", "absent")
    assert all(name.startswith("search.studies.penalised.") for name in found)


def test_the_order_of_kinds_is_a_setting(run):
    config = quick()
    config["model"]["kinds"] = dict(reversed(config["model"]["kinds"].items()))
    found = listed(differing.settings(run(quick()), run(config))[0])
    assert found == {
        "model.kinds (order)": (
            "networks",
            "conv, depthwise, separable",
            "separable, depthwise, conv",
        )
    }


def test_true_is_not_one_but_one_is_one_point_zero(run):
    first, second = (run(quick(model={"width": width})) for width in (1, 1.0))
    assert differing.settings(first, second)[0] == []
    assert not differing._equal(True, 1)


def test_settings_of_an_earlier_version_are_read_and_missing_ones_marked(run):
    earlier = copy.deepcopy(RECORDED.run["config"])
    earlier["search"].pop("training", None)
    del earlier["search"]["storage"]
    differ, same = differing.settings(run(earlier), run(settings.filled(RECORDED.run["config"])))
    assert differ == []
    assert listed(same)["search.storage"] == ("search", "journal (by default)", "journal")
    shared = settings.merged(RECORDED.run["config"], {"search": {"storage": "postgresql"}})
    found = listed(differing.settings(run(earlier), run(shared))[0])
    assert found == {"search.storage": ("search", "journal (by default)", "postgresql")}


def test_where_the_images_are_and_how_the_page_looks_do_not_count(run):
    config = quick(data={"directory": "/elsewhere"}, report={"title": "Another title"})
    assert differing.settings(run(quick()), run(config))[0] == []


def test_other_images_with_equal_settings_are_a_difference(run):
    first, second = run(quick()), run(quick())
    write_json(second.folder / "data/summary.json", {**RECORDED.data, "digest": "0" * 64})
    [found] = differing.settings(first, second)[0]
    assert found.name == differing.IMAGES
    assert found.b == f"CIFAR-10 (jpeg), SHA-256 {'0' * 12}"


# One pair each of what people change.
PAIRS = {
    "training.augmentation": {"training": {"augmentation": "flip"}},
    "training.optimizer.learning_rate": {"training": {"optimizer": {"learning_rate": 0.01}}},
    "training.seed": {"training": {"seed": 3}},
    "training.epochs": {"training": {"epochs": 12}},
    "training.threads": {"training": {"threads": 2}},
    "data.train_images": {"data": {"train_images": None}},
    "data.seed": {"data": {"seed": 1}},
    "model.stages.2.channels": {"model": {"stages": [{}, {"channels": 96}, {}]}},
    "search.studies.penalised.penalty.weight": {
        "search": {"studies": {"penalised": {"penalty": {"weight": 0.2}}}}
    },
    "analyses.timing": {"analyses": ["timing"]},
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_one_setting_that_was_changed_is_the_one_that_is_named(name, run):
    change = copy.deepcopy(PAIRS[name])
    base = quick()
    if "stages" in change.get("model", {}):
        change["model"]["stages"] = [
            stage | more
            for stage, more in zip(base["model"]["stages"], change["model"]["stages"], strict=True)
        ]
    differ, _ = differing.settings(run(base), run(quick(**change)))
    assert [one.name for one in differ] == [name]
