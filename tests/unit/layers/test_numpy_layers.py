"""Tests of the NumPy layers against other formulas and against algebraic identities."""

import numpy as np
import pytest
from convstudy.layers import numpy_layers
from hypothesis import given
from hypothesis import strategies as st

options = st.fixed_dictionaries(
    {
        "stride": st.integers(1, 3),
        "dilation": st.integers(1, 2),
        "padding": st.sampled_from(["valid", "same"]),
    }
)
sizes = st.tuples(st.integers(1, 2), st.integers(5, 9), st.integers(5, 9), st.integers(1, 3))
kernels = st.tuples(st.integers(1, 3), st.integers(1, 3))
seeds = st.integers(0, 2**32 - 1)


def arrays(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def by_shifted_images(image, kernel, stride, dilation, padding):
    """Convolve as a sum over the kernel's taps of shifted, strided images."""
    tall, wide = kernel.shape[:2]
    reach = [dilation * (size - 1) + 1 for size in (tall, wide)]
    pads = [(0, 0), (0, 0), (0, 0), (0, 0)]
    if padding == "same":
        for axis in (1, 2):
            outputs = -(-image.shape[axis] // stride)
            missing = max(0, (outputs - 1) * stride + reach[axis - 1] - image.shape[axis])
            pads[axis] = (missing // 2, missing - missing // 2)
    image = np.pad(image, pads)
    height, width = ((image.shape[axis] - reach[axis - 1]) // stride + 1 for axis in (1, 2))
    total = 0
    for y in range(tall):
        for x in range(wide):
            rows = slice(y * dilation, y * dilation + (height - 1) * stride + 1, stride)
            columns = slice(x * dilation, x * dilation + (width - 1) * stride + 1, stride)
            total = total + np.einsum("byxn,nm->byxm", image[:, rows, columns], kernel[y, x])
    return total


@given(sizes, kernels, st.integers(1, 3), options, seeds)
def test_conv2d_is_a_sum_of_shifted_images(size, kernel, filters, options, seed):
    image, weights = arrays(seed, size, (*kernel, size[-1], filters))
    expected = by_shifted_images(image, weights, **options)
    np.testing.assert_allclose(numpy_layers.conv2d(image, weights, **options), expected, atol=1e-12)


@given(sizes, kernels, st.integers(1, 2), options, seeds)
def test_depthwise_is_conv2d_channel_by_channel(size, kernel, multiplier, options, seed):
    image, weights = arrays(seed, size, (*kernel, size[-1], multiplier))
    expected = np.concatenate(
        [
            numpy_layers.conv2d(image[..., [n]], weights[:, :, [n]], **options)
            for n in range(size[-1])
        ],
        axis=-1,
    )
    actual = numpy_layers.depthwise_conv2d(image, weights, **options)
    np.testing.assert_allclose(actual, expected, atol=1e-12)


@given(sizes, kernels, options, seeds)
def test_separable_is_conv2d_with_the_product_of_its_kernels(size, kernel, options, seed):
    image, depthwise, pointwise = arrays(seed, size, (*kernel, size[-1], 1), (1, 1, size[-1], 2))
    expected = numpy_layers.conv2d(image, depthwise * pointwise, **options)
    actual = numpy_layers.separable_conv2d(image, depthwise, pointwise, **options)
    np.testing.assert_allclose(actual, expected, atol=1e-12)


@given(sizes, st.integers(1, 3), st.integers(1, 3), st.sampled_from(["valid", "same"]), seeds)
def test_transpose_is_the_adjoint(size, kernel, stride, padding, seed):
    # Sizes that the strides divide evenly, so that no row is left over.
    height = kernel + 2 * stride if padding == "valid" else 3 * stride
    if padding == "valid" and stride > kernel:
        height += stride - kernel
    image, weights = arrays(
        seed, (size[0], height, height, size[-1]), (kernel, kernel, size[-1], 2)
    )
    convolved = numpy_layers.conv2d(image, weights, stride, 1, padding)
    [other] = arrays(seed + 1, convolved.shape)
    back = numpy_layers.conv2d_transpose(other, weights, stride, padding)
    seen = image[:, : back.shape[1], : back.shape[2]]
    assert np.sum(convolved * other) == pytest.approx(np.sum(seen * back), abs=1e-9)


@given(sizes, seeds)
def test_a_kernel_with_a_single_one_in_its_middle_changes_nothing(size, seed):
    [image] = arrays(seed, size)
    kernel = np.zeros((3, 3, size[-1], 1))
    kernel[1, 1] = 1
    np.testing.assert_array_equal(
        numpy_layers.depthwise_conv2d(image, kernel, padding="same"), image
    )
