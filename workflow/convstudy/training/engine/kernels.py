"""Training kernels that are faster or more accurate than Keras's."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from convstudy.training.engine.backends import gpu_names


@contextlib.contextmanager
def training_kernels(model: Any) -> Iterator[None]:
    """Make a model's layers use faster or more accurate kernels while a step is traced.

    The layers remain Keras's own, so that a checkpoint loads anywhere. JAX needs no faster kernels,
    since XLA fuses Keras's operations itself.
    """
    import keras

    backend = keras.backend.backend()
    changed = []
    for layer in model.layers:
        # The fused normalisation kernels do not support float64.
        if isinstance(layer, keras.layers.BatchNormalization):
            if backend == "tensorflow" and layer.compute_dtype != "float64":
                layer.call = functools.partial(_normalise, layer)
                changed.append(layer)
        elif backend == "tensorflow" and not gpu_names() and _is_pointwise(layer):
            layer.call = functools.partial(_convolve_pointwise, layer)
            changed.append(layer)
        elif _sums_bias_in_bfloat16(layer) or _is_slow(layer):
            layer.call = functools.partial(_convolve, layer)
            changed.append(layer)
    try:
        yield
    finally:
        for layer in changed:
            del layer.call


def _normalise(layer: Any, inputs: Any, training: bool = True, mask: Any = None) -> Any:
    """Normalise a batch and update the moving averages, as Keras's BatchNormalization does."""
    outputs, mean, variance = _batch_norm(inputs, layer.gamma, layer.beta, layer.epsilon)
    for moving, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + new * (1 - layer.momentum))
    return outputs


def _batch_norm(inputs: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, ...]:
    """Normalise with TensorFlow's fused kernel; return the outputs, mean and variance."""
    import tensorflow as tf

    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
    )
    # The kernel returns the unbiased sample variance; Keras averages the batch's own variance.
    count = tf.cast(tf.size(inputs) / tf.size(mean), variance.dtype)
    return outputs, mean, variance * (count - 1) / count


def _is_pointwise(layer: Any) -> bool:
    """Return whether `_convolve_pointwise` supports a layer: it is or ends in a 1x1 convolution."""
    import keras

    if not getattr(layer, "use_bias", False):
        return False
    if type(layer) is keras.layers.SeparableConv2D:
        return bool(layer.padding == "same" and layer.strides == layer.dilation_rate == (1, 1))
    return (
        type(layer) is keras.layers.Conv2D
        and layer.kernel_size == layer.strides == (1, 1)
        and layer.groups == 1
    )


def _convolve_pointwise(layer: Any, inputs: Any) -> Any:
    """Compute a 1x1 convolution as a matrix product, whose gradients are faster in TensorFlow."""
    import tensorflow as tf

    if hasattr(layer, "depthwise_kernel"):
        depthwise = tf.convert_to_tensor(layer.depthwise_kernel)
        inputs = tf.nn.depthwise_conv2d(inputs, depthwise, (1, 1, 1, 1), "SAME")
        kernel = layer.pointwise_kernel
    else:
        kernel = layer.kernel
    channels, filters = kernel.shape[-2:]
    matrix = tf.reshape(kernel, (channels, filters))
    outputs = tf.matmul(tf.reshape(inputs, (-1, channels)), matrix)
    outputs = tf.reshape(outputs, (-1, *inputs.shape[1:3], filters))
    return layer.activation(_add_bias(outputs, tf.convert_to_tensor(layer.bias)))


def _sums_bias_in_bfloat16(layer: Any) -> bool:
    """Return whether a layer is a convolution whose bias gradient Keras sums in bfloat16."""
    from keras import layers

    convolutions = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
    return isinstance(layer, convolutions) and layer.compute_dtype == "bfloat16" and layer.use_bias


def _convolve(layer: Any, inputs: Any) -> Any:
    """Convolve like Keras's layer, but sum the bias gradient in float32."""
    from keras import layers, ops

    how = {
        "strides": layer.strides,
        "padding": layer.padding,
        "data_format": layer.data_format,
        "dilation_rate": layer.dilation_rate,
    }
    if isinstance(layer, layers.SeparableConv2D):
        kernels = layer.depthwise_kernel, layer.pointwise_kernel
        outputs = ops.separable_conv(inputs, *kernels, **how)
    elif isinstance(layer, layers.DepthwiseConv2D):
        outputs = ops.depthwise_conv(inputs, layer.kernel, **how)
    else:
        kernel = _ungrouped(layer.kernel, layer.groups) if _is_slow(layer) else layer.kernel
        outputs = ops.conv(inputs, kernel, **how)
    if layer.use_bias:
        outputs = _add_bias(outputs, ops.convert_to_tensor(layer.bias))
    return layer.activation(outputs)


def _is_slow(layer: Any) -> bool:
    """Return whether TensorFlow would take fifty times as long for a layer's gradients."""
    import keras

    grouped = type(layer) is keras.layers.Conv2D and layer.groups > 1
    return bool(grouped and keras.backend.backend() == "tensorflow" and not gpu_names())


def _ungrouped(kernel: Any, groups: int) -> Any:
    """Return the kernel of an equal convolution without groups: zero between the groups.

    Args:
        kernel: (kernel Y, kernel X, channels / groups, filters).
    """
    import tensorflow as tf

    kernel = tf.convert_to_tensor(kernel)
    _, _, channels, filters = kernel.shape
    same = np.kron(np.eye(groups), np.ones((channels, filters // groups)))
    return tf.tile(kernel, (1, 1, groups, 1)) * tf.constant(same, kernel.dtype)


def _add_bias(outputs: Any, bias: Any) -> Any:
    """Add a bias, (channels,), whose gradient is summed in at least float32.

    TensorFlow sums it in bfloat16, in which a sum of ones stops at 256.
    """
    import keras

    if keras.backend.standardize_dtype(outputs.dtype) != "bfloat16":
        return outputs + bias
    if keras.backend.backend() != "tensorflow":
        # Fused by XLA; neither the sum nor an intermediate array is in bfloat16.
        wide = keras.ops.cast(outputs, "float32") + keras.ops.cast(bias, "float32")
        return keras.ops.cast(wide, "bfloat16")
    import tensorflow as tf

    @tf.custom_gradient
    def add(outputs: Any, bias: Any) -> Any:
        def gradients(upstream: Any) -> tuple[Any, Any]:
            # A matrix product sums in float32, five times as fast as a cast and a sum.
            rows = tf.reshape(upstream, (-1, upstream.shape[-1]))
            return upstream, tf.matmul(tf.ones((1, tf.shape(rows)[0]), rows.dtype), rows)[0]

        return tf.nn.bias_add(outputs, bias), gradients

    return add(outputs, bias)
