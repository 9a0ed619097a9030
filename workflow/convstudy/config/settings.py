"""The config: all sections, their defaults, and the checks of each room."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import ValidationError

from convstudy.article import facts
from convstudy.config import analyses, mistakes, yaml_file
from convstudy.config.analyses import ModuleTable, Pareto, Recipes, Replay, Timing
from convstudy.config.mistakes import NAMED
from convstudy.core.errors import UserError
from convstudy.core.section import UNIQUE, Config, Mistake, Section, Text, merged
from convstudy.data import settings as data_settings
from convstudy.layers.settings import Model
from convstudy.search import settings as search_settings
from convstudy.training import settings as training_settings


class Report(Section):
    """The report's look; a change here renders the report and nothing else."""

    title: Text = "Which convolution layer is worth its parameters?"
    """Its title."""


class Settings(Section):
    """Every setting of the study. The defaults are those of the quick run."""

    data: data_settings.Data = data_settings.Data()
    model: Model = Model()
    training: training_settings.Training = training_settings.Training()
    search: search_settings.SearchSettings = search_settings.SearchSettings()
    analyses: Annotated[list[str], UNIQUE] = []
    """What is made and shown in the report besides the article's own study; beyond.yaml lists all.

    [The README](../README.md#beyond-the-article) says what each is. An analysis that is made of
    another one is listed with it. The next sections are their settings.
    """
    module_table: ModuleTable = ModuleTable()
    recipes: Recipes = Recipes()
    replay: Replay = Replay()
    timing: Timing = Timing()
    pareto: Pareto = Pareto()
    report: Report = Report()


# What settings of earlier versions were, or meant by a value, and what to do.
GONE = {
    "exhaustive": "the table of all modules; write module_table",
    "training.precision: mixed_float16": "for GPUs; write precision: mixed_bfloat16",
    "training.backend: torch": "0.4 to 0.6 times as fast; write backend: tensorflow",
    "search.storage: sqlite": "a file that one worker could use; write storage: journal",
    "data.download_timeout": "the seconds given to a silent server, which has 10 now; remove it",
    "report.show_code": "for code that unfolds, which reports/report.ipynb has anyway; remove it",
    "search.studies.*.sampler.candidates": "what TPE compares, which is 24 always; remove it",
    "search.studies.*.pruner.interval_steps": "epochs between looks, now always 1; remove it",
    "search.studies.*.pruner.minimum_trials": "trials at an epoch, now always 1; remove it",
}

Check = Callable[[Config], Iterator[Mistake]]


def _epochs_outlast_warmup(config: Config) -> Iterator[Mistake]:
    sections = ("training", "search", "module_table")
    shortest = min(sections, key=lambda section: config[section]["epochs"])
    epochs, optimizer = config[shortest]["epochs"], config["training"]["optimizer"]
    yield from training_settings.warmup_mistakes(
        ("training",), epochs, f"{shortest}.epochs", optimizer
    )


CHECKS: tuple[Check, ...] = (
    data_settings.mistakes,
    training_settings.mistakes,
    _epochs_outlast_warmup,
    search_settings.mistakes,
    analyses.mistakes,
)


def validate(
    config: Config, files: Sequence[yaml_file.YamlFile] = (), *, this_machine: bool = True
) -> dict[str, Any]:
    """Check a config and fill in the defaults.

    Args:
        config: As read from YAML.
        files: The files that it was read from, the later over the earlier.
        this_machine: Whether the jobs run here, so that this machine must have what they need.

    Returns:
        A new config in which every key stands. A study or recipe that is null is left out.

    Raises:
        UserError: With one line for each mistake: file, line, key, value, what is allowed, fix.
    """
    given = _plain(config)
    found = [
        Mistake(tuple(key.split(".")), f"{value or 'it'} is gone: it was {was}")
        for key, value, was in drop_gone(given)
    ]
    found += _remove_named(given, files)
    found += mistakes.find(Settings, given)
    if not found:
        given = Settings.model_validate(given).model_dump()
        found = [mistake for check in CHECKS for mistake in check(given)]
    if not found and this_machine:
        found = list(training_settings.machine_mistakes(given))
    if found:
        head = "the config has a mistake" if len(found) == 1 else "the config has mistakes"
        lines = mistakes.write(found, config, files)
        raise UserError("\n  ".join([f"{head}:", *lines]))
    return given


