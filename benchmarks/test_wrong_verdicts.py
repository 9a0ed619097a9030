"""Short runs of the count of wrong verdicts in docs/statistics.md; the document is up to date."""

import numpy as np
import pandas as pd
import pytest
import wrong_verdicts
from convstudy.analyses.replay import draws
from fast_studies import Studies, search

FOUND, REPLAYS = pd.read_csv(wrong_verdicts.FOUND), pd.read_csv(wrong_verdicts.REPLAYS)


def as_trials(studies: Studies) -> list[pd.DataFrame]:
    """Write each study as `convstudy.analyses.replay.studies.replay` does."""
    names = np.array(wrong_verdicts.MODULES)
    return [
        pd.DataFrame({"module": names[modules], "objective": objective, "epochs": epochs})
        .replace(np.inf, np.nan)
        .assign(state=lambda one: np.where(one["objective"].isna(), "PRUNED", "COMPLETE"))
        for modules, objective, epochs in zip(*studies, strict=True)
    ]


def test_statements_about_studies_are_those_of_the_analysis():
    rng = np.random.default_rng(0)
    level = rng.normal(0.8, 0.03, (1, 27, 1, 1)) + rng.normal(0, 0.01, (1, 27, 3, 6))
    once = np.zeros(40, int)
    costs = {"accuracy": 0 * wrong_verdicts.SIZES, "penalised": 0.005 * wrong_verdicts.SIZES}
    pair = {name: search(level, cost, once, rng) for name, cost in costs.items()}
    tables = {name: as_trials(studies) for name, studies in pair.items()}
    found = wrong_verdicts.statements(pair)
    for name, holds in found.items():
        theirs = [
            draws.STATEMENTS[name](dict(zip(tables, both, strict=True)), draws.Table(6, ""))
            for both in zip(*tables.values(), strict=True)
        ]
        assert holds.tolist() == theirs, name
    assert 0 < found["place_matters"].mean() + found["separable_wins"].mean() < 2


@pytest.mark.parametrize("scenario", wrong_verdicts.SCENARIOS)
def test_every_claim_can_be_judged_in_a_made_up_world(scenario: str):
    rows = pd.DataFrame(wrong_verdicts.run(0, 5, scenario))
    assert list(rows["claim"]) == [claim.id for claim in wrong_verdicts.CLAIMS]
    assert set(rows["claim"]) <= wrong_verdicts.MAKE.keys() | set(REPLAYS["what"])
    known = rows[rows["claim"].isin(list(wrong_verdicts.MAKE))]
    if scenario in (wrong_verdicts.TRUE, wrong_verdicts.FALSE):
        assert (known["agrees"] == known["true"]).mean() > 0.7
        assert (known["agrees"].isna() | (known["agrees"] == known["true"])).all()
    else:
        assert known["agrees"].isna().mean() > 0.7


def test_a_family_has_a_wrong_verdict_in_at_most_one_run_of_twenty():
    wrong = FOUND[FOUND["claim"].isna()]
    assert set(wrong["world"]) == set(wrong_verdicts.SCENARIOS)
    assert (wrong[wrong["replicates"] == 3]["runs"] == wrong_verdicts.RUNS).all()
    assert (wrong["share"] <= 0.05 + 2 * wrong["error"]).all()
    # By themselves, claims would be wrong far more often.
    assert wrong["alone"].max() > 0.3


def test_differences_of_searches_are_covered_in_recorded_worlds():
    covered = REPLAYS[REPLAYS["coverage"].notna()]
    error = np.sqrt(0.95 * 0.05 / covered["worlds"])
    assert (covered["coverage"] >= 0.95 - 2 * error).all()


def test_the_document_has_the_recorded_tables():
    assert wrong_verdicts.rendered() == wrong_verdicts.DOCUMENT.read_text(encoding="utf-8")
