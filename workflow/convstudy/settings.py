"""The config: defaults, checks against the schema and across keys, distance from the article."""

import copy
import difflib
import importlib.util
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from convstudy import gpus, provenance
from convstudy.errors import UserError

SCHEMA = Path(__file__).parents[1] / "schemas" / "config.schema.yaml"
# Images that CIFAR-10 has (Krizhevsky, 2009).
IMAGES = {"train_images": 50_000, "test_images": 10_000}
# Units of a processor that multiply bfloat16 (see `provenance.UNITS`).
BFLOAT16_UNITS = ("AMX", "AVX512-BF16")
TYPE_NAMES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "object": "a section with keys",
    "array": "a list",
    "null": "null",
}
# Sections whose keys are names that the user gives: of what, and an example.
NAMED = {"studies": ("study", "accuracy"), "compared": ("recipe", "adam")}

# What settings of earlier versions were, or meant by a value, and what to do.
GONE = {
    "training.precision: mixed_float16": "for GPUs; write precision: mixed_bfloat16",
    "training.backend: torch": "0.4 to 0.6 times as fast; write backend: tensorflow",
    "search.storage: sqlite": "a file that one worker could use; write storage: journal",
    "data.download_timeout": "the seconds given to a silent server, which has 10 now; remove it",
    "report.show_code": "for code that unfolds, which reports/report.ipynb has anyway; remove it",
    "search.studies.*.sampler.candidates": "what TPE compares, which is 24 always; remove it",
    "search.studies.*.pruner.interval_steps": "epochs between looks, now always 1; remove it",
    "search.studies.*.pruner.minimum_trials": "trials at an epoch, now always 1; remove it",
}

Config = Mapping[str, Any]


@cache
def schema() -> dict[str, Any]:
    """Give the schema of the config."""
    import yaml

    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def validate(config: Config, *, this_machine: bool = True) -> dict[str, Any]:
    """Check a config and fill in the defaults.

    Args:
        config: As read from YAML.
        this_machine: Whether the jobs run here, so that this machine must have what they need.

    Returns:
        A new config in which every key of the schema stands.

    Raises:
        UserError: With one line for each mistake: key, value, what is allowed, the fix.
    """
    found = _with_defaults(copy.deepcopy(_plain(config)), schema())
    mistakes = [
        f"{key} is no {'choice' if ':' in key else 'setting'} any more: it was {was}"
        for key, was in drop_gone(found)
    ]
    mistakes += schema_mistakes(found, schema(), "the config")
    if not mistakes:
        mistakes = [line for rule in RULES for line in rule(found)]
    if not mistakes and this_machine:
        mistakes = [line for rule in MACHINE_RULES for line in rule(found)]
    if mistakes:
        head = "the config has a mistake" if len(mistakes) == 1 else "the config has mistakes"
        raise UserError("\n  ".join([f"{head}:", *mistakes]))
    return found


def filled(config: Config) -> dict[str, Any]:
    """Give a config with the defaults for what it lacks, unchecked; what is gone is left out."""
    found = _with_defaults(copy.deepcopy(_plain(config)), schema())
    drop_gone(found)
    return found


def drop_gone(config: dict[str, Any]) -> list[tuple[str, str]]:
    """Take settings of earlier versions out of a config, and give them with what they were."""
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
                found.append((gone.replace(pattern, path + last), was))
    return found


def _plain(value: Any) -> Any:
    """Turn the config's own mappings into dicts."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _resolved(part: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference within the schema."""
    if "$ref" not in part:
        return part
    return schema()["$defs"][part["$ref"].rpartition("/")[2]]


def _with_defaults(value: Any, part: dict[str, Any]) -> Any:
    """Fill in what a section lacks; what is wrong stays for the check to find."""
    part = _resolved(part)
    if not isinstance(value, dict) or part.get("type") != "object":
        return value
    others = part.get("additionalProperties")
    if isinstance(others, dict):
        return {key: _with_defaults(item, others) for key, item in value.items()}
    for key, below in part["properties"].items():
        below = _resolved(below)
        # A recipe's keys have no defaults: what it leaves out is as in `training`.
        if key not in value and ("default" in below or below.get("type") == "object"):
            value[key] = copy.deepcopy(below.get("default", {}))
        if key in value:
            value[key] = _with_defaults(value[key], below)
    return value