def filled(config: Config) -> dict[str, Any]:
    """Fill in the defaults of a recorded config; what is gone, or unknown here, is left out.

    Raises:
        UserError: If a value is none that is allowed today.
    """
    given = _plain(config)
    drop_gone(given)
    try:
        return Settings.model_validate(given, extra="ignore").model_dump()
    except ValidationError:
        lines = mistakes.write(list(mistakes.find(Settings, given)), given, ())
        raise UserError("\n  ".join(["a recorded config has mistakes:", *lines])) from None


def _remove_named(config: dict[str, Any], files: Sequence[yaml_file.YamlFile]) -> list[Mistake]:
    """Take out studies and recipes that are null, and find those that were never there."""
    found = []
    for (section, key), what in NAMED.items():
        part = config.get(section)
        named = part.get(key) if isinstance(part, dict) else None
        if not isinstance(named, dict):
            continue
        contents = [Settings().model_dump(), *(file.content for file in files)]
        parts = [mistakes.at(content, (section, key)) for content in contents]
        there = {
            name for one in parts if isinstance(one, dict) for name in one if one[name] is not None
        }
        for name in [name for name, one in named.items() if one is None]:
            del named[name]
            if name not in there:
                fix = mistakes.suggestion(str(name), sorted(there))
                line = f"null removes a {what}, but there is none of that name; {fix}"
                line += f" For a {what} of defaults, write {name}: {{}}"
                found.append(Mistake((section, key, name), line))
    return found


def remove_others(config: dict[str, Any]) -> None:
    """Set studies and recipes of the default config to null that a whole config does not have.

    Laid over the default config, it then comes out as it is.
    """
    for (section, key), defaults in _named_by_default().items():
        if key in config.get(section, {}):
            config[section][key] |= dict.fromkeys(defaults.keys() - config[section][key].keys())


def _named_by_default() -> dict[tuple[str, str], dict[str, Any]]:
    whole = Settings().model_dump()
    return {(section, key): whole[section][key] for section, key in NAMED}


def drop_gone(config: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    """Take settings of earlier versions out of a config.

    Returns:
        Of each, the key, its value if that alone is gone, and what it was.
    """
    found = []
    for gone, was in GONE.items():
        pattern, _, value = gone.partition(": ")
        *above, last = pattern.split(".")
        sections = {"": config}
        for name in above:
            sections = {
                f"{path}{key}.": section[key]
                for path, section in sections.items()
                for key in (list(section) if name == "*" else [name])
                if isinstance(section.get(key), dict)
            }
        for path, section in sections.items():
            if last in section and value in ("", section[last]):
                del section[last]
                found.append((path + last, value or None, was))
    return found


def _plain(value: Any) -> Any:
    """Turn the config's own mappings into dicts."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def read(paths: Iterable[Path], *, this_machine: bool = True) -> dict[str, Any]:
    """Read configs, lay each over the ones before, and check what comes out.

    Raises:
        UserError: If a file cannot be read, or for the mistakes that `validate` finds.
    """
    files = [yaml_file.read(path) for path in paths]
    config: dict[str, Any] = {}
    for file in files:
        if not isinstance(file.content, dict):
            raise UserError(f"{file.name} has no sections; write for example data: {{}}")
        config = merged(config, file.content)
    return validate(config, files, this_machine=this_machine)


def penalty(config: Mapping[str, Any]) -> dict[str, float]:
    """Give weight and unit of the first study that has a penalty, or else the article's."""
    for study in config["search"]["studies"].values():
        if study["penalty"]["weight"] > 0:
            return {key: study["penalty"][key] for key in ("weight", "unit")}
    weight, unit = facts.penalty()
    return {"weight": weight, "unit": unit * config["model"]["width"] ** 2}


def recipe_training(config: Mapping[str, Any], recipe: str) -> dict[str, Any]:
    """Give the ``training`` section as a recipe changes it."""
    return merged(config["training"], config["recipes"]["compared"][recipe])
