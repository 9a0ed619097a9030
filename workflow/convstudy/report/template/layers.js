// What each layer computes: the products that meet in one output cell, on small arrays that count
// up as in the article. Arrays are flat, rows first, with the shapes of Keras.
"use strict";

const LAYERS = ["Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose"];

// Each layer's settings in the article's worked examples. `outputs` are filters; of a
// DepthwiseConv2D, the depth multiplier.
const PLAIN = { kernel: 3, stride: 1, dilation: 1, padding: "valid" };
const ARTICLE = {
  Conv2D: { ...PLAIN, size: 3, channels: 2, outputs: 3 },
  DepthwiseConv2D: { ...PLAIN, size: 3, channels: 2, outputs: 1 },
  SeparableConv2D: { ...PLAIN, size: 3, channels: 1, outputs: 2 },
  Conv2DTranspose: { ...PLAIN, size: 2, channels: 3, outputs: 2 },
};

// What can be chosen. Keras allows no stride together with dilation, and a transposed convolution
// is shown without dilation.
const CHOICES = {
  size: [2, 3, 4, 5],
  channels: [1, 2, 3],
  outputs: [1, 2, 3],
  kernel: [1, 2, 3],
  stride: [1, 2],
  dilation: [1, 2],
  padding: ["valid", "same"],
};

function indices(length) {
  return Array.from({ length }, (_, index) => index);
}

function countUp(length, scale = 1, first = 1) {
  return indices(length).map((index) => (index + first) * scale);
}

// The input and the kernels: 0.1, 0.2, ... and 1, 2, ...; pointwise 2, 3, ...
function numbers(layer, { size, channels, outputs, kernel }) {
  const area = kernel * kernel * channels;
  const each = layer === "SeparableConv2D" ? 1 : outputs;
  return {
    image: countUp(size * size * channels, 0.1),
    kernel: countUp(area * each),
    pointwise: layer === "SeparableConv2D" ? countUp(channels * outputs, 1, 2) : [],
  };
}

// The zeros before an axis, and the number of output positions; "same" puts an odd zero at the end.
function extent(layer, { size, kernel, stride, dilation, padding }) {
  if (layer === "Conv2DTranspose") {
    const before = padding === "same" ? Math.floor(Math.max(kernel - stride, 0) / 2) : 0;
    const whole = (size - 1) * stride + Math.max(kernel, stride);
    return { before, positions: padding === "same" ? size * stride : whole };
  }
  const reach = dilation * (kernel - 1) + 1;
  if (padding === "valid") {
    return { before: 0, positions: Math.floor((size - reach) / stride) + 1 };
  }
  const positions = Math.ceil(size / stride);
  const missing = Math.max(0, (positions - 1) * stride + reach - size);
  return { before: Math.floor(missing / 2), positions };
}

// Why these settings make no output, or "".
function refusal(layer, settings) {
  if (settings.stride > 1 && settings.dilation > 1) {
    return "Keras takes either a stride or a dilation above 1, not both.";
  }
  if (layer === "Conv2DTranspose" && settings.dilation > 1) {
    return "Conv2DTranspose is shown without dilation.";
  }
  if (extent(layer, settings).positions < 1) {
    return "The kernel is larger than the input; choose a larger input or “same”.";
  }
  return "";
}

// Number of output channels.
function depth(layer, { channels, outputs }) {
  return layer === "DepthwiseConv2D" ? channels * outputs : outputs;
}

// The kernel's positions over an output position on one axis: [kernel, input], and those that fall
// on zeros outside the input.
function meeting(layer, settings, position) {
  const { before } = extent(layer, settings);
  const { size, kernel, stride, dilation } = settings;
  const inside = [];
  let outside = 0;
  for (let at = 0; at < kernel; at += 1) {
    let source = position * stride + at * dilation - before;
    if (layer === "Conv2DTranspose") {
      // The input cell whose copy of the kernel has this number here.
      const distance = position + before - at;
      if (distance % stride) continue;
      source = distance / stride;
      if (source < 0 || source >= size) continue;
    }
    if (source < 0 || source >= size) outside += 1;
    else inside.push([at, source]);
  }
  return { inside, outside };
}

// The weight with which an input channel goes into an output channel, at a position of the kernel.
function weightAt(layer, { channels, outputs, kernel }, weights, output, channel, ky, kx) {
  const place = ky * kernel + kx;
  if (layer === "SeparableConv2D") return weights[place * channels + channel];
  if (layer === "Conv2DTranspose") return weights[(place * outputs + output) * channels + channel];
  const filter = layer === "DepthwiseConv2D" ? output % outputs : output;
  return weights[(place * channels + channel) * outputs + filter];
}

// All products in one output cell.
//
// Returns: `terms`, each with its input cell {y, x, channel, value} and its weight {ky, kx, value};
// `parts`, of a separable layer the depthwise sum of each channel with its pointwise weight;
// `zeros`, how many products fall on padding; `sum`.
function cell(layer, settings, [row, column, output]) {
  const { size, channels, outputs } = settings;
  const made = numbers(layer, settings);
  const down = meeting(layer, settings, row);
  const across = meeting(layer, settings, column);
  const sources = layer === "DepthwiseConv2D"
    ? [Math.floor(output / outputs)]
    : indices(channels);
  const terms = [];
  const parts = [];
  for (const channel of sources) {
    let sum = 0;
    for (const [ky, y] of down.inside) {
      for (const [kx, x] of across.inside) {
        const value = made.image[(y * size + x) * channels + channel];
        const weight = weightAt(layer, settings, made.kernel, output, channel, ky, kx);
        terms.push({ y, x, channel, value, ky, kx, weight });
        sum += value * weight;
      }
    }
    const pointwise =
      layer === "SeparableConv2D" ? made.pointwise[channel * outputs + output] : 1;
    parts.push({ channel, sum, pointwise });
  }
  const taps = (axis) => axis.inside.length + axis.outside;
  const met = down.inside.length * across.inside.length;
  return {
    terms,
    parts,
    zeros: (taps(down) * taps(across) - met) * sources.length,
    sum: parts.reduce((total, part) => total + part.sum * part.pointwise, 0),
  };
}

if (typeof module !== "undefined") {
  module.exports = { LAYERS, ARTICLE, CHOICES, numbers, extent, refusal, depth, cell };
}
