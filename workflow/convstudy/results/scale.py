"""How a run differs from the article's, and which claims that leaves undecided.

The article's scale is config/article.yaml, merged over the defaults. Each difference affects every
curve (images, network, recipe), the single-kind trainings, the modules, a study of them, their
table, or the studies replayed on it. A claim depends on whatever its file is made from.
"""

from collections.abc import Iterator, Mapping
from math import isclose
from typing import Any, NamedTuple

from convstudy.article import facts
from convstudy.config.settings import filled, penalty
from convstudy.data.settings import IMAGES
from convstudy.layers.networks import Networks
from convstudy.search.settings import in_use
from convstudy.training.settings import of_modules

Config = Mapping[str, Any]

# How a run differs. Smaller or otherwise different runs decide no claim on trained networks. A
# reading is a choice where the article is silent: it may decide, and the verdict mentions it. Lossy
# images may decide an ordering, but not equality with a published accuracy.
SMALLER, OTHER, READING, LOSSY = "smaller", "other", "reading", "lossy"

# What a result is made from, by its file or folder.
CURVE, SINGLE, MODULES = "curve", "single-kind", "modules"
# How single-kind networks and stacks of layers are trained.
RECIPE = "single-kind recipe"
STUDY, TABLE, REPLAY, DEPTH = "study", "table", "replay", "depth"
MADE_OF: dict[str, tuple[str, ...]] = {
    "training/": (CURVE, RECIPE, SINGLE),
    "tables/single_kind.csv": (CURVE, RECIPE, SINGLE),
    "tables/studies.csv": (CURVE, MODULES, STUDY),
    "tables/trials.csv": (CURVE, MODULES, STUDY),
    "module_table/": (CURVE, MODULES, TABLE),
    "epoch_selection/": (CURVE, RECIPE, SINGLE, MODULES, TABLE),
    "depth/": (CURVE, RECIPE, DEPTH),
    "replay/": (CURVE, MODULES, TABLE, REPLAY),
}
LEAST_REPLICATES = 3
# Share of the test images that may be training images, too: one point of accuracy at most.
LARGEST_LEAK = 0.01


class Difference(NamedTuple):
    """A difference from the article: its sort, what it affects, and a sentence about it.

    Example:
        >>> smaller = Difference(SMALLER, CURVE, "The networks are narrower.")
        >>> reductions([smaller])
        ['The networks are narrower.']
    """

    sort: str
    of: str
    line: str


def depends(file: str) -> tuple[str, ...]:
    """Return what a result is made from; empty if it needs no trained network."""
    return next((parts for start, parts in MADE_OF.items() if file.startswith(start)), ())


def reductions(found: list[Difference]) -> list[str]:
    """Return the sentences on what is smaller than the article's, or different."""
    return [difference.line for difference in found if difference.sort in (SMALLER, OTHER)]


def differences(config: Config, overlay: Config, data: Mapping[str, Any]) -> list[Difference]:
    """Compare a run with the article's scale, in both directions.

    Args:
        config: The run's config.
        overlay: config/article.yaml, as read.
        data: Summary of the images: ``used`` (``train`` and ``test``) and ``lossy``. A folder may
            have fewer than CIFAR-10.
    """
    # Keys missing in the overlay have their defaults, whatever the run's config has.
    ours, theirs = filled(config), filled(overlay)
    found = [*_images(data), *_network(ours, theirs), *_recipes(ours, theirs)]
    found += _single_kind(ours, theirs)
    found += _search(ours, theirs)
    found += _table(ours, theirs)
    return found


def _size(of: str, ours: float, theirs: float, less: str, more: str) -> Iterator[Difference]:
    """Compare a size: less than the article's is smaller, more is other."""
    if ours < theirs:
        yield Difference(SMALLER, of, less)
    elif ours > theirs:
        yield Difference(OTHER, of, more)


def leak(data: Mapping[str, Any]) -> str:
    """Say that too many test images are also training images, if they are."""
    # Runs of earlier versions did not count them.
    leaked = data.get("duplicates", {}).get("test_in_train", 0)
    if not leaked or leaked <= LARGEST_LEAK * data["available"]["test"]:
        return ""
    of_all = f"{leaked:,} of {data['available']['test']:,}"
    return f"{of_all} test images are also training images, so accuracies are too high."