def schema_mistakes(
    value: Any, schema: dict[str, Any], whole: str, names: Mapping[int, str] | None = None
) -> Iterator[str]:
    """Say what a schema forbids, in our words.

    Args:
        whole: What to call the value itself.
        names: What to call the entries of a list.
    """
    import jsonschema

    types = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": lambda _, x: type(x) is int, "number": lambda _, x: _is_number(x)}
    )
    checker = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=types)
    for error in checker(schema).iter_errors(value):
        path = list(error.absolute_path)
        entry = f"{names[path.pop(0)]}: " if names and path else ""
        yield f"{entry}{_mistake(error, path, 'it' if entry else whole)}"


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _mistake(error: Any, path: list[Any], whole: str) -> str:
    """Put one error of the schema in a line."""
    key, allowed = ".".join(map(str, path)) or whole, error.schema
    if error.validator == "additionalProperties":
        known = list(allowed["properties"])
        unknown = next(name for name in error.instance if name not in known)
        close = difflib.get_close_matches(str(unknown), known, 1)
        fix = f"did you mean {close[0]}?" if close else "remove it"
        where = ".".join(map(str, [*path, unknown]))
        return f"{where} is no key; allowed here are {', '.join(known)}; {fix}"
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        return f"{key} has no {missing}; needed are {', '.join(error.validator_value)}; add it"
    if error.validator == "anyOf":
        one = " or ".join(part["required"][0] for part in error.validator_value)
        return f"{key} has no {one}; at least one is needed; add it"
    if error.validator == "maxProperties":
        return f"{key}: {_short(_text(error.instance))}, but allowed is one key; remove the others"
    if error.validator == "minProperties" and path[-1] in NAMED:
        what, example = NAMED[path[-1]]
        return f"{key} is empty; at least one {what} is needed; write {key}: {{{example}: {{}}}}"
    if "propertyNames" in error.absolute_schema_path:
        what, _ = NAMED[path[-1]]
        return (
            f"{key}: {error.instance!r} is no name for a {what}; allowed are lower-case letters,"
            f" digits and _, a letter first; rename it, for example to my_{what}"
        )
    value = error.instance
    shown = repr(value) if isinstance(value, str) else _text(value)
    fix = f"the default is {_text(allowed['default'])}" if "default" in allowed else "fill it in"
    number = _number_in(value) if isinstance(value, str) else None
    if number is not None:
        # YAML 1.1 reads 1e-3 as text, as it has no point.
        fix = f"write {key.rpartition('.')[2]}: {_plain_number(number)}, without quotes"
    elif value is None and allowed.get("type") == "object":
        fix = "remove the line or put keys below it"
    return f"{key}: {_short(shown)}, but allowed is {_allowed(allowed)}; {fix}"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _text(value: Any) -> str:
    """Write a value as YAML does."""
    return json.dumps(value) if value is None or isinstance(value, (bool, dict)) else str(value)


def _number_in(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _plain_number(number: float) -> str:
    """Write a number without an exponent, which YAML would need a point for."""
    short = f"{number:g}"
    return short if "e" not in short else f"{number:.12f}".rstrip("0").rstrip(".")


def _allowed(part: dict[str, Any]) -> str:
    """Say what a key may be."""
    if "enum" in part:
        return "one of " + ", ".join(map(_text, part["enum"]))
    if "pattern" in part and part["type"] == "string":
        return part["description"]
    types = part["type"] if isinstance(part["type"], list) else [part["type"]]
    limits = [
        f"{word} {part[name]:,}"
        for name, word in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "more than"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "less than"),
            ("minItems", "of at least"),
        )
        if name in part
    ]
    first, *others = (TYPE_NAMES[one] for one in types)
    if part.get("minLength"):
        limits.append("not empty")
    if part.get("minItems"):
        limits.append(f"with {part['minItems']} or more")
    if part.get("uniqueItems"):
        limits.append("without repeats")
    return " or ".join([" ".join([first, " and ".join(limits)]).strip(), *others])


