import pandas as pd
import pytest
from convstudy.core.errors import UserError
from convstudy.layers import numpy_layers, verification


def test_the_identities_hold():
    table = verification.check_identities()
    assert table["passed"].all(), table
    assert {"separable = Conv2D", "transpose = adjoint of Conv2D"} <= set(table["identity"])


def test_the_identities_fail_for_a_wrong_layer(monkeypatch):
    right = verification.keras_layer

    def wrong(layer, *arrays, **options):
        return right(layer, *arrays, **options) * (1 + 1e-6 * (layer == "DepthwiseConv2D"))

    monkeypatch.setattr(verification, "keras_layer", wrong)
    failed = verification.check_identities().query("not passed")["identity"]
    assert set(failed) == {
        "depthwise = Conv2D",
        "separable = depthwise, then 1x1 Conv2D",
        "depthwise with a 1x1 kernel = scaling",
    }


def test_the_grid_spans_what_it_should():
    cases = pd.DataFrame(verification.grid_cases())
    assert 200 < len(cases) < 1000
    for column in ("kernel", "stride", "dilation", "padding", "channels", "dtype"):
        varied = [layer for layer, part in cases.groupby("layer") if len(set(part[column])) > 1]
        assert len(varied) >= 3, column
    assert not ((cases["stride"] > 1) & (cases["dilation"] > 1)).any()


@pytest.fixture
def few_cases(monkeypatch):
    cases = [case for case in verification.grid_cases() if case["kernel"] == 3][::9]
    monkeypatch.setattr(verification, "grid_cases", lambda: cases)


def test_keras_agrees_with_the_reference_and_mutations_are_found(few_cases):
    table = verification.check_grid()
    assert table["passed"].all()
    assert set(table["mutation"]) == {"", *verification.MUTATIONS}
    mutated = table["mutation"] != ""
    assert (table.loc[mutated, "max_abs_error"] > table.loc[mutated, "tolerance"]).all()


def test_a_wrong_reference_is_noticed(few_cases, monkeypatch):
    right = numpy_layers.conv2d

    def wrong(image, kernel, **options):
        return right(image, kernel[::-1], **options)

    monkeypatch.setitem(numpy_layers.LAYERS, "Conv2D", wrong)
    table = verification.check_grid().query("mutation == ''")
    assert not table.loc[table["layer"] == "Conv2D", "passed"].any()
    assert table.loc[table["layer"] == "DepthwiseConv2D", "passed"].all()


def test_a_failed_check_is_named():
    good = pd.DataFrame({"check": ["a"], "actual": [1.0], "passed": [True]})
    bad = pd.DataFrame({"check": ["b", "c"], "actual": [1.0, 2.0], "passed": [True, False]})
    verification.require_all_passed(good=good)
    with pytest.raises(UserError) as caught:
        verification.require_all_passed(good=good, bad=bad)
    assert str(caught.value).splitlines() == ["1 checks failed:", "  bad: check c, actual 2.0"]
