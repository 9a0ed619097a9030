"""A table of configs that differ from the article's, and the claims that each leaves undecided."""

import pytest
from convstudy.claims import ledger, verdicts
from convstudy.claims.ledger import MADE_FROM, Claim
from convstudy.config import settings
from convstudy.config.settings import merged
from convstudy.results import scale
from convstudy.results.scale import LOSSY, OTHER, READING, SMALLER
from helpers.paths import OVERLAY, QUICK, ROOT
from helpers.results import ALL_EXACT, FULL

# What each key of the config affects.
KEYS = {
    "nothing": (
        "data.source",
        "data.directory",
        # At full size no subset is drawn.
        "data.seed",
        "training.seed",
        "training.backend",
        "training.recipe",
        "training.device",
        "training.jit_compile",
        "training.threads",
        "search.storage",
        "search.studies.*.seed",
        "report",
        "analyses",
        "claims",
    ),
    "curve": ("data", "model", "training"),
    "modules": ("search.training",),
    "study": ("search",),
    "analysis": ("module_table", "depth", "recipes", "replay", "timing", "pareto"),
}

TRAINED = [claim for claim in ledger.load(ROOT / "config/claims.yaml") if claim.basis == "training"]
EVERY = {"training", "tables", "module_table", "replay", "depth"}
TABLE = {"module_table", "replay"}
MODULES = {"tables", *TABLE}


def set_in(path: str, value: object) -> dict:
    """Make an overlay that sets one key."""
    *above, last = path.split(".")
    overlay: dict = {last: value}
    for key in reversed(above):
        overlay = {key: overlay}
    return overlay


def study(path: str, value: object) -> dict:
    """Make an overlay that sets a key in both studies."""
    names = FULL["search"]["studies"]
    return {"search": {"studies": {name: set_in(path, value) for name in names}}}


DEVIATING = [
    # Every curve
    (
        # Networks with a quarter of the parameters need a quarter of the unit.
        merged(set_in("model.width", 0.5), study("penalty.unit", 62_500)),
        SMALLER,
        EVERY,
        "0.5 of the article's channels",
    ),
    (set_in("model.width", 2), OTHER, EVERY, "2 times the article's channels"),
    (set_in("model.batch_normalization_momentum", 0.9), OTHER, EVERY, "is 0.9, not 0.99"),
    (set_in("training.augmentation", "flip"), OTHER, EVERY, "Augmentation is flip"),
    (set_in("training.augmentation", "flip_and_shift"), OTHER, EVERY, "not none"),
    (set_in("training.label_smoothing", 0.1), OTHER, EVERY, "smoothed by 0.1"),
    (set_in("training.optimizer", {"name": "sgd", "schedule": "cosine"}), OTHER, EVERY, "sgd"),
    (set_in("training.optimizer.learning_rate", 0.01), OTHER, EVERY, "learning rate 0.01"),
    (set_in("training.optimizer.weight_decay", 5e-4), OTHER, EVERY, "weight decay"),
    (set_in("training.optimizer.schedule", "cosine"), OTHER, EVERY, "schedule cosine"),
    (set_in("training.precision", "float64"), OTHER, EVERY, "float64, not float32"),
    (set_in("data.validation_images", 5000), OTHER, EVERY, "5,000 training images are held out"),
    # The single-kind trainings
    (set_in("training.epochs", 99), SMALLER, {"training"}, "at most 99 epochs, not 100"),
    (set_in("training.epochs", 300), OTHER, {"training"}, "300 epochs, more than 100"),
    (set_in("training.replicates", 1), SMALLER, {"training"}, "trained once"),
    (set_in("training.replicates", 2), SMALLER, {"training"}, "trained twice"),
    (
        set_in("training.batch_size", 4096),
        OTHER,
        {"training", "depth"},
        "Single-kind networks: a step takes 4096 images, not 128.",
    ),
    (set_in("training.batch_size", 32), OTHER, {"training", "depth"}, "32 images, not 128"),
    # The stacks
    (
        {"analyses": ["depth"], "depth": {"epochs": 50}},
        SMALLER,
        {"depth"},
        "A stack has at most 50 epochs, not 100.",
    ),
    # The modules
    (
        set_in("search.training.batch_size", 128),
        OTHER,
        MODULES,
        "Modules: a step takes 128 images, not 1024.",
    ),
    (
        set_in("search.training.augmentation", "flip"),
        OTHER,
        MODULES,
        "Modules: augmentation is flip",
    ),
    (
        set_in("search.training.optimizer.learning_rate", 0.008),
        OTHER,
        MODULES,
        "Modules: the optimizer is adam (learning rate 0.008), not adam (learning rate 0.001).",
    ),
    # A study
    (set_in("search.epochs", 50), SMALLER, {"tables"}, "A trial has at most 50 epochs"),
    (set_in("search.epochs", 200), OTHER, {"tables"}, "A trial has 200 epochs"),
    (set_in("search.workers", 8), OTHER, {"tables"}, "8 workers at once"),
    (study("trials", 20), SMALLER, {"tables"}, "has 20 trials, not 50"),
    (study("trials", 500), OTHER, {"tables"}, "500 trials, more than 50"),
    (study("sampler", {"name": "random"}), OTHER, {"tables"}, "draws by random"),
    (study("sampler", {"name": "tpe"}), OTHER, {"tables"}, "multivariate True"),
    (study("pruner", {"name": "none"}), OTHER, {"tables"}, "prunes by none"),
    (study("pruner.warmup_steps", 0), OTHER, {"tables"}, "not median (startup trials 5, warmup"),
    (study("penalty.pruning", "objective"), OTHER, {"tables"}, "an objective with the penalty"),
    (
        set_in("search.studies.penalised.penalty.weight", 0.1),
        OTHER,
        {"tables", "replay"},
        "article's study penalised",
    ),
    # The table of modules, and the studies on it
    (set_in("module_table.epochs", 1), SMALLER, TABLE, "at most 1 epochs, not 100"),
    (set_in("module_table.epochs", 300), OTHER, TABLE, "300 epochs, more than 100"),
    (set_in("module_table.replicates", 2), SMALLER, TABLE, "trained twice"),
    (set_in("replay.trials", 20), SMALLER, {"replay"}, "20 trials, not 50"),
]