def _studies(config: Config) -> Iterator[tuple[str, Config]]:
    for name, study in config["search"]["studies"].items():
        yield f"search.studies.{name}", study


def _subsets_fit(config: Config) -> Iterator[str]:
    data = config["data"]
    for key, images in IMAGES.items():
        wanted = data[key]
        if data["source"] != "synthetic" and wanted is not None and wanted > images:
            yield (
                f"data.{key}: {wanted}, but CIFAR-10 has {images:,};"
                f" write at most {images}, or null for all"
            )


def _validation_fits(config: Config) -> Iterator[str]:
    data = config["data"]
    wanted, train = data["validation_images"], data["train_images"]
    # Some must be left to train on.
    most = IMAGES["train_images"] - (10 if train is None else train)
    if data["source"] != "synthetic" and wanted > most:
        yield (
            f"data.validation_images: {wanted}, but CIFAR-10 has {IMAGES['train_images']:,} images"
            f" for training and validation; write at most {most}, or lower data.train_images"
        )


def _batch_fits(config: Config) -> Iterator[str]:
    batch, images = config["training"]["batch_size"], config["data"]["train_images"]
    if images is None:
        images = IMAGES["train_images"] - config["data"]["validation_images"]
    if batch > images:
        yield (
            f"training.batch_size: {batch}, but there are {images:,} training images;"
            f" write at most {images}, or raise data.train_images"
        )


def _warmup_ends(config: Config) -> Iterator[str]:
    optimizer = config["training"]["optimizer"]
    shortest = min(config[section]["epochs"] for section in ("training", "search", "exhaustive"))
    warmup = optimizer["warmup_epochs"]
    if optimizer["schedule"] == "cosine" and warmup >= shortest:
        yield (
            f"training.optimizer.warmup_epochs: {warmup}, but a training or trial has"
            f" {shortest} epochs; write less than {shortest}"
        )
    if optimizer["schedule"] == "constant" and warmup:
        yield (
            f"training.optimizer.warmup_epochs: {warmup}, but a constant schedule has none;"
            " write 0, or schedule: cosine"
        )


def _recipes_end(config: Config) -> Iterator[str]:
    epochs = config["recipes"]["epochs"]
    for name, recipe in config["recipes"]["compared"].items():
        optimizer = merged(config["training"], recipe)["optimizer"]
        warmup, key = optimizer["warmup_epochs"], f"recipes.compared.{name}.optimizer.warmup_epochs"
        if optimizer["schedule"] == "cosine" and warmup >= epochs:
            yield (
                f"{key}: {warmup}, but recipes.epochs is {epochs}; write less than {epochs}, or"
                " raise recipes.epochs"
            )


def _startup_ends(config: Config) -> Iterator[str]:
    for key, study in _studies(config):
        for part, name in (("sampler", "tpe"), ("pruner", "median")):
            startup = study[part]["startup_trials"]
            if study[part]["name"] == name and startup > study["trials"]:
                yield (
                    f"{key}.{part}.startup_trials: {startup}, but the study has"
                    f" {study['trials']} trials, so {name} would never begin;"
                    f" write at most {study['trials']}, or raise {key}.trials"
                )


def _pruning_begins(config: Config) -> Iterator[str]:
    epochs = config["search"]["epochs"]
    for key, study in _studies(config):
        pruner = study["pruner"]
        if pruner["name"] != "none" and pruner["warmup_steps"] >= epochs:
            yield (
                f"{key}.pruner.warmup_steps: {pruner['warmup_steps']}, but a trial has {epochs}"
                f" epochs (search.epochs), so none would be pruned; write less than {epochs}, or"
                " name: none"
            )


def _workers_fit(config: Config) -> Iterator[str]:
    workers = config["search"]["workers"]
    for key, study in _studies(config):
        if workers > study["trials"]:
            yield (
                f"search.workers: {workers}, but {key} has {study['trials']} trials;"
                f" write at most {study['trials']}, or raise {key}.trials"
            )


