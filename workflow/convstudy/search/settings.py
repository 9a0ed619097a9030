"""The settings of the Optuna studies, and what they need of each other."""

import os
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from convstudy.core.errors import UserError
from convstudy.core.section import Config, Mistake, Name, Number, Section, Seed
from convstudy.training.settings import Epochs, RecipeChanges, recipe_mistakes

URL_VARIABLE = "CONVSTUDY_STORAGE"
URL_EXAMPLE = "postgresql://USER@HOST/DATABASE"

# Completed trials before TPE begins: Optuna's default, since 0.5.0 (samplers/tpe/sampler.py:47).
STARTUP_TRIALS = 10
Trials = Annotated[int, Field(ge=0)]


class Sampler(Section):
    """How the next module is chosen."""

    name: Literal["tpe", "tpe_optuna_0_5", "random", "grid"] = "tpe"
    """TPE of today's Optuna, TPE of Optuna 0.5.0 as in the article, uniformly random, or every
    module in turn.
    """

    startup_trials: Trials = 5
    """Random trials before TPE begins; studies with the same seed share them."""

    multivariate: bool = True
    """Whether today's TPE models the three layers jointly."""

    constant_liar: bool = True
    """Whether today's TPE treats running trials as bad ones, so that workers try different modules.
    """


class Pruner(Section):
    """How unpromising trials are stopped early."""

    name: Literal["median", "hyperband", "none"] = "median"
    """Median of earlier trials, Hyperband, or none."""

    startup_trials: Trials = 5
    """Trials before median pruning begins."""

    warmup_steps: Annotated[int, Field(ge=0)] = 1
    """Epochs at the start of each trial without pruning."""


class PenaltySettings(Section):
    """What parameters cost in the objective."""

    weight: Annotated[Number, Field(ge=0, le=1000)] = 0.0
    """Added to the test error per unit of parameters; zero means accuracy alone."""

    unit: Annotated[Number, Field(gt=0, le=1_000_000_000)] = 15625
    """Number of parameters that cost one weight: the article's 250,000, times the square of the
    width.
    """

    pruning: Literal["article", "objective"] = "article"
    """Whether pruning compares values without the penalty, as in the article, or the objective.
    """


class StudySettings(Section):
    """One Optuna study over the modules.

    Any change starts a new study, except that trials can be added.
    """

    trials: Annotated[int, Field(ge=1, le=100_000)] = 10
    """Total number of trials over all workers and resumed runs; pruned trials count."""

    seed: Seed = 0
    """Seed of the sampler."""

    sampler: Sampler = Sampler()
    pruner: Pruner = Pruner()
    penalty: PenaltySettings = PenaltySettings()


class SearchSettings(Section):
    """The Optuna studies.

    Changing `epochs`, `training` or `storage` starts new studies, which reuse stored curves.
    """

    epochs: Epochs = 5
    """Maximum epochs per trial."""

    training: RecipeChanges = RecipeChanges()
    """Changes to training for the modules of the studies and of the table of modules.

    It can change `batch_size`, `augmentation`, `label_smoothing` and `optimizer`.
    """

    workers: Annotated[int, Field(ge=1, le=1000)] = 1
    """Parallel jobs per study; with one, the same seed gives the same trials."""

    storage: Literal["journal", "postgresql"] = "journal"
    """Where Optuna keeps the studies: journal is a file, for one machine; postgresql is for
    several.

    The environment variable `CONVSTUDY_STORAGE` holds the URL of PostgreSQL, see below.
    """

    studies: Annotated[dict[Name, StudySettings], Field(min_length=1)] = {
        "accuracy": StudySettings(),
        "penalised": StudySettings(penalty=PenaltySettings(weight=0.05)),
    }
    """The studies by name, each in results/search/NAME/; `NAME: null` removes one.

    A name has lower-case letters, digits and underscores. `penalised` differs from the defaults
    only in the weight of its penalty, 0.05.
    """


# The settings that each sampler and pruner uses, besides its name.
USES = {
    "tpe": ("startup_trials", "multivariate", "constant_liar"),
    "tpe_optuna_0_5": ("startup_trials",),
    "median": ("startup_trials", "warmup_steps"),
    "hyperband": ("warmup_steps",),
}


def in_use(part: Config) -> dict[str, Any]:
    """Return a sampler's or pruner's name, and the settings that it uses."""
    return {key: part[key] for key in ("name", *USES.get(part["name"], ()))}


def mistakes(config: Config) -> Iterator[Mistake]:
    """Find a wrong recipe, numbers that disagree, and a storage without a URL."""
    search = config["search"]
    yield from recipe_mistakes(config, ("search", "training"), search["training"])
    for name, study in search["studies"].items():
        yield from _study_mistakes(("search", "studies", name), study, search)
    if search["storage"] == "postgresql":
        try:
            postgres_url()
        except UserError as error:
            yield Mistake(("search", "storage"), str(error).partition(": ")[2])


def _study_mistakes(path: tuple[str, ...], study: Config, search: Config) -> Iterator[Mistake]:
    trials, epochs, workers = study["trials"], search["epochs"], search["workers"]
    for part in ("sampler", "pruner"):
        startup, name = study[part]["startup_trials"], study[part]["name"]
        if name in ("tpe", "tpe_optuna_0_5", "median") and startup >= trials:
            yield Mistake(
                (*path, part, "startup_trials"),
                f"{startup}, but the study has {trials} trials, so {name} would never begin; write"
                f" startup_trials: {trials - 1}, or raise {'.'.join(path)}.trials",
            )
    pruner = study["pruner"]
    if pruner["name"] != "none" and pruner["warmup_steps"] >= epochs:
        yield Mistake(
            (*path, "pruner", "warmup_steps"),
            f"{pruner['warmup_steps']}, but a trial has {epochs} epochs (search.epochs), so none"
            f" would be pruned; write warmup_steps: {epochs - 1}, or name: none",
        )
    if workers > trials:
        yield Mistake(
            ("search", "workers"),
            f"{workers}, but {'.'.join(path)} has {trials} trials; write workers: {trials}, or"
            f" raise {'.'.join(path)}.trials",
        )


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
        raise UserError(
            f"search.storage: postgresql, but {URL_VARIABLE} is not a PostgreSQL URL; {allowed};"
            " correct it"
        ) from None
    return url.set(drivername="postgresql+psycopg")