def changed(overlay: dict) -> dict:
    """Merge an overlay over the article's scale; a sampler, pruner or optimizer is replaced."""
    config = merged(FULL, overlay)
    for name, one in overlay.get("search", {}).get("studies", {}).items():
        for part in ("sampler", "pruner"):
            if "name" in one.get(part, {}):
                config["search"]["studies"][name][part] = one[part]
    return settings.validate(config, this_machine=False)


def made_of(claim: Claim) -> set[str]:
    """Return the files that a claim rests on."""
    return {MADE_FROM.get(file, file) for file in verdicts.files(claim)}


@pytest.mark.parametrize(("overlay", "sort", "open_", "words"), DEVIATING)
def test_a_deviation_leaves_exactly_what_it_touches_undecided(
    overlay: dict, sort: str, open_: set[str], words: str
):
    found = scale.differences(changed(overlay), OVERLAY, ALL_EXACT)
    deciding = [one for one in found if one.sort in (SMALLER, OTHER)]
    assert {one.sort for one in deciding} == {sort}
    assert any(words in one.line for one in deciding), deciding
    undecided = {claim.id for claim in TRAINED if verdicts.touching(claim, deciding)}
    expected = {
        claim.id
        for claim in TRAINED
        if {file.partition("/")[0] for file in made_of(claim) if scale.depends(file)} & open_
    }
    assert undecided == expected
    assert expected


def test_the_articles_scale_decides_on_our_reading():
    found = scale.differences(FULL, OVERLAY, ALL_EXACT)
    assert [(one.sort, one.of) for one in found] == [
        (READING, scale.RECIPE),
        (READING, scale.MODULES),
    ]
    for one, batch in zip(found, (128, 1024), strict=True):
        assert "does not state optimizer" in one.line
        assert f" {batch} images per step" in one.line
    penalised = FULL["search"]["studies"]["penalised"]
    assert penalised["penalty"] == {"weight": 0.05, "unit": 250000, "pruning": "article"}
    assert (penalised["trials"], FULL["data"]["source"]) == (50, "real")