def _storage_is_named(config: Config) -> Iterator[str]:
    if config["search"]["storage"] == "postgresql":
        from convstudy.storages import postgres_url

        try:
            postgres_url()
        except UserError as error:
            yield str(error)


def _folder_is_there(config: Config) -> Iterator[str]:
    data = config["data"]
    key, folder = "data.directory", data["directory"]
    if folder is None:
        key, folder = "CONVSTUDY_CIFAR10", os.environ.get("CONVSTUDY_CIFAR10")
    if data["source"] in ("synthetic", "keras"):
        return
    if not folder:
        if data["source"] == "directory":
            yield (
                "data.source: directory, but no folder is given;"
                " set data.directory or the environment variable CONVSTUDY_CIFAR10"
            )
        return
    missing = [
        f"{split}-*.parquet"
        for split in ("train", "test")
        if not any(Path(folder).expanduser().glob(f"{split}-*.parquet"))
    ]
    if missing:
        yield (
            f"{key}: {folder} has no {' and no '.join(missing)}; allowed is a folder of Parquet"
            " files as the Hugging Face hub lays out uoft-cs/cifar10; correct the path, or unset it"
        )


def _backend_is_installed(config: Config) -> Iterator[str]:
    backend = config["training"]["backend"]
    if importlib.util.find_spec(backend) is None:
        yield (
            f"training.backend: {backend}, but {backend} is not installed;"
            f" run make setup EXTRA={backend}, or write backend: tensorflow"
        )


def _gpu_is_there(config: Config) -> Iterator[str]:
    training = config["training"]
    no_gpu = training["device"] == "cpu" or not gpus.names()
    if no_gpu and training["precision"] == "mixed_bfloat16":
        if training["backend"] != "tensorflow":
            yield (
                f"training.precision: mixed_bfloat16, but {training['backend']} computes it in"
                " another precision on a CPU; write backend: tensorflow, or precision: float32"
            )
        elif provenance.unit() not in BFLOAT16_UNITS:
            yield (
                f"training.precision: mixed_bfloat16, but this processor ({provenance.processor()})"
                " does not multiply it; allowed are GPUs and processors with"
                f" {' or '.join(BFLOAT16_UNITS)}; write precision: float32"
            )
    if no_gpu and training["device"] == "gpu":
        yield (
            "training.device: gpu, but this machine shows none (nvidia-smi -L);"
            " write device: auto to train on the CPU"
        )


def _threads_fit(config: Config) -> Iterator[str]:
    threads, cores = config["training"]["threads"], os.cpu_count() or 1
    if threads > cores:
        yield (
            f"training.threads: {threads}, but this machine has {cores} cores;"
            f" write at most {cores}"
        )


Rule = Callable[[Config], Iterator[str]]
RULES: tuple[Rule, ...] = (
    _subsets_fit,
    _validation_fits,
    _batch_fits,
    _warmup_ends,
    _recipes_end,
    _startup_ends,
    _pruning_begins,
    _workers_fit,
    _storage_is_named,
    _folder_is_there,
)
MACHINE_RULES: tuple[Rule, ...] = (_backend_is_installed, _gpu_is_there, _threads_fit)


def read(paths: Iterable[Path], *, this_machine: bool = True) -> dict[str, Any]:
    """Read configs, lay each over the ones before, and check what comes out.

    Args:
        paths: YAML files.
        this_machine: See `validate`.

    Raises:
        UserError: If a file cannot be read, or for the mistakes that `validate` finds.
    """
    import yaml

    config: dict[str, Any] = {}
    for path in paths:
        try:
            overlay = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, yaml.YAMLError) as error:
            raise UserError(f"{path} cannot be read ({error}); name a YAML file") from None
        config = merged(config, overlay)
    return validate(config, this_machine=this_machine)


def merged(base: Config, overlay: Config) -> dict[str, Any]:
    """Give a config with another one laid over it, as Snakemake does with ``--configfile``."""
    result = copy.deepcopy(dict(base))
    for key, value in overlay.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result
