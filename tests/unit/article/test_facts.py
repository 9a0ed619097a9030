from convstudy.article import facts
from convstudy.layers.networks import ARTICLE


def test_every_printed_objective_is_error_plus_penalty_to_rounding():
    weight, unit = facts.penalty()
    rows = [row for row in facts.best(penalised=True) if "objective" in row]
    assert len(rows) == 5
    for row in rows:
        computed = 1 - row["test_accuracy"] + weight * row["parameters"] / unit
        assert abs(computed - row["objective"]) < 1e-4


def test_every_module_exists():
    named = {row["module"] for penalised in (False, True) for row in facts.best(penalised)}
    assert named <= ARTICLE.modules().keys()
    assert set(facts.accuracies()) == ARTICLE.single_kind().keys()
