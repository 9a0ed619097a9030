"""The config: defaults, checks against the schema and across keys."""

import copy
import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from convstudy.article import facts
from convstudy.config import analyses
from convstudy.config.schema import resolved, schema, schema_mistakes
from convstudy.core import environment, gpus
from convstudy.core.errors import UserError

URL_VARIABLE = "CONVSTUDY_STORAGE"
URL_EXAMPLE = "postgresql://USER@HOST/DATABASE"

# Images that CIFAR-10 has (Krizhevsky, 2009).
IMAGES = {"train_images": 50_000, "test_images": 10_000}
# Units of a processor that multiply bfloat16 (see `environment.UNITS`).
BFLOAT16_UNITS = ("AMX", "AVX512-BF16")

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

Config = Mapping[str, Any]


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
        mistakes = [*analyses.mistakes(found), *(line for rule in RULES for line in rule(found))]
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


def _with_defaults(value: Any, part: dict[str, Any]) -> Any:
    """Fill in what a section lacks; what is wrong stays for the check to find."""
    part = resolved(part)
    if not isinstance(value, dict) or part.get("type") != "object":
        return value
    others = part.get("additionalProperties")
    if isinstance(others, dict):
        return {key: _with_defaults(item, others) for key, item in value.items()}
    for key, below in part["properties"].items():
        below = resolved(below)
        # A recipe's keys have no defaults: what it leaves out is as in `training`.
        if key not in value and ("default" in below or below.get("type") == "object"):
            value[key] = copy.deepcopy(below.get("default", {}))
        if key in value:
            value[key] = _with_defaults(value[key], below)
    return value


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
    shortest = min(config[section]["epochs"] for section in ("training", "search", "module_table"))
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
        elif environment.unit() not in BFLOAT16_UNITS:
            yield (
                "training.precision: mixed_bfloat16, but this processor"
                f" ({environment.processor()}) does not multiply it; allowed are GPUs and"
                f" processors with {' or '.join(BFLOAT16_UNITS)}; write precision: float32"
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


def postgres_url() -> Any:
    """Take the URL from the environment, for the driver that is installed.

    Raises:
        UserError: If it is missing or malformed. The line does not repeat it.
    """
    import sqlalchemy

    text = os.environ.get(URL_VARIABLE, "")
    allowed = f"allowed is {URL_EXAMPLE}, with :PASSWORD after USER or a ~/.pgpass"
    if not text:
        raise UserError(
            f"search.storage: postgresql, but the environment variable {URL_VARIABLE} is not set;"
            f" {allowed}; export it before the run"
        )
    try:
        url = sqlalchemy.make_url(text)
        if url.drivername not in ("postgresql", "postgresql+psycopg") or not url.database:
            raise ValueError
    except (ValueError, sqlalchemy.exc.ArgumentError):
        raise UserError(f"{URL_VARIABLE}: no URL of a PostgreSQL; {allowed}; mend it") from None
    return url.set(drivername="postgresql+psycopg")
