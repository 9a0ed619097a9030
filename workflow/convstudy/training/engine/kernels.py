"""Training kernels that are faster or more accurate than Keras's."""

import contextlib
import functools
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from convstudy.core import environment
from convstudy.training.engine.backends import gpu_names

# Convolutions whose weight gradients are matrix products, with AMX: images of at most this width
# and layers of at least so many channels.
NARROW = 8
MANY_CHANNELS = 128


@contextlib.contextmanager
def training_kernels(model: Any) -> Iterator[list[Any]]:
    """Make a model's layers use faster or more accurate kernels while a step is traced.

    The layers remain Keras's own, so that a checkpoint loads anywhere. JAX needs no faster kernels,
    since XLA fuses Keras's operations itself.

    Yields:
        Biases that are left out and need no training, as their gradients are zero: normalisation
        subtracts the mean of a batch, and with it any bias added before.
    """
    import keras

    tensorflow = keras.backend.backend() == "tensorflow"
    layers = keras.layers
    convolutions = layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D
    calls: dict[Any, Any] = {}
    left_out = []
    bias = None
    for layer, following in itertools.zip_longest(model.layers, model.layers[1:]):
        if isinstance(layer, layers.BatchNormalization) and _is_fused(layer):
            # Faster only in bfloat16, where TensorFlow's gradient of ReLU is slow.
            narrow = layer.compute_dtype == "bfloat16" and not gpu_names()
            rectified = narrow and isinstance(following, layers.ReLU)
            calls[layer] = functools.partial(_normalise, layer, bias, rectified)
            if rectified:
                calls[following] = lambda inputs: inputs
        if isinstance(layer, convolutions) and (tensorflow or _sums_bias_in_bfloat16(layer)):
            bias = layer.bias if _is_subtracted(layer, following) else None
            if bias is not None:
                left_out.append(bias)
            calls[layer] = functools.partial(_convolve, layer, layer.use_bias and bias is None)
        else:
            bias = None
    for layer, call in calls.items():
        layer.call = call
    try:
        yield left_out
    finally:
        for layer in calls:
            del layer.call


def _in_tensorflow_on_cpu() -> bool:
    import keras

    return keras.backend.backend() == "tensorflow" and not gpu_names()


def _sums_bias_in_bfloat16(layer: Any) -> bool:
    """Return whether Keras sums the gradient of a convolution's bias in bfloat16."""
    return bool(layer.compute_dtype == "bfloat16" and layer.use_bias)


def _is_fused(layer: Any) -> bool:
    """Return whether TensorFlow has a fused kernel for a BatchNormalization; not in float64."""
    import keras

    return bool(keras.backend.backend() == "tensorflow" and layer.compute_dtype != "float64")


def _is_subtracted(layer: Any, following: Any) -> bool:
    """Return whether a convolution's bias is subtracted again, by a fused BatchNormalization."""
    import keras

    return bool(
        layer.use_bias
        and layer.activation is keras.activations.linear
        and isinstance(following, keras.layers.BatchNormalization)
        and following.input is layer.output
        and _is_fused(following)
    )


def _normalise(
    layer: Any, bias: Any, rectified: bool, inputs: Any, training: bool = True, mask: Any = None
) -> Any:
    """Normalise a batch and update the moving averages, as Keras's BatchNormalization does.

    Args:
        layer: The BatchNormalization.
        bias: (channels,). The bias of the inputs that was left out, or None.
        rectified: Whether to apply the ReLU that follows, too.
        inputs: (batch, Y, X, channels).
        training, mask: Keras passes them; they have no effect.
    """
    outputs, mean, variance = _batch_norm(inputs, layer.gamma, layer.beta, layer.epsilon, rectified)
    if bias is not None:
        mean += bias
    for moving, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + new * (1 - layer.momentum))
    return outputs


def _batch_norm(
    inputs: Any, gamma: Any, beta: Any, epsilon: float, rectified: bool
) -> tuple[Any, ...]:
    """Normalise with TensorFlow's fused kernel; return the outputs, mean and variance."""
    import tensorflow as tf

    how = {"epsilon": epsilon, "is_training": True}

    def normalise(x: Any, scale: Any, offset: Any) -> tuple[Any, ...]:
        made = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=offset, mean=[], variance=[], **how
        )
        return made.y, made.batch_mean, made.batch_variance, made[3:]

    # One function for both, as a function's gradient would otherwise keep oneDNN from fusing them.
    @tf.custom_gradient
    def normalise_and_rectify(x: Any, scale: Any, offset: Any) -> Any:
        y, mean, variance, kept = normalise(x, scale, offset)
        y = tf.nn.relu(y)

        def gradients(upstream: Any, *_: Any) -> Any:
            # It keeps or clears bits, which mean the same in float16, where the kernel is fast.
            half = tf.raw_ops.ReluGrad(
                gradients=tf.bitcast(upstream, tf.float16), features=tf.bitcast(y, tf.float16)
            )
            masked = tf.bitcast(half, x.dtype)
            saved = {f"reserve_space_{number}": one for number, one in enumerate(kept, start=1)}
            made = tf.raw_ops.FusedBatchNormGradV3(
                y_backprop=masked, x=x, scale=scale, **saved, **how
            )
            return made[:3]

        return (y, mean, variance), gradients

    outputs, mean, variance, *_ = (normalise_and_rectify if rectified else normalise)(
        inputs, tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta)
    )
    # The kernel returns the unbiased sample variance; Keras averages the batch's own variance.
    count = tf.cast(tf.size(inputs) / tf.size(mean), variance.dtype)
    return outputs, mean, variance * (count - 1) / count


