"""Verdicts in made-up worlds: every claim can be refuted, and chance alone decides none."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from convstudy.analyses.replay import draws
from convstudy.claims import ledger, measures, verdicts
from convstudy.claims.ledger import Claim
from convstudy.claims.verdicts import (
    DRAWS,
    NOT_COMPARABLE,
    NOT_REPRODUCED,
    NOT_SEEN,
    REPRODUCED,
    UNDECIDED,
)
from convstudy.config import analyses
from convstudy.config.settings import merged
from convstudy.core.files import write_csv
from convstudy.results.run import Results
from convstudy.training.record import RIGHT_OF
from helpers.paths import OVERLAY, ROOT
from helpers.results import ALL_EXACT, FULL, RECORDED, with_right

CLAIMS = {claim.id: claim for claim in ledger.load(ROOT / "config/claims.yaml")}
# What a column's values can be at all; zero or more where it is not named.
LIMITS = {
    **dict.fromkeys(("test_accuracy_best", "test_accuracy_last", "share"), (0.0, 1.0)),
    **dict.fromkeys(("probability_best", "difference"), (0.0, 1.0)),
    "rank": (1.0, 27.0),
    **dict.fromkeys(("regret_difference", "value"), (-1.0, 1.0)),
}
TINY = 1e-4


@pytest.fixture
def world(recorded: Path, for_claims: Path, tmp_path: Path) -> Callable[..., Results]:
    """Make a run at the article's scale, on exact images, with some tables replaced."""

    def make(**replaced: pd.DataFrame) -> Results:
        for folder in (recorded, for_claims):
            shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        for name, table in replaced.items():
            write_csv(tmp_path / f"{name.replace('__', '/')}.csv", table)
        results = Results(tmp_path)
        results.run["config"] = {**FULL, "analyses": analyses.names()}
        results.data.update(ALL_EXACT)
        return results

    return make


def judged(claim: Claim, results: Results) -> pd.Series:
    return verdicts.check(results, [claim], OVERLAY).iloc[0]


def put(table: pd.DataFrame, claim: Claim, asked: dict, value: float) -> pd.DataFrame:
    """Let a quantity of a claim be another one."""
    rows = table.query(asked["select"], engine="python") if "select" in asked else table
    column = asked["column"]
    if asked.get("reduce") == "count":
        return table.drop(rows.index[1:])
    if "over" in asked:
        value *= measures.measure(claim, asked["over"], table).value.iloc[0]
        if "select" not in asked:
            rows = rows.loc[[rows[column].idxmax()]]
    table = table.astype({column: float})
    names = [column, *claim.readings] if column in claim.readings else [column]
    for name in names:
        # Replicates are never quite alike.
        table.loc[rows.index, name] = [value + TINY * place for place in range(len(rows))]
    if RIGHT_OF.keys() & set(names):
        table = with_right(table, 10_000)
    if isinstance(asked.get("interval"), list):
        for name, end in zip(asked["interval"], (value - TINY, value + TINY), strict=True):
            table = table.astype({name: float})
            table.loc[rows.index, name] = end
    if asked.get("interval") == "t":
        table.loc[rows.index, ["error", "dof"]] = TINY, 10.0
    if "beyond" in asked:
        # As in all draws but one
        table.loc[rows.index, asked["beyond"]] = 0.9999
    return table


def refuted(claim: Claim, table: pd.DataFrame) -> pd.DataFrame:
    """Make a table that contradicts a claim, by values that its columns can have."""
    test = claim.test
    asked = test["values"] if test["type"] == "ordering" else [test["value"]]
    least, most = LIMITS.get(asked[0]["column"], (0.0, 1e6))
    if test["type"] == "ordering":
        step = (most - least) / (len(asked) + 1)
        values = [least + step * place for place in range(1, len(asked) + 1)]
        # A ratio is taken of the last one.
        asked, values = (asked[1:], values[1:]) if "over" in asked[0] else (asked, values)
    elif test["type"] == "interval":
        above, below = (measures.stated(test.get(end)) for end in ("above", "below"))
        values = [(least + above) / 2 if above is not None else min((most + below) / 2, 100.0)]
    else:
        values = [0.3 if most == 1.0 else 1000.0]
    for one, value in zip(asked, values, strict=True):
        table = put(table, claim, one, value)
    return table


