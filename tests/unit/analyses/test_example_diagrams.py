import pytest
from convstudy.analyses.article_study import example_diagrams
from convstudy.display import style
from convstudy.layers import examples
from convstudy.report import parts


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("name", examples.examples())
def test_every_number_of_an_example_is_drawn(name):
    example = examples.examples()[name]
    drawn = texts(example_diagrams.draw_example(name))
    for array in (example.image, *example.kernels, example.output()):
        for value in array.ravel():
            assert f"{round(float(value), 6):g}" in drawn


def test_the_sum_is_written_out():
    assert "8.2 = 0.1×7 + 0.2×8 + 0.3×9 + 0.4×1 + 0.5×2 + 0.6×3" in texts(
        example_diagrams.draw_example("transpose")
    )
    multi = " ".join(texts(example_diagrams.draw_example("conv2d_multi")))
    assert "598.5 = (0.1×1 + 0.3×7" in multi
    assert "1.7×49) + (0.2×4 +" in multi


@pytest.mark.parametrize("name", examples.examples())
def test_exactly_one_output_and_its_inputs_are_marked(name):
    faces = [patch.get_facecolor() for patch in example_diagrams.draw_example(name).axes[0].patches]
    from matplotlib.colors import to_rgba

    example = examples.examples()[name]
    assert faces.count(to_rgba(example_diagrams.RESULT)) == 1
    products = len(examples.products(example))
    inputs = {"transpose": 6}.get(name, products)
    pointwise = len(example.kernels) - 1
    assert faces.count(to_rgba(example_diagrams.SEEN)) == inputs + products + pointwise


def test_pairs_are_numbered_where_weights_are_met_in_another_order():
    figure = example_diagrams.draw_example("transpose")
    at = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    small = [text for text in figure.axes[0].texts if text.get_fontsize() == 6]
    met: dict[str, set[str]] = {}
    for text in small:
        x, y = text.get_position()
        # The number of the cell stands in its middle.
        [value] = [v for (a, b), v in at.items() if 0 < a - x < 0.6 and 0 < b - y < 0.6]
        met.setdefault(text.get_text(), set()).add(value)
    assert met == {"1": {"0.1", "0.2", "0.3", "7", "8", "9"}, "2": {"0.4", "0.5", "0.6", *"123"}}


def test_an_example_for_a_phone_has_the_same_numbers_below_each_other():
    for name in examples.examples():
        wide = example_diagrams.draw_example(name)
        with style.narrow_screen():
            narrow = example_diagrams.draw_example(name)
        assert narrow.get_figwidth() == pytest.approx(style.NARROW)
        assert len(narrow.axes[0].patches) == len(wide.axes[0].patches)
        assert sorted(" ".join(texts(narrow)).split()) == sorted(" ".join(texts(wide)).split())


def test_every_example_is_a_figure():
    shown = {name for name in parts.drawings([]) if name.startswith("example_")}
    assert shown == {f"example_{name}" for name in examples.examples()}
