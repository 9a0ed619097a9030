import pytest
from convstudy.layers.kinds import Layer, LayerKind, cost
from hypothesis import given
from hypothesis import strategies as st

sizes = st.integers(1, 9)
channels = st.integers(1, 300)


def count(type_, shape=(8, 8, 4), **arguments):
    return cost(Layer("layer", type_, arguments), shape)


@given(channels, channels, st.sampled_from([1, 3, 5]), sizes, sizes)
def test_separable_is_depthwise_and_pointwise(n, m, kernel, height, width):
    shape = (height, width, n)
    separable = count("SeparableConv2D", shape, filters=m, kernel_size=kernel)
    depthwise = count("DepthwiseConv2D", shape, kernel_size=kernel)
    pointwise = count("Conv2D", shape, filters=m, kernel_size=1)
    # The depthwise half of a separable layer has no bias of its own.
    assert separable.parameters == depthwise.parameters - n + pointwise.parameters
    assert separable.macs == depthwise.macs + pointwise.macs
    assert separable.output_shape == pointwise.output_shape == (height, width, m)


@given(st.integers(1, 8), st.integers(1, 20), st.integers(1, 20))
def test_groups_divide_the_weights(groups, per_group_in, per_group_out):
    shape = (4, 4, groups * per_group_in)
    arguments = {"filters": groups * per_group_out, "kernel_size": 3}
    plain = count("Conv2D", shape, **arguments)
    grouped = count("Conv2D", shape, groups=groups, **arguments)
    bias = arguments["filters"]
    assert plain.parameters - bias == groups * (grouped.parameters - bias)


@given(channels)
def test_a_depthwise_layer_has_n_filters_where_conv2d_has_n_times_m(n):
    assert count("Conv2D", (1, 1, n), filters=n, kernel_size=1).macs == n**2
    assert count("DepthwiseConv2D", (1, 1, n), kernel_size=1).macs == n


def test_a_type_without_a_formula_is_refused():
    with pytest.raises(ValueError, match="no closed form for a layer of type LSTM"):
        count("LSTM")


# Kinds that a user is likely to configure.
LIKELY = [
    ("Conv2D", {"kernel_size": 3, "groups": 4}),
    ("Conv2D", {"kernel_size": 3, "dilation_rate": 2}),
    ("Conv2D", {"kernel_size": 1}),
    ("Conv2D", {"kernel_size": 5}),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}),
    ("SeparableConv2D", {"kernel_size": 5, "depth_multiplier": 3}),
]


@pytest.mark.parametrize(("type_", "arguments"), LIKELY)
def test_a_new_kind_is_a_section_of_the_config(type_, arguments):
    import keras

    kind = LayerKind.of("new", {"layers": [{"type": type_, **arguments}]})
    [layer] = kind.layers("stage1_layer1", 8)
    # The description holds only what differs from Keras's defaults.
    assert {**layer.arguments, "filters": 8} == {**arguments, "padding": "same", "filters": 8}
    built = getattr(keras.layers, layer.type)(**layer.arguments)
    built.build((None, 6, 6, 8))
    counted = cost(layer, (6, 6, 8))
    assert built.count_params() == counted.parameters
    assert built.compute_output_shape((None, 6, 6, 8))[1:] == counted.output_shape
