import numpy as np
import pytest
from convstudy.article import facts
from convstudy.layers import examples
from convstudy.layers.verification import keras_layer


@pytest.fixture(scope="module")
def table():
    return examples.check_examples()


def test_every_printed_number_comes_out(table):
    assert table["passed"].all(), table[~table["passed"]]
    stated = facts.load()["worked_examples"]
    for name in ("conv2d_multi", "depthwise_k3", "separable", "transpose"):
        cells = np.array(stated[name]["outputs"]).size
        against_print = table["check"].str.contains("against print") & (table["example"] == name)
        assert against_print.sum() == 3 * cells


def test_the_sums_that_the_text_writes_out(table):
    sums = table.set_index(["example", "check"])["actual"]
    assert sums["conv2d_single", "sum of nine products"] == pytest.approx(15.9)
    assert sums["conv2d_multi", "sum over channel 1"] == pytest.approx(274.5)
    assert sums["conv2d_multi", "sum over channel 2"] == pytest.approx(324)
    assert sums["depthwise_k3", "sum of nine products"] == pytest.approx(96.9)
    assert sums["transpose", "sum of the corner's products"] == pytest.approx(1.4)
    assert sums["transpose", "sum beside the corner"] == pytest.approx(8.2)
    assert sums["transpose", "number of products beside the corner"] == 6


def test_tolerances_are_far_below_the_last_printed_digit(table):
    assert (table["tolerance"] < 0.05).all()
    assert (table["tolerance"] <= 1e-4 * table["expected"].abs().clip(lower=1)).all()


def test_a_wrong_print_is_noticed(monkeypatch):
    right = examples.printed_output
    monkeypatch.setattr(
        examples,
        "printed_output",
        lambda name: None if right(name) is None else right(name) + (name == "separable") * 0.01,
    )
    failed = examples.check_examples().query("not passed")
    assert set(failed["example"]) == {"separable"}


@pytest.mark.parametrize("name", examples.examples())
def test_the_written_sum_gives_the_highlighted_cell(name):
    example = examples.examples()[name]
    row, column, channel = example.cell
    total = sum(value * weight for value, weight in examples.products(example))
    if name == "separable":
        total *= example.kernels[1].flat[channel]
    assert total == pytest.approx(example.output()[0, row, column, channel])


def test_reconstructions_are_labelled():
    notes = {name: example.note for name, example in examples.examples().items()}
    assert "reconstruction" in notes["conv2d_single"]
    assert "ours" in notes["depthwise_k1"]
    assert not any(notes[name] for name in notes.keys() - {"conv2d_single", "depthwise_k1"})


def test_keras_is_really_asked():
    example = examples.examples()["depthwise_k3"]
    other = keras_layer(example.layer, example.image, example.kernels[0] + 1)
    assert not np.allclose(other, example.output())
