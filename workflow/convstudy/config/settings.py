"""The config: all sections, their defaults, and the checks from each room."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ValidationError

from convstudy.article import facts
from convstudy.config import analyses, mistakes, yaml_file
from convstudy.config.analyses import Depth, ModuleTable, Pareto, Recipes, Replay, Timing
from convstudy.config.mistakes import NAMED
from convstudy.core.errors import UserError
from convstudy.core.section import UNIQUE, Config, Mistake, Section, Text, merged
from convstudy.data import settings as data_settings
from convstudy.layers import settings as layers_settings
from convstudy.layers.settings import Model
from convstudy.search import settings as search_settings
from convstudy.training import settings as training_settings


class Report(Section):
    """The look of the report; a change trains nothing anew."""

    title: Text = "Which convolution layer is worth its parameters?"
    """Title of the report."""
    language: Literal["en", "ja"] = "en"
    """Language of the report and its figures: en or ja."""
    compare: Text | None = None
    """Another run to compare with on a page of its own: a recorded run's name, or a results folder.

    The page is reports/comparison.html; the report says under “How this was made” what differs.
    `python -m convstudy compare A B` compares any two runs.
    """


class Settings(Section):
    """Every setting of the study. The defaults are those of the quick run."""

    data: data_settings.Data = data_settings.Data()
    model: Model = Model()
    training: training_settings.Training = training_settings.Training()
    search: search_settings.SearchSettings = search_settings.SearchSettings()
    analyses: Annotated[list[str], UNIQUE] = []
    """Analyses to make besides the article's own study; beyond.yaml lists all of them.

    [docs/analyses.md](../docs/analyses.md) says what each is. An analysis that uses another one
    must be listed with it. The next sections hold their settings.
    """
    claims: Text | None = None
    """A file with claims of your own, in the form of claims.yaml; they are about the run.

    They need no `source` and no `basis`. [docs/claims.md](../docs/claims.md) explains the rest.
    """
    module_table: ModuleTable = ModuleTable()
    depth: Depth = Depth()
    recipes: Recipes = Recipes()
    replay: Replay = Replay()
    timing: Timing = Timing()
    pareto: Pareto = Pareto()
    report: Report = Report()


# Settings of earlier versions, or values of them, why each was removed, and what to do.
GONE = {
    "exhaustive": "it is called module_table now; write module_table",
    "training.precision: mixed_float16": "bfloat16 replaces it; write precision: mixed_bfloat16",
    "training.backend: torch": "it was only 0.4 to 0.6 times as fast; write backend: tensorflow",
    "search.storage: sqlite": "it allowed only one worker; write storage: journal",
    "data.download_timeout": "a silent server now always gets 10 seconds; remove it",
    "report.show_code": "reports/report.ipynb shows the code; remove it",
    "search.studies.*.sampler.candidates": "TPE always compares 24; remove it",
    "search.studies.*.pruner.interval_steps": "pruning now checks every epoch; remove it",
    "search.studies.*.pruner.minimum_trials": "one trial at an epoch is now enough; remove it",
}

Check = Callable[[Config], Iterator[Mistake]]


def _epochs_outlast_warmup(config: Config) -> Iterator[Mistake]:
    modules: tuple[str, ...] = ("search", "module_table")
    single: tuple[str, ...] = ("training",)
    if "depth" in config["analyses"]:
        single += ("depth",)
    if "optimizer" in config["search"]["training"]:
        recipe = training_settings.of_modules(config)
        yield from _all_outlast(config, modules, ("search", "training"), recipe)
    else:
        single += modules
    yield from _all_outlast(config, single, ("training",), config["training"])


def _all_outlast(
    config: Config, sections: tuple[str, ...], path: tuple[str, ...], recipe: Config
) -> Iterator[Mistake]:
    shortest = min(sections, key=lambda section: config[section]["epochs"])
    yield from training_settings.warmup_mistakes(
        path, config[shortest]["epochs"], f"{shortest}.epochs", recipe["optimizer"]
    )


CHECKS: tuple[Check, ...] = (
    data_settings.mistakes,
    layers_settings.mistakes,
    training_settings.mistakes,
    _epochs_outlast_warmup,
    search_settings.mistakes,
    analyses.mistakes,
)


def validate(
    config: Config,
    files: Sequence[yaml_file.YamlFile] = (),
    *,
    this_machine: bool = True,
    also: Sequence[Check] = (),
) -> dict[str, Any]:
    """Check a config and fill in the defaults.

    Args:
        config: As read from YAML.
        files: The files that it was read from; later ones override earlier ones.
        this_machine: Whether the jobs run here, so that this machine must have what they need.
        also: More checks.

    Returns:
        A new config with every key. Studies and recipes that are null are left out.

    Raises:
        UserError: With one line per mistake: file, line, key, value, what is allowed, fix.
    """
    given = _plain(config)
    found = [
        Mistake(tuple(key.split(".")), f"{value or 'this setting'} was removed: {was}")
        for key, value, was in drop_gone(given)
    ]
    found += _remove_named(given, files)
    _sort_named(given, files)
    found += mistakes.find(Settings, given)
    if not found:
        given = Settings.model_validate(given).model_dump()
        found = [mistake for check in (*CHECKS, *also) for mistake in check(given)]
    if not found and this_machine:
        found = list(training_settings.machine_mistakes(given))
    if found:
        head = "the config has a mistake" if len(found) == 1 else "the config has mistakes"
        lines = mistakes.write(found, config, files)
        raise UserError("\n  ".join([f"{head}:", *lines]))
    return given


def filled(config: Config) -> dict[str, Any]:
    """Fill in the defaults of a recorded config; removed and unknown settings are left out.

    Raises:
        UserError: If a value is no longer allowed.
    """
    given = _plain(config)
    drop_gone(given)
    try:
        return Settings.model_validate(given, extra="ignore").model_dump()
    except ValidationError:
        lines = mistakes.write(list(mistakes.find(Settings, given)), given, ())
        raise UserError("\n  ".join(["a recorded config has mistakes:", *lines])) from None


def _remove_named(config: dict[str, Any], files: Sequence[yaml_file.YamlFile]) -> list[Mistake]:
    """Remove studies and recipes that are null; report those that did not exist before."""
    found = []
    for (section, key), defaults in _named_by_default().items():
        what = NAMED[section, key]
        part = config.get(section)
        named = part.get(key) if isinstance(part, dict) else None
        if not isinstance(named, dict):
            continue
        parts = [mistakes.at(file.content, (section, key)) for file in files]
        existing = {
            name
            for part in [*parts, defaults]
            if isinstance(part, dict)
            for name in part
            if part[name] is not None
        }
        for name in [name for name, value in named.items() if value is None]:
            del named[name]
            if name not in existing:
                fix = mistakes.suggestion(str(name), sorted(existing))
                line = f"null removes a {what}, but no {what} has this name; {fix}"
                line += f" For a {what} with default settings, write {name}: {{}}"
                found.append(Mistake((section, key, name), line))
    return found


def _sort_named(config: dict[str, Any], files: Sequence[yaml_file.YamlFile]) -> None:
    """Sort the named sections as the files name them: the first kind and study are special.

    Snakemake puts what a later file names first.
    """
    for section, key in NAMED:
        part = config.get(section)
        named = part.get(key) if isinstance(part, dict) else None
        if isinstance(named, dict):
            parts = [mistakes.at(file.content, (section, key)) for file in files]
            order = dict.fromkeys(name for one in parts if isinstance(one, dict) for name in one)
            config[section][key] = {name: named[name] for name in [*order, *named] if name in named}


def remove_others(config: dict[str, Any]) -> None:
    """Set the default studies and recipes that a complete config lacks to null.

    Merged over the default config, the config then stays as it is.
    """
    for (section, key), defaults in _named_by_default().items():
        if key in config.get(section, {}):
            config[section][key] |= dict.fromkeys(defaults.keys() - config[section][key].keys())


def _named_by_default() -> dict[tuple[str, str], dict[str, Any]]:
    defaults = Settings().model_dump()
    return {(section, key): defaults[section][key] for section, key in NAMED}


def drop_gone(config: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    """Remove settings of earlier versions from a config.

    Returns:
        For each: its key, its value if only that value was removed, and the text from `GONE`.
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
    """Turn nested mappings into plain dicts."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def read(paths: Iterable[Path], *, this_machine: bool = True) -> dict[str, Any]:
    """Read configs, merge each over those before, and check the result.

    Raises:
        UserError: If a file cannot be read, or `validate` finds mistakes.
    """
    files = [yaml_file.read(path) for path in paths]
    config: dict[str, Any] = {}
    for file in files:
        if not isinstance(file.content, dict):
            raise UserError(f"{file.name} has no sections; write, for example, data: {{}}")
        config = merged(config, file.content)
    return validate(config, files, this_machine=this_machine)


def penalty(config: Mapping[str, Any]) -> dict[str, float]:
    """Return weight and unit of the first study with a penalty, or else the article's."""
    for study in config["search"]["studies"].values():
        if study["penalty"]["weight"] > 0:
            return {key: study["penalty"][key] for key in ("weight", "unit")}
    return article_penalty(config)


def article_penalty(config: Mapping[str, Any]) -> dict[str, float]:
    """Return weight and unit of the article's penalty, the unit at the config's width."""
    weight, unit = facts.penalty()
    return {"weight": weight, "unit": unit * config["model"]["width"] ** 2}


def recipe_training(config: Mapping[str, Any], recipe: str) -> dict[str, Any]:
    """Return the ``training`` section with a recipe's changes."""
    return merged(config["training"], config["recipes"]["compared"][recipe])