def _images(data: Mapping[str, Any]) -> Iterator[Difference]:
    if "name" in data:
        yield Difference(OTHER, CURVE, f"The images are not CIFAR-10, but {data['name']}.")
        return
    for key, images in IMAGES.items():
        split = key.partition("_")[0]
        used = data["used"][split]
        if used < images:
            what = {"train": "training"}.get(split, split)
            line = f"{used:,} of {images:,} {what} images are used."
            yield Difference(SMALLER, CURVE, line)
    if line := leak(data):
        yield Difference(OTHER, CURVE, line)
    if data.get("lossy"):
        line = "The images are stored with losses (JPEG); the article's were exact."
        yield Difference(LOSSY, CURVE, line)


def _network(ours: Config, theirs: Config) -> Iterator[Difference]:
    if not Networks.of(ours["model"]).is_article:
        line = "The networks have other kinds of layer, stages or modules than the article's."
        yield Difference(OTHER, CURVE, line)
    width, full = ours["model"]["width"], theirs["model"]["width"]
    yield from _size(
        CURVE,
        width,
        full,
        f"The networks have {width:g} of the article's channels, hence about"
        f" {(width / full) ** 2:.2g} of its parameters.",
        f"The networks have {width:g} times the article's channels.",
    )
    own, full = (config["model"]["batch_normalization_momentum"] for config in (ours, theirs))
    if own != full:
        line = f"BatchNormalization's momentum is {own:g}, not {full:g}."
        yield Difference(OTHER, CURVE, line)


def _recipes(ours: Config, theirs: Config) -> Iterator[Difference]:
    """Compare the training recipes of single-kind networks and of modules."""
    of_each = {
        RECIPE: list(_recipe(ours["training"], theirs["training"])),
        MODULES: list(_recipe(of_modules(ours), of_modules(theirs))),
    }
    of_both = [one for one in of_each[RECIPE] if one in of_each[MODULES]]
    yield from of_both
    for of, who in ((RECIPE, "Single-kind networks"), (MODULES, "Modules")):
        for one in of_each[of]:
            if one not in of_both:
                line = f"{who}: {one.line[0].lower()}{one.line[1:]}"
                yield one._replace(of=of, line=line)
    if ours["training"]["precision"] == "mixed_bfloat16":
        device = facts.figure("source.devices.studies")
        line = f"Products are computed in bfloat16, as on the {device} of the article's studies."
        yield Difference(READING, CURVE, line)
    elif ours["training"]["precision"] != theirs["training"]["precision"]:
        precisions = (config["training"]["precision"] for config in (ours, theirs))
        line = "Networks are computed in {}, not {}.".format(*precisions)
        yield Difference(OTHER, CURVE, line)
    held_out = ours["data"]["validation_images"]
    if held_out:
        line = f"{held_out:,} training images are held out; the article trains on all."
        yield Difference(OTHER, CURVE, line)


def _recipe(mine: Config, read: Config) -> Iterator[Difference]:
    """Compare two ``training`` sections; the article does not state most of its own."""
    same = True
    for key, what in (
        ("batch_size", "A step takes {} images, not {}."),
        ("augmentation", "Augmentation is {}, not {}."),
        ("label_smoothing", "Labels are smoothed by {}, not {}."),
    ):
        if mine[key] != read[key]:
            same = False
            yield Difference(OTHER, CURVE, what.format(mine[key], read[key]))
    if mine["optimizer"] != read["optimizer"]:
        same = False
        line = f"The optimizer is {_way(mine['optimizer'])}, not {_way(read['optimizer'])}."
        yield Difference(OTHER, CURVE, line)
    if same:
        line = (
            f"The article does not state optimizer, batch size or augmentation; here they are"
            f" {_way(mine['optimizer'])}, {mine['batch_size']} images per step and"
            f" {mine['augmentation']}."
        )
        yield Difference(READING, CURVE, line)


def _single_kind(ours: Config, theirs: Config) -> Iterator[Difference]:
    yield from _epochs(SINGLE, "A single-kind training", ours["training"], theirs["training"])
    yield from _replicates(SINGLE, "Each single-kind network", ours["training"])
    if "depth" in ours["analyses"]:
        yield from _epochs(DEPTH, "A stack", ours["depth"], theirs["depth"])
        yield from _replicates(DEPTH, "Each stack", ours["depth"])


