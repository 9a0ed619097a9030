"use strict";
const assert = require("node:assert/strict");
const path = require("node:path");
const test = require("node:test");

const { STEPS, STUDY, median, overlapping, pointsAt, ranked } = require(
  path.join(process.env.SCRIPTS, "price.js"),
);

const MODULES = [
  { name: "large", accuracy: 0.9, parameters: 300 },
  { name: "middle", accuracy: 0.8, parameters: 100 },
  { name: "small", accuracy: 0.7, parameters: 20 },
];
const names = (points) => ranked(MODULES, "parameters", points).map((one) => one.name);

test("without a penalty, accuracy decides; with a high one, size does", () => {
  assert.deepEqual(names(0), ["large", "middle", "small"]);
  assert.deepEqual(names(8), ["middle", "small", "large"]);
  assert.deepEqual(names(50), ["small", "middle", "large"]);
});

test("the objective is the error in points plus the price", () => {
  const [first] = ranked(MODULES, "parameters", 8);
  assert.ok(Math.abs(first.objective - 28) < 1e-9);
});

test("of equal objectives, the smaller comes first", () => {
  const equal = [
    { name: "more", accuracy: 0.5, parameters: 2 },
    { name: "less", accuracy: 0.5, parameters: 1 },
  ];
  assert.equal(ranked(equal, "parameters", 0)[0].name, "less");
});

test("the slider begins without a penalty and has the study's weight exactly", () => {
  assert.equal(pointsAt(0, 3), 0);
  assert.equal(pointsAt(STUDY, 3), 3);
  for (let step = 1; step <= STEPS; step += 1) assert.ok(pointsAt(step, 3) > pointsAt(step - 1, 3));
});

test("the median of an even number is between the two in the middle", () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test("intervals of the objective overlap, not those of the accuracy", () => {
  const within = (name, accuracy, parameters) =>
    ({ name, accuracy, parameters, low: accuracy - 0.02, high: accuracy + 0.02 });
  const modules = [within("large", 0.9, 300), within("middle", 0.8, 100), within("small", 0.7, 20)];
  const near = (points) => overlapping(ranked(modules, "parameters", points));
  assert.equal(near(0), 0);
  // Objectives 28, 31.6 and 34.
  assert.equal(near(8), 1);
  assert.equal(overlapping([{ low: null }, ...modules]), null);
});