@pytest.mark.parametrize("name", [one.id for one in CLAIMS.values() if one.draws != "once"])
def test_some_world_refutes_the_claim(name: str, world: Callable[..., Results]):
    claim = CLAIMS[name]
    if claim.draws:
        table = RECORDED.table(DRAWS)
        table["share"] = 0.02
        results = world(replay__draws=table)
    else:
        before = world().table(claim.file)
        file = claim.file.removesuffix(".csv").replace("/", "__")
        results = world(**{file: refuted(claim, before)})
    found = judged(claim, results)
    assert found["verdict"] in (NOT_REPRODUCED, "does not hold"), found.to_dict()


def often(shares: list[float]) -> pd.DataFrame:
    """Make a table of draws: the whole table, and each replicate left out."""
    rows = [
        (claim, None if place == 0 else place - 1, 200, share, share - 0.05, share + 0.05)
        for claim in draws.STATEMENTS
        for place, share in enumerate(shares)
    ]
    return pd.DataFrame(rows, columns=["claim", "left_out", "studies", "share", "low", "high"])


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ([0.9, 0.8, 0.7, 0.9], REPRODUCED),
        ([0.1, 0.2, 0.3, 0.1], NOT_REPRODUCED),
        # One replicate makes the difference.
        ([0.9, 0.8, 0.4, 0.9], UNDECIDED),
        # On neither side for certain.
        ([0.52, 0.8, 0.8, 0.8], UNDECIDED),
        # A table of one replicate cannot say what another one would change.
        ([0.9], UNDECIDED),
    ],
)
def test_a_study_is_one_draw(shares: list[float], verdict: str, world: Callable[..., Results]):
    results = world(replay__draws=often(shares))
    found = judged(CLAIMS["separable_wins"], results)
    assert found["verdict"] == verdict
    assert (found["effect"], found["unit"]) == (pytest.approx(100 * shares[0]), "per cent")
    for name in ("never_tried", "most_are_pruned", "epochs_are_saved"):
        once = judged(CLAIMS[name], results)
        assert (once["verdict"], once["reason"]) == (UNDECIDED, "one draw")
        assert "replayed studies" in once["evidence"]


def trained(**accuracies: list[tuple[float, float]]) -> pd.DataFrame:
    """Make single-kind trainings: by kind, best and last accuracy of each replicate."""
    rows = [
        {
            "kind": kind,
            "replicate": replicate,
            "test_accuracy_best": best,
            "test_accuracy_last": last,
        }
        for kind, pairs in accuracies.items()
        for replicate, (best, last) in enumerate(pairs)
    ]
    return with_right(pd.DataFrame(rows), 10_000)


def test_best_and_last_epoch_must_agree(world: Callable[..., Results]):
    apart = {"conv": [(0.9, 0.7)] * 3, "separable": [(0.8, 0.8)] * 3, "depthwise": [(0.7, 0.6)] * 3}
    found = judged(CLAIMS["accuracy_order"], world(training__summary=trained(**apart)))
    assert (found["verdict"], found["reason"]) == (UNDECIDED, "best and last epoch differ")
    assert "After the last epoch" in found["evidence"]


def test_equal_replicates_are_no_certainty(world: Callable[..., Results]):
    """Three equal means have no spread, and yet the images leave some."""
    equal = {
        "conv": [(0.802,) * 2] * 3,
        "separable": [(0.8,) * 2] * 3,
        "depthwise": [(0.7,) * 2] * 3,
    }
    found = judged(CLAIMS["accuracy_order"], world(training__summary=trained(**equal)))
    assert found["verdict"] == UNDECIDED
    assert found["low"] < 0 < found["high"]


def test_lossy_images_decide_an_order_and_no_equality(world: Callable[..., Results]):
    far = {"conv": [(0.6,) * 2] * 3, "separable": [(0.5,) * 2] * 3, "depthwise": [(0.4,) * 2] * 3}
    results = world(training__summary=trained(**far))
    results.data["lossy"] = True
    order, equality = (
        judged(CLAIMS[name], results) for name in ("accuracy_order", "accuracy_conv")
    )
    assert order["verdict"] == REPRODUCED
    assert "stored with losses" in order["reason"]
    assert "does not state optimizer" in order["reason"]
    assert (equality["verdict"], equality["reason"]) == (UNDECIDED, "lossy images")
    assert equality["here"] == "disagrees"


