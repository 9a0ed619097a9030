"""Grouped convolutions, for which TensorFlow's own gradients are slow on a CPU."""

import numpy as np
import pytest
from convstudy.training.engine import backends
from convstudy.training.engine.kernels import training_kernels


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("dilation", [1, 2])
def test_a_grouped_convolution_is_that_of_keras(use_bias, dilation):
    backends.use_backend("tensorflow", "cpu", 1, "float32")
    import keras
    import tensorflow as tf

    layer = keras.layers.Conv2D(
        8, 3, padding="same", groups=4, dilation_rate=dilation, use_bias=use_bias
    )
    image = keras.Input((6, 5, 12))
    model = keras.Model(image, layer(image))
    rng = np.random.default_rng(0)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    inputs = tf.constant(rng.normal(size=(2, 6, 5, 12)), tf.float32)
    upstream = tf.constant(rng.normal(size=(2, 6, 5, 8)), tf.float32)

    def computed():
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = model(inputs)
            loss = tf.reduce_sum(outputs * upstream)
        return [outputs, *tape.gradient(loss, [inputs, *layer.trainable_variables])]

    keras_own = computed()
    with training_kernels(model):
        ours = computed()
    assert layer.kernel.shape == (3, 3, 3, 8)
    for one, other in zip(ours, keras_own, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
