import copy
import json
import math
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from convstudy.config import document, mistakes, settings, yaml_file
from convstudy.core import environment
from convstudy.core.errors import UserError
from convstudy.training import settings as training_settings


@pytest.fixture(autouse=True)
def no_folder(monkeypatch):
    monkeypatch.delenv("CONVSTUDY_CIFAR10", raising=False)


@pytest.fixture(scope="module")
def quick(root):
    return yaml.safe_load((root / "config/config.yaml").read_text())


def keys(value, path=()):
    """Yield the path of every key."""
    for key, below in value.items() if isinstance(value, dict) else ():
        yield (*path, key)
        yield from keys(below, (*path, key))


def test_the_default_config_and_its_documents_are_as_the_classes_say(root, monkeypatch):
    monkeypatch.chdir(root)
    for path, text in document.documents().items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run make settings"
    quick = yaml.safe_load(Path("config/config.yaml").read_text())
    assert settings.validate({}) == settings.validate(quick)


@pytest.mark.parametrize("name", ["article", "beyond", "evidence", "overnight"])
def test_the_schema_for_editors_accepts_every_config(root, name):
    found = json.loads((root / "config" / document.SCHEMA).read_text())
    text = (root / f"config/{name}.yaml").read_text()
    assert text.startswith(f"# yaml-language-server: $schema={document.SCHEMA}\n")
    jsonschema.validate(yaml.safe_load(text), found)
    jsonschema.validate({"search": {"studies": {"penalised": None}}}, found)
    for wrong in ({"training": {"epochs": 0}}, {"trainnig": {}}, {"model": {"width": 9}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, found)


def test_validating_changes_nothing_that_is_given(quick):
    before = copy.deepcopy(quick)
    settings.validate(quick)
    assert quick == before


def mistake(config, **arguments):
    with pytest.raises(UserError) as caught:
        settings.validate(config, **arguments)
    return str(caught.value)


def config_with(key, value):
    """Make a config of one dotted key."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


A = "search.studies.a"
LONG_WARMUP = {"schedule": "cosine", "warmup_epochs": 5}


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("model.width", -1, "model.width: -1, but it must be a number at least 0.03125"),
        ("modle", {}, "did you mean model?"),
        ("training.epochs", True, "training.epochs: true, but it must be a whole number"),
        ("training.epochs", 2.5, "training.epochs: 2.5"),
        ("model.width", math.nan, "model.width: nan"),
        ("training.optimizer.learning_rate", "1e-3", "write learning_rate: 0.001,"),
        ("training.optimizer.learning_rate", "1e-7", "write learning_rate: 0.0000001,"),
        ("training.epochs", "8", "epochs: '8', but it must be a whole number"),
        ("data", None, "data: null, but it must be a section with keys"),
        ("data.source", "web", "one of auto, real, directory, keras, synthetic"),
        ("search.studies", {}, "at least one is needed; write my_study: {} below it"),
        ("search.studies.My study", {}, "'My study' is not a valid name for a study"),
        (f"{A}.penalty.unit", 0, f"{A}.penalty.unit: 0"),
        ("data.train_images", 60000, "CIFAR-10 has 50,000"),
        ("data.test_images", 5, "data.test_images: 5"),
        ("training.batch_size", 6000, "there are 5,000 training images"),
        (
            "search.training.batch_size",
            6000,
            "search.training.batch_size: 6000, but there are 5,000",
        ),
        ("recipes.compared.a.batch_size", 6000, "recipes.compared.a.batch_size: 6000, but there"),
        (
            "search.training.epochs",
            6,
            "search.training.epochs: unknown key; allowed here are batch",
        ),
        (
            "search.training.optimizer",
            LONG_WARMUP,
            "search.training.optimizer.warmup_epochs: 5, but search.epochs is 5",
        ),
        (
            "search.training.optimizer.warmup_epochs",
            1,
            "search.training.optimizer.warmup_epochs: 1, but a constant schedule has none",
        ),
        ("training.optimizer", LONG_WARMUP, "5, but search.epochs is 5; write warmup_epochs: 4"),
        ("training.optimizer.warmup_epochs", 1, "a constant schedule has none"),
        (f"{A}.trials", 3, f"{A}.sampler.startup_trials: 5, but the study has 3 trials"),
        (f"{A}.pruner.startup_trials", 11, f"{A}.pruner.startup_trials: 11"),
        (f"{A}.pruner.warmup_steps", 5, "so none would be pruned"),
        ("search.workers", 11, "has 10 trials; write workers: 10"),
        ("data.source", "directory", "no folder is given"),
        pytest.param(
            "data.directory",
            "/nowhere",
            "data.directory: /nowhere is not a folder; correct the path",
            marks=pytest.mark.fault(
                "The CIFAR-10 folder disappears",
                where="before a run",
                lost="nothing: a one-line message",
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
    assert f"{key}: {value or 'this setting'} was removed: " in line
    assert re.search("; (remove it|write .*)$", line)


def test_a_mistake_in_training_is_not_repeated_for_the_modules():
    for training in ({"batch_size": 6000}, {"optimizer": LONG_WARMUP | {"warmup_epochs": 8}}):
        config = {"training": training, "search": {"training": {"augmentation": "flip"}}}
        config["recipes"] = {"epochs": 20}
        [_, line] = mistake(config, this_machine=False).splitlines()
        assert line.startswith("  training.")


def test_modules_may_be_trained_otherwise_than_single_kinds():
    warmup = {"schedule": "cosine", "warmup_epochs": 6}
    config = {
        "training": {"optimizer": warmup},
        "search": {"training": {"batch_size": 512, "optimizer": {"warmup_epochs": 2}}},
    }
    config = settings.validate(config, this_machine=False)
    modules = training_settings.of_modules(config)
    assert (modules["batch_size"], modules["optimizer"]["warmup_epochs"]) == (512, 2)
    modules["batch_size"], modules["optimizer"]["warmup_epochs"] = 64, 6
    assert modules == config["training"]
    same = settings.validate({}, this_machine=False)
    assert training_settings.of_modules(same) == same["training"]


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
    monkeypatch.setattr(training_settings.gpus, "names", list)
    monkeypatch.setattr(training_settings.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(training_settings.os, "cpu_count", lambda: 2)
    for training, line in (
        ({"backend": "jax"}, "run make setup EXTRA=jax"),
        ({"device": "gpu"}, "write device: auto"),
        ({"threads": 3}, "this machine has 2 cores"),
    ):
        assert line in mistake({"training": training})
        settings.validate({"training": training}, this_machine=False)


def test_bfloat16_is_for_processors_that_multiply_it(monkeypatch):
    monkeypatch.setattr(training_settings.gpus, "names", list)
    monkeypatch.setattr(training_settings.importlib.util, "find_spec", lambda name: name)
    bfloat16 = {"training": {"precision": "mixed_bfloat16"}}
    for unit in ("AMX", "AVX512-BF16"):
        monkeypatch.setattr(environment, "unit", lambda unit=unit: unit)
        settings.validate(bfloat16)
    on_jax = {"training": {"precision": "mixed_bfloat16", "backend": "jax"}}
    assert "jax computes it in another precision on a CPU; write backend: " in mistake(on_jax)
    monkeypatch.setattr(environment, "unit", lambda: "AVX-512")
    monkeypatch.setattr(environment, "processor", lambda: "Some CPU, AVX-512")
    line = mistake(bfloat16)
    assert "this processor (Some CPU, AVX-512) does not multiply it" in line
    assert "write precision: float32" in line
    monkeypatch.setattr(training_settings.gpus, "names", lambda: ["a GPU"])
    settings.validate(bfloat16)
    settings.validate(on_jax)


EVERY = list(keys(settings.validate({}, this_machine=False)))
NAMED = list(mistakes.NAMED)


def changed(path, rename=None, value=None):
    """Make the complete default config with one key renamed or changed."""
    config = settings.validate({}, this_machine=False)
    part = config
    for key in path[:-1]:
        part = part[key]
    found = part.pop(path[-1])
    part[rename or path[-1]] = found if rename else value
    return config


@pytest.mark.parametrize("path", [path for path in EVERY if path[:-1] not in NAMED], ids=".".join)
def test_every_key_is_refused_when_misspelt(path):
    wrong = f"{path[-1]}x"
    [_, line] = mistake(changed(path, rename=wrong), this_machine=False).splitlines()
    where = ".".join((*path[:-1], wrong))
    assert line.startswith(f"  {where}: unknown key; allowed here are ")
    assert line.endswith(f"; did you mean {path[-1]}?")


@pytest.mark.parametrize("path", EVERY, ids=".".join)
def test_every_key_is_refused_when_nonsense(path):
    refusals = 0
    for nonsense in ([[]], "nonsense", 1.5, -1, True, {"x": None}):
        try:
            valid = settings.validate(changed(path, value=nonsense), this_machine=False)
        except UserError as error:
            refusals += 1
            _, *lines = str(error).splitlines()
            assert all(".".join(path) in line for line in lines), lines
            continue
        # Some nonsense is valid for some keys, and must then be kept unchanged.
        for key in path:
            valid = valid[key]
        assert (type(valid), valid) == (type(nonsense), nonsense)
    assert refusals >= 4


STRICT = {
    "training.epochs": ("8", 8.0, True),
    "training.label_smoothing": ("0.5", False),
    "training.jit_compile": (1, 0, "yes", "true"),
    f"{A}.sampler.multivariate": (1, "yes", 1.0),
    "data.train_images": ("null", 5000.0),
    "report.title": (3, True),
}


@pytest.mark.parametrize("key", STRICT)
def test_no_value_becomes_another_one(key):
    for value in STRICT[key]:
        assert f"{key}: " in mistake(config_with(key, value), this_machine=False)


@pytest.mark.parametrize("width", [1, 1.0])
def test_a_number_stays_what_it_is(width):
    """The keys of curves and studies are digests of it."""
    [found] = [settings.validate(config_with("model.width", width))["model"]["width"]]
    assert type(found) is type(width)


def files(folder, *texts):
    paths = []
    for number, text in enumerate(texts):
        paths.append(folder / f"{number}.yaml")
        paths[-1].write_text(text)
    return paths


def refused(*paths):
    with pytest.raises(UserError) as caught:
        settings.read(paths, this_machine=False)
    return str(caught.value).splitlines()


def test_each_mistake_says_its_file_and_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = "training:\n  epochs: 8\n  optimizer:\n    name: adm\nsearch: {workers: 99}\n"
    second = "modle: {}\ntraining:\n  # Too few\n  epochs: 0\n"
    head, *lines = refused(*files(tmp_path, first, second))
    assert head == "the config has mistakes:"
    assert [line.strip().split(": ")[:2] for line in lines] == [
        ["0.yaml:4", "training.optimizer.name"],
        ["1.yaml:1", "modle"],
        ["1.yaml:4", "training.epochs"],
    ]
    assert lines[0].endswith("; write name: adam")
    # A key that is in no file gets the line of its section.
    [_, line] = refused(*files(tmp_path, "search:\n  studies:\n    a:\n      trials: 3\n"))[:2]
    assert line.strip().startswith("0.yaml:3: search.studies.a.sampler.startup_trials: 5, but")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("data: {}\nmodel: {}\ndata: {}\n", ":3: data: duplicate key, already in line 1;"),
        ("model:\n  width: 1\n  width: 2\n", ":3: model.width: duplicate key, already in line 2;"),
        ("model: {width: 1, width: 1}\n", ":1: model.width: duplicate key, already in line 1;"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n", ":4: b.<<: duplicate key, already in line 3;"),
        ("a:\n- x: 1\n  x: 2\n", ":3: a.0.x: duplicate key, already in line 2;"),
    ],
)
def test_a_key_that_is_written_twice_is_refused_with_both_lines(tmp_path, text, line):
    [path] = files(tmp_path, text)
    head, found = refused(path)
    assert head == f"{path} has duplicate keys:"
    assert found.startswith(f"  {path}{line}")


def test_a_key_beside_a_merged_one_is_not_written_twice(tmp_path):
    text = "search:\n  studies:\n    a: &a {trials: 20}\n    b:\n      <<: *a\n      trials: 30\n"
    studies = settings.read(files(tmp_path, text), this_machine=False)["search"]["studies"]
    assert {name: study["trials"] for name, study in studies.items()} == {"a": 20, "b": 30}


@pytest.mark.parametrize(
    "path", ["config/*.yaml", "profiles/*/*.yaml", "results/reference/*/config.yaml"]
)
def test_no_file_that_is_shipped_has_a_key_twice(root, path):
    """Snakemake reads profiles before the workflow can check them."""
    found = list(root.glob(path))
    assert found
    for one in found:
        yaml_file.read(one)


@pytest.mark.parametrize(
    ("section", "key", "name"), [("search", "studies", "penalised"), ("recipes", "compared", "sgd")]
)
def test_null_removes_what_has_a_name(tmp_path, root, section, key, name):
    quick = root / "config/config.yaml"
    [path] = files(tmp_path, f"{section}: {{{key}: {{{name}: null}}}}")
    whole, less = (
        settings.read(paths, this_machine=False)[section][key] for paths in ([quick], [quick, path])
    )
    assert list(less) == [one for one in whole if one != name]
    # The result, recorded and read again, stays the same.
    config = settings.read([quick, path], this_machine=False)
    recorded = copy.deepcopy(config)
    settings.remove_others(recorded)
    again = tmp_path / "recorded.yaml"
    again.write_text(yaml.safe_dump(recorded))
    assert settings.read([quick, again], this_machine=False) == config


def test_null_for_what_is_not_there_is_a_mistake(tmp_path, root):
    [path] = files(tmp_path, "search:\n  studies:\n    penalized: null\n")
    [_, line] = refused(root / "config/config.yaml", path)
    assert line.startswith(f"  {path}:3: search.studies.penalized: null removes a study, but")
    assert "did you mean penalised?" in line


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    broken, empty = files(tmp_path, "data: [", "")
    assert f"{broken} is not valid YAML in line 1: " in refused(broken)[0]
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "none.yaml")[0]
    assert settings.read([empty], this_machine=False) == settings.validate({}, this_machine=False)
