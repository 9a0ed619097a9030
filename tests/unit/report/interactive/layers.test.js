"use strict";
const assert = require("node:assert/strict");
const path = require("node:path");
const test = require("node:test");

const FOLDER = process.env.SCRIPTS;
const { LAYERS, ARTICLE, CHOICES, cell, depth, extent, refusal } = require(
  path.join(FOLDER, "layers.js"),
);

test("the article's numbers", () => {
  const near = (layer, place, expected) =>
    assert.ok(Math.abs(cell(layer, ARTICLE[layer], place).sum - expected) < 1e-9);
  near("Conv2D", [0, 0, 0], 598.5);
  near("DepthwiseConv2D", [0, 0, 0], 96.9);
  near("SeparableConv2D", [0, 0, 1], 85.5);
  near("Conv2DTranspose", [0, 1, 0], 8.2);
});

test("a separable sum names each channel's part", () => {
  const { parts, terms } = cell("SeparableConv2D", ARTICLE.SeparableConv2D, [0, 0, 1]);
  assert.deepEqual(parts, [{ channel: 0, sum: 28.5, pointwise: 3 }]);
  assert.equal(terms.length, 9);
});

test("padding counts the products that fall on zeros", () => {
  const settings = { ...ARTICLE.Conv2D, padding: "same" };
  const corner = cell("Conv2D", settings, [0, 0, 0]);
  assert.equal(corner.terms.length, 8);
  assert.equal(corner.zeros, 10);
  assert.equal(cell("Conv2D", settings, [1, 1, 0]).zeros, 0);
});

test("every choice has cells or a reason", () => {
  const keys = Object.keys(CHOICES);
  const every = keys.reduce(
    (all, key) => all.flatMap((one) => CHOICES[key].map((value) => ({ ...one, [key]: value }))),
    [{}],
  );
  for (const layer of LAYERS) {
    for (const settings of every) {
      if (refusal(layer, settings)) continue;
      const last = extent(layer, settings).positions - 1;
      const { sum } = cell(layer, settings, [last, last, depth(layer, settings) - 1]);
      assert.ok(Number.isFinite(sum));
    }
  }
  assert.match(refusal("Conv2D", { ...ARTICLE.Conv2D, size: 2 }), /larger than the input/);
  assert.match(refusal("Conv2D", { ...ARTICLE.Conv2D, stride: 2, dilation: 2 }), /either/);
});
