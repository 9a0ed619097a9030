"""Tests that bfloat16 is computed correctly for all that the config allows, or refused."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from convstudy.core import environment
from convstudy.core.errors import UserError
from convstudy.layers.kinds import Layer
from convstudy.layers.networks import ARTICLE, build
from convstudy.training import precision
from convstudy.training.engine import backends, engine, kernels
from convstudy.training.settings import BFLOAT16_UNITS

BFLOAT16 = environment.unit() in BFLOAT16_UNITS
multiplies_bfloat16 = pytest.mark.skipif(
    not BFLOAT16, reason=f"this processor ({environment.unit()}) does not multiply bfloat16"
)

# Unit roundoff of bfloat16, which has 8 bits, and of float32, which has 24.
ROUNDING, SUMMING = 2.0**-8, 2.0**-24


@pytest.fixture(scope="module", autouse=True)
def tensorflow():
    backends.use_backend("tensorflow", "cpu", 1, "mixed_bfloat16")


def grid(kind: str, size: int):
    """Yield arguments and shapes: channels, kernels, strides or dilations, and groups."""
    steps = [(1, 1), (2, 1), (3, 1), (1, 2), (1, 3)]
    for channels, kernel, (stride, dilation) in itertools.product((1, 3, 16), range(1, 6), steps):
        arguments = {"kernel_size": kernel, "strides": stride, "dilation_rate": dilation}
        arguments["padding"] = "same"
        if kind != "DepthwiseConv2D":
            arguments["filters"] = 8
        shape = (size, size, channels)
        yield arguments, shape
        # Keras compiles these with XLA, which takes a second each.
        if kind == "Conv2D" and channels == 16 and kernel in (1, 3) and stride + dilation < 4:
            yield {**arguments, "groups": 4}, shape


@multiplies_bfloat16
@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("kind", ["Conv2D", "DepthwiseConv2D", "SeparableConv2D"])
def test_every_layer_is_computed_rightly_here(kind, size):
    wrong = []
    for arguments, shape in grid(kind, size):
        found = precision.errors(Layer("checked", kind, arguments), shape, 8, "float64")
        if not max(found.values()) < precision.LARGEST_ERROR:
            wrong.append((arguments, shape))
    assert wrong == []


@multiplies_bfloat16
@pytest.mark.parametrize("kind", ["adjust", *ARTICLE.kinds])
def test_gradients_are_as_exact_as_bfloat16_can_be(kind):
    """Rounding errors are bounded by the magnitudes of the inputs (Higham, 2002, section 3).

    The result is rounded once, and so are intermediate results: the output of a separable layer's
    depthwise half, and an output before the bias is added. Sums round in float32, at random, so
    their errors grow with the root of the number of terms (Higham and Mary, 2019).
    """
    layers = ARTICLE.architecture((kind if kind in ARTICLE.kinds else "conv",), 1.0)
    named = "stage2_adjust" if kind == "adjust" else "stage1_layer1"
    [layer] = [one for one in layers if one.name == named]
    shape, images = (32, 32, 64), 128
    truth = precision.compute(layer, shape, images, "float64")
    found = precision.compute(layer, shape, images, "mixed_bfloat16")
    magnitudes = precision.compute(layer, shape, images, "float64", magnitudes=True)
    summing = 4 * np.sqrt(images * 32 * 32) * SUMMING
    assert "gradient by the bias" in truth
    for what, exact in truth.items():
        between = ROUNDING if kind == "separable" or what == "output" else 0.0
        before = (between + summing) * magnitudes[what]
        bound = ROUNDING * (np.abs(exact) + before) + before
        assert (np.abs(found[what] - exact) <= bound).all(), what


@multiplies_bfloat16
@pytest.mark.parametrize("kernel", range(1, 6))
def test_weight_gradients_by_matrix_products_are_right(monkeypatch, kernel):
    layer = Layer("checked", "Conv2D", {"filters": 128, "kernel_size": kernel, "padding": "same"})
    monkeypatch.setattr(environment, "unit", lambda: "AMX")
    chosen = []
    usual = kernels._weight_gradient
    monkeypatch.setattr(
        kernels, "_weight_gradient", lambda *given: chosen.append(1) or usual(*given)
    )
    found = precision.errors(layer, (6, 8, 128), 8, "float64")
    assert max(found.values()) < precision.LARGEST_ERROR
    # A 1x1 convolution is a matrix product as a whole.
    assert bool(chosen) == (kernel > 1)
    chosen.clear()
    precision.errors(layer, (8, 16, 128), 2, "float32")
    assert not chosen


def test_a_sum_of_many_equal_gradients_does_not_stop():
    import tensorflow as tf

    bias = tf.zeros(3, tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(bias)
        outputs = kernels._add_bias(tf.zeros((128, 32, 32, 3), tf.bfloat16), bias)
    gradient = tape.gradient(outputs, bias, output_gradients=tf.ones_like(outputs))
    assert np.asarray(gradient, "float32").tolist() == [128 * 32 * 32] * 3


@multiplies_bfloat16
def test_a_layer_that_is_wrong_is_refused(monkeypatch):
    import tensorflow as tf

    layers = ARTICLE.architecture(("conv", "depthwise"), 0.125)
    precision._largest_error.cache_clear()
    precision.require_bfloat16(layers)
    precision._largest_error.cache_clear()
    # TensorFlow's own bias, whose gradient is summed in bfloat16.
    monkeypatch.setattr(kernels, "_add_bias", tf.nn.bias_add)
    with pytest.raises(UserError, match=r"gradient by the bias is off by .* write precision: fl"):
        precision.require_bfloat16(layers)
    precision._largest_error.cache_clear()


@multiplies_bfloat16
def test_bfloat16_without_onednn_is_refused():
    code = (
        "from convstudy.layers.networks import ARTICLE\n"
        "from convstudy.training import precision\n"
        "from convstudy.training.engine import backends\n"
        "backends.use_backend('tensorflow', 'cpu')\n"
        "precision.require_bfloat16(ARTICLE.architecture(('separable',), 0.25))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "UserError" in done.stderr


def test_variables_that_change_a_precision_are_left_out(monkeypatch, caplog):
    for name, value in (
        ("ONEDNN_DEFAULT_FPMATH_MODE", "BF16"),
        ("DNNL_MAX_CPU_ISA", "AVX2"),
        ("TF_SET_ONEDNN_FPMATH_MODE", "BF16"),
        ("ONEDNN_VERBOSE", "0"),
        ("TF_ENABLE_ONEDNN_OPTS", "0"),
    ):
        monkeypatch.setenv(name, value)
    backends.use_backend("tensorflow", "cpu")
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert os.environ["ONEDNN_VERBOSE"] == "0"
    assert not {"DNNL_MAX_CPU_ISA", "TF_SET_ONEDNN_FPMATH_MODE"} & set(os.environ)
    assert "ignoring ONEDNN_DEFAULT_FPMATH_MODE=BF16, with which the same" in caplog.text
    backends.use_backend("tensorflow", "cpu", 1, "mixed_bfloat16")
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1"


@multiplies_bfloat16
def test_what_is_in_float32():
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(ARTICLE.architecture(("conv", "separable"), 0.125))
        model.compile(optimizer="adam")
        model.optimizer.build(model.trainable_variables)
        by_name = {layer.name: layer for layer in model.layers}
        with kernels.training_kernels(model):
            normalised, mean, variance = kernels._batch_norm(
                keras.ops.ones((2, 4, 4, 8), "bfloat16"),
                by_name["stage1_adjust_norm"].gamma,
                by_name["stage1_adjust_norm"].beta,
                0.001,
                rectified=True,
            )
    finally:
        keras.config.set_dtype_policy("float32")
    assert {variable.dtype for variable in model.weights} == {"float32"}
    assert {variable.dtype for variable in model.optimizer.variables[2:]} == {"float32"}
    assert (mean.dtype, variance.dtype, normalised.dtype) == ("float32", "float32", "bfloat16")
    for name, dtype in (
        ("rescaling", "float32"),
        ("stage1_adjust", "bfloat16"),
        ("stage1_layer2", "bfloat16"),
        ("classifier", "float32"),
    ):
        assert by_name[name].compute_dtype == dtype


def test_float32_is_computed_by_the_same_operations_as_ever():
    """Equal operations on equal inputs give equal bits; the file lists those of recipe 3."""
    from helpers.engine import network
    from helpers.training import DATASET

    found = {}
    for kind in ARTICLE.kinds:
        made = engine.Engine(
            network(kind, "float32", ARTICLE, layers=2), DATASET, 32, "none", 0.0, False, False
        )
        for name, function in (("train", made._train), ("test", made._test)):
            graph = function.get_concrete_function().graph.as_graph_def()
            bodies = [graph.node, *(body.node_def for body in graph.library.function)]
            operations = [node.op for nodes in bodies for node in nodes]
            found[f"{name} {kind}"] = {
                one: operations.count(one) for one in sorted(set(operations))
            }
    expected = Path(__file__).with_name("float32_operations.json")
    assert found == json.loads(expected.read_text())
