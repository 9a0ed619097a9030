import pytest
from convstudy.layers.networks import ARTICLE, build, costs, total
from hypothesis import given, settings
from hypothesis import strategies as st

kinds = st.lists(st.sampled_from(["conv", "depthwise", "separable"]), min_size=1, max_size=4)


@settings(max_examples=12, deadline=None)
@given(kinds, st.floats(0.02, 0.6))
def test_closed_form_and_keras_agree_for_any_network_and_width(kinds, width):
    layers = ARTICLE.architecture(kinds, width)
    whole = total(costs(layers))
    built = build(layers)
    assert built.count_params() == whole.parameters
    trainable = sum(weight.shape.num_elements() for weight in built.trainable_weights)
    assert trainable == whole.trainable
    assert built.output_shape == (None, 10)


def test_macs_of_a_network_by_hand():
    # Width 1/64: one, two and four channels; feature maps of 32, 16 and 8 cells per side.
    whole = total(costs(ARTICLE.architecture(("depthwise",), 1 / 64)))
    adjust = 32**2 * 3 * 1 + 16**2 * 1 * 2 + 8**2 * 2 * 4
    depthwise = 9 * (32**2 * 1 + 16**2 * 2 + 8**2 * 4)
    assert whole.macs == adjust + depthwise + 4 * 10


def test_images_are_scaled_to_the_unit_interval():
    import numpy as np

    built = build(ARTICLE.architecture(("conv",), 0.1))
    scaled = built.get_layer("rescaling")(np.full((1, 32, 32, 3), 255, np.uint8))
    assert float(np.max(scaled)) == pytest.approx(1)