@pytest.mark.parametrize(
    "overlay",
    [
        set_in("training.replicates", 15),
        set_in("module_table.replicates", 10),
        set_in("training.seed", 7),
        set_in("training.threads", 4),
        set_in("training.device", "cpu"),
        set_in("data.seed", 3),
        study("seed", 5),
        # The TPE of Optuna 0.5.0 has no such choice.
        study("sampler.multivariate", False),
        set_in("replay.studies", 1000),
        set_in("report.title", "Another"),
    ],
)
def test_some_settings_decide_nothing(overlay: dict):
    assert scale.reductions(scale.differences(changed(overlay), OVERLAY, ALL_EXACT)) == []


def test_bfloat16_and_lossy_images_may_decide_and_are_said():
    config = changed(set_in("training.precision", "mixed_bfloat16"))
    found = scale.differences(config, OVERLAY, {**ALL_EXACT, "lossy": True})
    assert [one.sort for one in found] == [LOSSY, READING, READING, READING]
    assert scale.reductions(found) == []
    assert "bfloat16" in found[-1].line


def test_a_folder_with_a_part_of_the_images_is_smaller():
    data = {**ALL_EXACT, "used": {"train": 5085, "test": 10_000}}
    [line] = scale.reductions(scale.differences(FULL, OVERLAY, data))
    assert line == "5,085 of 50,000 training images are used."


def test_images_of_ones_own_differ_by_being_others_whatever_their_number():
    data = {**ALL_EXACT, "used": {"train": 9, "test": 9}, "lossy": True, "name": "my flowers"}
    said = {one.line for one in scale.differences(FULL, OVERLAY, data)} - {
        one.line for one in scale.differences(FULL, OVERLAY, ALL_EXACT)
    }
    assert said == {"The images are not CIFAR-10, but my flowers."}


@pytest.mark.parametrize(("leaked", "said"), [(0, False), (100, False), (101, True)])
def test_test_images_in_training_make_a_run_different(leaked: int, said: bool):
    found = {"train": 5, "test": 5, "test_in_train": leaked}
    available = {"train": 50_000, "test": 10_000}
    data = {**ALL_EXACT, "duplicates": found, "available": available}
    lines = scale.reductions(scale.differences(FULL, OVERLAY, data))
    assert any("101 of 10,000 test images are also" in line for line in lines) == said
    assert bool(lines) == said


def test_what_a_recipe_changes_for_all_is_said_once():
    config = changed(set_in("training", {"augmentation": "flip", "batch_size": 64}))
    lines = scale.reductions(scale.differences(config, OVERLAY, ALL_EXACT))
    assert lines == [
        "Augmentation is flip, not none.",
        "Single-kind networks: a step takes 64 images, not 128.",
    ]


def test_the_quick_run_says_in_what_it_is_smaller():
    data = {**ALL_EXACT, "used": {"train": 5000, "test": 1000}}
    config = settings.validate(QUICK, this_machine=False)
    text = " ".join(scale.reductions(scale.differences(config, OVERLAY, data)))
    for number in ("0.25", "5,000 of 50,000", "1,000 of 10,000", "not 100", "not 50", "not 0.99"):
        assert number in text


def test_every_key_is_of_one_sort():
    def keys(section: dict, above: str = "") -> list[str]:
        found = []
        for key, value in section.items():
            path = above + ("*" if above == "search.studies." else key)
            if above == "recipes.compared.":
                return ["recipes.compared"]
            found += keys(value, f"{path}.") if isinstance(value, dict) and value else [path]
        return found

    def sort(key: str) -> str:
        starts = {start: name for name, listed in KEYS.items() for start in listed}
        longest = max(
            (start for start in starts if f"{key}.".startswith(f"{start}.")), key=len, default=None
        )
        assert longest, f"{key} is not in KEYS"
        return starts[longest]

    everywhere = set(keys(settings.validate(QUICK, this_machine=False)))
    assert {sort(key) for key in everywhere} == set(KEYS)
    for start in [start for listed in KEYS.values() for start in listed]:
        assert any(f"{key}.".startswith(f"{start}.") for key in everywhere), start
    # A config at the article's scale may differ only in keys that affect nothing.
    assert sort("data.seed") == "nothing"
    assert sort("data.train_images") == "curve"