def test_another_recipe_is_named_and_what_is_seen_is_said_beside_it(world: Callable[..., Results]):
    far = {"conv": [(0.6,) * 2] * 3, "separable": [(0.5,) * 2] * 3, "depthwise": [(0.4,) * 2] * 3}
    results = world(training__summary=trained(**far))
    results.run["config"] = merged(FULL, {"training": {"label_smoothing": 0.1}})
    order, equality = (
        judged(CLAIMS[name], results) for name in ("accuracy_order", "accuracy_conv")
    )
    assert order["verdict"] == UNDECIDED
    assert order["reason"] == "other settings: Labels are smoothed by 0.1, not 0.0."
    assert (order["here"], equality["here"]) == ("agrees", NOT_COMPARABLE)


def test_what_nothing_completed_for_is_not_seen(world: Callable[..., Results]):
    nothing = world().table("module_table/table.csv").query("module != 'separable-conv-conv'")
    assert judged(CLAIMS["accuracy_ranks"], world(module_table__table=nothing))["here"] == NOT_SEEN


@pytest.mark.parametrize(
    ("better", "spread", "words"),
    [
        (0.02, 0.03, "About 35 replicates would settle the order."),
        (0.001, 0.01, "Even 100 replicates would not settle the order."),
    ],
)
def test_an_unclear_order_says_how_many_replicates_would_make_it_clear(
    better: float, spread: float, words: str, world: Callable[..., Results]
):
    def around(mean: float) -> list[tuple[float, float]]:
        return [(mean + step * spread,) * 2 for step in (-1, 0, 1)]

    close = trained(
        conv=around(0.8 + better), separable=around(0.8), depthwise=[(0.2,) * 2, (0.21,) * 2] * 2
    )
    found = judged(CLAIMS["accuracy_order"], world(training__summary=close))
    assert found["verdict"] == UNDECIDED
    assert words in found["evidence"]


def test_this_projects_own_statements_reproduce_nothing(world: Callable[..., Results]):
    own = [claim for claim in CLAIMS.values() if claim.source == ledger.OWN]
    found = verdicts.check(world(), own, OVERLAY)
    assert set(found["verdict"]) <= set(verdicts.OWN_VERDICTS.values())
    assert found["here"].isna().all()


def test_a_table_made_from_another_one_rests_on_what_that_one_rests_on(
    world: Callable[..., Results],
):
    """Otherwise a run of few images would decide these claims."""
    for name in ("depends_on_penalty", "on_front_cdd"):
        results = world()
        assert judged(CLAIMS[name], results)["reason"] != "reduced scale"
        results.data["used"] = {**results.data["used"], "train": 100}
        assert judged(CLAIMS[name], results)["reason"] == "reduced scale"


def test_without_the_module_table_its_contrasts_are_not_made(world: Callable[..., Results]):
    results = world()
    results.run["config"]["analyses"] = []
    found = judged(CLAIMS["on_front_cdd"], results)
    assert (found["verdict"], found["reason"]) == (UNDECIDED, "not run")
    assert found["evidence"] == "Not run yet: add module_table to analyses in the config"


def test_a_statement_that_replayed_studies_were_not_asked_is_one_draw(
    world: Callable[..., Results],
):
    table = often([0.9, 0.9, 0.9, 0.9])
    results = world(replay__draws=table[table["claim"] != "separable_wins"])
    found = judged(CLAIMS["separable_wins"], results)
    assert found["verdict"] == UNDECIDED
    assert found["evidence"].endswith("To see how often studies agree: make derive")


def test_a_bound_may_be_a_figure_of_the_article(world: Callable[..., Results]):
    """The winner without a penalty wins up to a weight below the article's, or above it."""
    table = world().table("penalties/envelope.csv")
    for weight, verdict in ((0.049, REPRODUCED), (0.051, NOT_REPRODUCED)):
        ends = dict.fromkeys(("to_weight", "to_low", "to_high"), weight)
        found = judged(
            CLAIMS["depends_on_penalty"], world(penalties__envelope=table.assign(**ends))
        )
        assert found["verdict"] == verdict
