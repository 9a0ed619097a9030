import copy
import itertools
import math
import re

import pytest
import yaml
from convstudy.config import schema, settings
from convstudy.core.errors import UserError


@pytest.fixture(autouse=True)
def no_folder(monkeypatch):
    monkeypatch.delenv("CONVSTUDY_CIFAR10", raising=False)


@pytest.fixture(scope="module")
def quick(root):
    return yaml.safe_load((root / "config/config.yaml").read_text())


@pytest.fixture(scope="module")
def article(root):
    return yaml.safe_load((root / "config/article.yaml").read_text())


def keys(config, prefix=""):
    """Give the dotted keys that hold a value."""
    if not isinstance(config, dict):
        return {prefix.rstrip(".")}
    return {key for name in config for key in keys(config[name], f"{prefix}{name}.")}


def test_the_default_config_writes_out_every_default(quick):
    filled = settings.validate({})
    assert filled == settings.validate(quick)
    # The second study says only what differs from the first.
    missing = keys(filled) - keys(quick)
    assert all(key.startswith("search.studies.penalised.") for key in missing), missing


def test_every_key_of_the_config_has_a_comment(root):
    lines = (root / "config/config.yaml").read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        name, _, value = line.strip().partition(":")
        if value and not line.strip().startswith("#") and name not in ("title", "test_images"):
            explained = before.strip().startswith("#") or "weight: 0.05" in line
            assert explained, line


def test_every_key_is_described_in_the_schema_and_in_the_readme(root):
    readme = (root / "config/README.md").read_text()

    def walk(part):
        part = settings.resolved(part)
        assert part["description"], part
        for name, below in part.get("properties", {}).items():
            assert f"`{name}`" in readme, name
            below = settings.resolved(below)
            assert {"type", "enum"} & below.keys()
            assert {"default", "properties", "additionalProperties"} & below.keys(), name
            walk(below)

    for name, part in schema.schema()["properties"].items():
        assert f"`{name}`" in readme
        walk(part)
    walk(schema.schema()["$defs"]["study"])


def test_validating_changes_nothing_that_is_given(quick):
    before = copy.deepcopy(quick)
    settings.validate(quick)
    assert quick == before


def mistake(config, **arguments):
    with pytest.raises(UserError) as caught:
        settings.validate(config, **arguments)
    return str(caught.value)


def config_with(key, value):
    """Make a config of one key, which is dotted."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


A = "search.studies.a"
LONG_WARMUP = {"schedule": "cosine", "warmup_epochs": 5}


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("model.width", -1, "model.width: -1, but allowed is a number at least 0.03125"),
        ("modle", {}, "did you mean model?"),
        ("training.epochs", True, "training.epochs: true, but allowed is a whole number"),
        ("training.epochs", 2.5, "training.epochs: 2.5"),
        ("model.width", math.nan, "model.width: nan"),
        ("training.optimizer.learning_rate", "1e-3", "write learning_rate: 0.001,"),
        ("training.optimizer.learning_rate", "1e-7", "write learning_rate: 0.0000001,"),
        ("training.epochs", "8", "epochs: '8', but allowed is a whole number"),
        ("data", None, "data: null, but allowed is a section with keys"),
        ("data.source", "web", "one of auto, real, directory, keras, synthetic"),
        ("search.studies", {}, "at least one study is needed"),
        ("search.studies.My study", {}, "'My study' is no name for a study"),
        (f"{A}.penalty.unit", 0, f"{A}.penalty.unit: 0"),
        ("data.train_images", 60000, "CIFAR-10 has 50,000"),
        ("data.test_images", 5, "data.test_images: 5"),
        ("training.batch_size", 6000, "there are 5,000 training images"),
        ("training.optimizer", LONG_WARMUP, "a training or trial has 5 epochs"),
        ("training.optimizer.warmup_epochs", 1, "a constant schedule has none"),
        (f"{A}.trials", 3, f"{A}.sampler.startup_trials: 5, but the study has 3 trials"),
        (f"{A}.pruner.startup_trials", 11, f"{A}.pruner.startup_trials: 11"),
        (f"{A}.pruner.warmup_steps", 5, "so none would be pruned"),
        ("search.workers", 11, "write at most 10"),
        ("data.source", "directory", "no folder is given"),
        pytest.param(
            "data.directory",
            "/nowhere",
            "data.directory: /nowhere has no train-*.parquet",
            marks=pytest.mark.fault(
                "The folder of CIFAR-10 vanishes", where="before a run", lost="nothing: one line"
            ),
        ),
    ],
)
def test_a_mistake_is_named_with_key_value_and_fix(key, value, line):
    assert line in mistake(config_with(key, value), this_machine=False)


GONE = f"""
data.download_timeout
report.show_code
{A}.sampler.candidates
{A}.pruner.interval_steps
{A}.pruner.minimum_trials
training.backend: torch
training.precision: mixed_float16
search.storage: sqlite
"""


@pytest.mark.parametrize("gone", GONE.strip().splitlines())
def test_a_setting_of_an_earlier_version_gets_one_line(gone):
    key, _, value = gone.partition(": ")
    [_, line] = mistake(config_with(key, value or 1), this_machine=False).splitlines()
    assert f"{gone} is no {'choice' if value else 'setting'} any more" in line
    assert re.search("; (remove it|write .*)$", line)


def test_several_mistakes_have_a_line_each():
    text = mistake({"model": {"width": 0}, "training": {"epochs": 0}})
    assert len(text.splitlines()) == 3


def test_the_environment_variable_is_checked(monkeypatch, tmp_path):
    monkeypatch.setenv("CONVSTUDY_CIFAR10", str(tmp_path))
    (tmp_path / "train-0.parquet").touch()
    assert f"CONVSTUDY_CIFAR10: {tmp_path} has no test-*.parquet" in mistake({})
    (tmp_path / "test-0.parquet").touch()
    settings.validate({})


def test_what_this_machine_lacks_is_a_mistake_only_here(monkeypatch):
    monkeypatch.setattr(settings.gpus, "names", list)
    monkeypatch.setattr(settings.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(settings.os, "cpu_count", lambda: 2)
    for training, line in (
        ({"backend": "jax"}, "run make setup EXTRA=jax"),
        ({"device": "gpu"}, "write device: auto"),
        ({"threads": 3}, "this machine has 2 cores"),
    ):
        assert line in mistake({"training": training})
        settings.validate({"training": training}, this_machine=False)


def test_bfloat16_is_for_processors_that_multiply_it(monkeypatch):
    monkeypatch.setattr(settings.gpus, "names", list)
    monkeypatch.setattr(settings.importlib.util, "find_spec", lambda name: name)
    bfloat16 = {"training": {"precision": "mixed_bfloat16"}}
    for unit in ("AMX", "AVX512-BF16"):
        monkeypatch.setattr(settings.environment, "unit", lambda unit=unit: unit)
        settings.validate(bfloat16)
    on_jax = {"training": {"precision": "mixed_bfloat16", "backend": "jax"}}
    assert "jax computes it in another precision on a CPU; write backend: " in mistake(on_jax)
    monkeypatch.setattr(settings.environment, "unit", lambda: "AVX-512")
    monkeypatch.setattr(settings.environment, "processor", lambda: "Some CPU, AVX-512")
    line = mistake(bfloat16)
    assert "this processor (Some CPU, AVX-512) does not multiply it" in line
    assert "write precision: float32" in line
    monkeypatch.setattr(settings.gpus, "names", lambda: ["a GPU"])
    settings.validate(bfloat16)
    settings.validate(on_jax)