def _search(ours: Config, theirs: Config) -> Iterator[Difference]:
    mine, read = ours["search"], theirs["search"]
    yield from _epochs(STUDY, "A trial", mine, read)
    if mine["workers"] != 1:
        line = f"A study has {mine['workers']} workers at once; the article's had one."
        yield Difference(OTHER, STUDY, line)
    names = {stated: name for name, stated in counterparts(ours).items()}
    for stated, other in read["studies"].items():
        if stated not in names:
            line = f"No study has the objective of the article's study {stated}."
            yield Difference(OTHER, STUDY, line)
            continue
        name, study = names[stated], mine["studies"][names[stated]]
        yield from _size(
            STUDY,
            study["trials"],
            other["trials"],
            f"The study {name} has {study['trials']} trials, not {other['trials']}.",
            f"The study {name} has {study['trials']} trials, more than {other['trials']}.",
        )
        for part, what in (("sampler", "draws by"), ("pruner", "prunes by")):
            here, there = in_use(study[part]), in_use(other[part])
            if here != there:
                line = f"The study {name} {what} {_way(here)}, not {_way(there)}."
                yield Difference(OTHER, STUDY, line)
        if study["penalty"]["pruning"] != "article":
            line = f"The study {name} prunes by an objective with the penalty, not without it."
            yield Difference(OTHER, STUDY, line)


def _table(ours: Config, theirs: Config) -> Iterator[Difference]:
    mine = ours["module_table"]
    yield from _epochs(TABLE, "A module of the table", mine, theirs["module_table"])
    yield from _replicates(TABLE, "Each module of the table", mine)
    stated, trials = theirs["search"]["studies"]["accuracy"]["trials"], ours["replay"]["trials"]
    yield from _size(
        REPLAY,
        trials,
        stated,
        f"A replayed study has {trials} trials, not {stated}.",
        f"A replayed study has {trials} trials, more than {stated}.",
    )
    mine = penalty(ours)
    if _objective(mine, ours["model"]["width"]) != "penalised":
        line = (
            f"Replayed studies with a penalty add {mine['weight']:g} for every"
            f" {mine['unit']:,} parameters, unlike the article's."
        )
        yield Difference(OTHER, REPLAY, line)


def _epochs(of: str, what: str, mine: Config, read: Config) -> Iterator[Difference]:
    epochs, most = mine["epochs"], read["epochs"]
    yield from _size(
        of,
        epochs,
        most,
        f"{what} has at most {epochs} epochs, not {most}.",
        f"{what} has {epochs} epochs, more than {most}.",
    )


def _replicates(of: str, what: str, mine: Config) -> Iterator[Difference]:
    number = mine["replicates"]
    if number < LEAST_REPLICATES:
        times = "once" if number == 1 else "twice"
        line = f"{what} is trained {times}; an interval needs {LEAST_REPLICATES} trainings."
        yield Difference(SMALLER, of, line)


def counterparts(config: Config) -> dict[str, str]:
    """Map each study to the article's study that it repeats.

    Their objectives must be the same at the trained width; only the first such study is used.
    """
    found: dict[str, str] = {}
    for name, study in config["search"]["studies"].items():
        stated = _objective(study["penalty"], config["model"]["width"])
        if stated and stated not in found.values():
            found[name] = stated
    return found


def _objective(penalty: Config, width: float) -> str | None:
    """Return the article's study that has this penalty, at the trained width."""
    weight, unit = facts.penalty()
    each = penalty["weight"] / penalty["unit"] * width**2
    theirs = {"accuracy": 0.0, "penalised": weight / unit}
    same = (name for name, stated in theirs.items() if isclose(each, stated, rel_tol=0.01))
    return next(same, None)


def _way(settings: Config) -> str:
    """Format a choice with its settings: adam (learning rate 0.001)."""
    others = [
        f"{key.replace('_', ' ')} {value}"
        for key, value in settings.items()
        if key != "name" and value not in (0, "constant")
    ]
    return f"{settings['name']} ({', '.join(others)})" if others else str(settings["name"])
