import pytest
from convstudy.article import facts
from convstudy.core.errors import UserError
from convstudy.layers import counts
from convstudy.layers.networks import ARTICLE


@pytest.fixture(scope="module")
def table():
    return counts.count_models(ARTICLE, 0.25).set_index("model")


def test_the_articles_seven_counts(table):
    printed = facts.parameter_counts()
    assert len(printed) == 7
    assert {name: table.loc[name, "parameters"] for name in printed} == printed


def test_every_single_kind_network_and_module_is_counted(table):
    assert list(table.index[: len(ARTICLE.kinds)]) == list(ARTICLE.kinds)
    modules = table.dropna(subset="layer3")
    assert len(modules) == len(ARTICLE.kinds) ** 3
    assert len(table) == len(ARTICLE.kinds) + len(modules)
    assert list(modules[["layer1", "layer2", "layer3"]].agg("-".join, axis=1)) == [*modules.index]
    assert (table["trained_parameters"] < table["parameters"]).all()
    assert (table["trainable"] < table["parameters"]).all()


def test_layers_add_up_to_models(table):
    layers = (
        counts.count_layers(ARTICLE).groupby("model")[["parameters", "trainable", "macs"]].sum()
    )
    for column in layers:
        assert layers[column].to_dict() == table[column].to_dict()


def test_agreement_with_keras_and_what_happens_without(monkeypatch):
    monkeypatch.setattr(
        counts,
        "checked_models",
        lambda *_: {"conv": ("conv", "conv"), "depthwise": ("depthwise",) * 2},
    )
    agreeing = counts.verify(ARTICLE, 0.125)
    assert list(agreeing["width"]) == [1, 1, 0.125, 0.125]
    counts.require_agreement(agreeing)
    monkeypatch.setattr(facts, "parameter_counts", lambda: {"conv": 1598731})
    with pytest.raises(UserError, match=r"counts disagree: conv at width 1;"):
        counts.require_agreement(counts.verify(ARTICLE, 0.125))
