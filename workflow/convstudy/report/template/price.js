// Which module has the lowest objective for a price: the test error plus a penalty on what the
// module costs, in points of test error for the module of median cost.
"use strict";

// Slider steps: 0 is no penalty, STUDY the study's own weight, and twenty steps a factor of ten.
const STUDY = 41;
const STEPS = 61;
const A_DECADE = 20;

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// The points of a step of the slider, given those of the study's weight.
function pointsAt(step, study) {
  return step ? study * 10 ** ((step - STUDY) / A_DECADE) : 0;
}

// The modules by increasing objective, each with it, in points. Of equal ones, the smaller is first.
function ranked(modules, cost, points) {
  const middle = median(modules.map((module) => module[cost]));
  return modules
    .map((module) => ({
      ...module,
      objective: 100 * (1 - module.accuracy) + (points * module[cost]) / middle,
    }))
    .sort((one, other) => one.objective - other.objective || one[cost] - other[cost]);
}

// How many others' intervals of the objective overlap the first one's, or null without intervals.
// The price is exact, so an interval is as wide as that of the accuracy.
function overlapping([first, ...others]) {
  if (first.low === null) return null;
  const highest = first.objective + 100 * (first.accuracy - first.low);
  const lowest = (one) => one.objective - 100 * (one.high - one.accuracy);
  return others.filter((one) => one.low !== null && lowest(one) <= highest).length;
}

if (typeof module !== "undefined") {
  module.exports = { STUDY, STEPS, median, pointsAt, ranked, overlapping };
}