def _convolve(layer: Any, add_bias: bool, inputs: Any) -> Any:
    """Convolve like Keras's layer, but sum the bias gradient in float32, or leave out the bias."""
    from keras import layers, ops

    how = {
        "strides": layer.strides,
        "padding": layer.padding,
        "data_format": layer.data_format,
        "dilation_rate": layer.dilation_rate,
    }
    if _is_pointwise(layer):
        outputs = _convolve_pointwise(layer, inputs)
    elif isinstance(layer, layers.SeparableConv2D):
        kernels = layer.depthwise_kernel, layer.pointwise_kernel
        outputs = ops.separable_conv(inputs, *kernels, **how)
    elif isinstance(layer, layers.DepthwiseConv2D):
        outputs = ops.depthwise_conv(inputs, layer.kernel, **how)
    elif multiplies_weight_gradients(layer, inputs.shape):
        outputs = _convolve_narrow(inputs, ops.convert_to_tensor(layer.kernel))
    else:
        kernel = _ungrouped(layer.kernel, layer.groups) if _is_slow(layer) else layer.kernel
        outputs = ops.conv(inputs, kernel, **how)
    if add_bias:
        outputs = _add_bias(outputs, ops.convert_to_tensor(layer.bias))
    return layer.activation(outputs)


def _is_pointwise(layer: Any) -> bool:
    """Return whether `_convolve_pointwise` supports a layer: it is or ends in a 1x1 convolution."""
    import keras

    if not _in_tensorflow_on_cpu():
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
    return tf.reshape(outputs, (-1, *inputs.shape[1:3], filters))


def multiplies_weight_gradients(layer: Any, shape: tuple[int | None, ...]) -> bool:
    """Return whether matrix products compute a Conv2D's weight gradient faster than oneDNN.

    They do with AMX in bfloat16, for narrow images of many channels (docs/performance.md).

    Args:
        layer: The layer.
        shape: Of its inputs, (batch, Y, X, channels).
    """
    import keras

    return bool(
        type(layer) is keras.layers.Conv2D
        and layer.compute_dtype == "bfloat16"
        # A 1x1 convolution is a matrix product as a whole.
        and layer.kernel_size != (1, 1)
        and layer.strides == layer.dilation_rate == (1, 1)
        and (layer.groups, layer.padding) == (1, "same")
        and (shape[2] or NARROW + 1) <= NARROW
        and min(shape[3] or 0, layer.filters) >= MANY_CHANNELS
        and environment.unit() == "AMX"
        and _in_tensorflow_on_cpu()
    )


def _convolve_narrow(inputs: Any, kernel: Any) -> Any:
    """Convolve with stride 1 and padding ``same``; the weight gradient is by matrix products."""
    import tensorflow as tf

    @tf.custom_gradient
    def convolve(x: Any, kernel: Any) -> Any:
        def gradients(upstream: Any) -> tuple[Any, Any]:
            by_input = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(x),
                filter=kernel,
                out_backprop=upstream,
                strides=[1, 1, 1, 1],
                padding="SAME",
            )
            return by_input, _weight_gradient(x, upstream, kernel.shape)

        return tf.nn.conv2d(x, kernel, 1, "SAME"), gradients

    return convolve(inputs, kernel)


def _weight_gradient(x: Any, upstream: Any, shape: Any) -> Any:
    """Compute a convolution's weight gradient: one matrix product for each row of the kernel.

    Shifted copies of the images lie side by side as channels. With zeros above and below each
    image, a shift by rows is an offset into all rows of all images.

    Args:
        x: Inputs, (batch, Y, X, channels).
        upstream: Gradient by the outputs, (batch, Y, X, filters).
        shape: Of the kernel, (kernel Y, kernel X, channels, filters).
    """
    import tensorflow as tf

    rows, columns, channels, filters = shape
    width = x.shape[2]
    above, left = (rows - 1) // 2, (columns - 1) // 2
    x = tf.pad(x, [[0, 0], [above, rows - 1 - above], [left, columns - 1 - left], [0, 0]])
    x = tf.concat([x[:, :, shift : shift + width] for shift in range(columns)], axis=-1)
    x = tf.reshape(x, (-1, columns * channels))
    upstream = tf.pad(upstream, [[0, 0], [0, rows - 1], [0, 0], [0, 0]])
    upstream = tf.reshape(upstream, (-1, filters))
    # The last image's zeros: an offset may not reach beyond the end.
    used = tf.shape(upstream)[0] - (rows - 1) * width
    upstream = tf.transpose(upstream[:used])
    products = [tf.matmul(upstream, x[row * width : row * width + used]) for row in range(rows)]
    by_filter = tf.reshape(tf.stack(products), (rows, filters, columns, channels))
    return tf.transpose(by_filter, (0, 2, 3, 1))


def _is_slow(layer: Any) -> bool:
    """Return whether TensorFlow would take fifty times as long for a layer's gradients."""
    import keras

    grouped = type(layer) is keras.layers.Conv2D and layer.groups > 1
    return grouped and _in_tensorflow_on_cpu()


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
