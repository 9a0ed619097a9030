// The chart of parameters against accuracy, with a slider for the penalty's weight.
"use strict";

const WIDE = { width: 720, height: 400, left: 58, right: 16, top: 18, bottom: 48 };
const NARROW = { width: 380, height: 360, left: 52, right: 12, top: 18, bottom: 48 };
// By Matplotlib's names of markers.
const SHAPES = {
  o: "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0z",
  "^": "M0,-6L6,5L-6,5z",
  s: "M-5,-5H5V5H-5z",
  D: "M0,-6.5L6.5,0L0,6.5L-6.5,0z",
  v: "M0,6L6,-5L-6,-5z",
  P: "M-2,-6H2V-2H6V2H2V6H-2V2H-6V-2H-2z",
  "*": "M0,-7L2,-2L7,-2L3,1L4.5,6L0,3L-4.5,6L-3,1L-7,-2L-2,-2z",
  p: "M0,-6L6,-1.5L3.5,5.5H-3.5L-6,-1.5z",
  X: "M-5,-2L-2,-5L0,-3L2,-5L5,-2L3,0L5,2L2,5L0,3L-2,5L-5,2L-3,0z",
};
const COSTS = { parameters: "parameters", macs: "MACs", latency: "latency, ms" };

// Round numbers between two, about as many as asked for.
function ticks(low, high, number) {
  const raw = (high - low) / number;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= raw);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + 1e-12; at += step) found.push(at);
  return found;
}

function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const factor of [1, 2, 5]) found.push(factor * 10 ** power);
  }
  return found.filter((one) => one >= low && one <= high);
}

function short(value) {
  if (value >= 1e6) return `${value / 1e6} M`;
  return value >= 1e3 ? `${value / 1e3} k` : String(value);
}

// Two digits, and no powers of ten.
function rough(value) {
  return value < 100 ? String(Number(value.toPrecision(2))) : grouped(Number(value.toPrecision(2)));
}

function showTradeoff(root, data) {
  const modules = [...data.modules].sort((one, other) => one.parameters - other.parameters);
  const costs = Object.keys(COSTS).filter((cost) => modules.every((module) => module[cost] > 0));
  let cost = costs[0];
  let step = STUDY;
  let focused = null;

  const size = root.clientWidth < 560 ? NARROW : WIDE;
  const reach = (pick) => modules.map(pick);
  const lowest = Math.min(...reach((one) => one.low ?? one.accuracy));
  const highest = Math.max(...reach((one) => one.high ?? one.accuracy));
  const spare = 0.06 * (highest - lowest || 0.1);
  const smallest = Math.min(...reach((one) => one.parameters)) / 1.15;
  const largest = Math.max(...reach((one) => one.parameters)) * 1.15;
  const x = (parameters) =>
    size.left +
    ((size.width - size.left - size.right) * Math.log(parameters / smallest)) /
      Math.log(largest / smallest);
  const y = (accuracy) =>
    size.height -
    size.bottom -
    ((size.height - size.top - size.bottom) * (accuracy - lowest + spare)) /
      (highest - lowest + 2 * spare);

  const points = () => pointsAt(step, data.points);
  const slider = element("input", {
    type: "range",
    min: 0,
    max: STEPS,
    value: step,
    id: "penalty-weight",
    input: () => weigh(Number(slider.value)),
  });
  const value = element("output", { for: "penalty-weight" });
  const readout = element("p", { class: "readout", "aria-live": "polite" });
  const winner = drawn("g", { class: "winner" });
  const pointed = drawn("circle", { class: "pointed", r: 11, visibility: "hidden" });
  const order = element("tbody");
  const svg = drawn("svg", {
    viewBox: `0 0 ${size.width} ${size.height}`,
    tabindex: "0",
    role: "application",
    "aria-label":
      `Parameters and accuracy of ${modules.length} modules. Left and right arrow keys go from` +
      " one to the next by parameters, up and down by objective.",
  });
  svg.append(...axes(), ...modules.map(point), winner, pointed);

  function axes() {
    const bottom = size.height - size.bottom;
    const lines = [
      drawn("path", { class: "axis", d: `M${size.left},${size.top}V${bottom}H${size.width - size.right}` }),
    ];
    for (const one of logTicks(smallest, largest)) {
      lines.push(
        drawn("path", { class: "axis", d: `M${x(one)},${bottom}v5` }),
        drawn("text", { x: x(one), y: bottom + 19, "text-anchor": "middle" }, short(one)),
      );
    }
    for (const one of ticks(lowest - spare, highest + spare, 6)) {
      lines.push(
        drawn("path", { class: "grid", d: `M${size.left},${y(one)}H${size.width - size.right}` }),
        drawn("text", { x: size.left - 8, y: y(one) + 4, "text-anchor": "end" }, `${plain(100 * one)} %`),
      );
    }
    const middle = (size.left + size.width - size.right) / 2;
    const label = { x: middle, y: size.height - 8, "text-anchor": "middle" };
    lines.push(
      drawn("text", label, "parameters (logarithmic)"),
      drawn("text", { x: size.left + 8, y: size.top + 4 }, "test accuracy"),
    );
    return lines;
  }

  function point(module) {
    const place = `translate(${x(module.parameters)},${y(module.accuracy)})`;
    const parts = [];
    if (module.low !== null) {
      const [from, to] = [y(module.low), y(module.high)];
      parts.push(drawn("path", { class: "interval", d: `M${x(module.parameters)},${from}V${to}` }));
    }
    const look = data.looks[module.look];
    if (module.notes.length) {
      parts.push(drawn("circle", { class: "noted", r: 8.5, transform: place }));
    }
    parts.push(drawn("path", { d: SHAPES[look.marker], fill: look.colour, transform: place }));
    return drawn("g", {}, parts);
  }

  function said(module) {
    const interval =
      module.low === null
        ? " (one training, no interval)"
        : ` (95 % interval ${percent(module.low)} to ${percent(module.high)})`;
    const rank = ranked(modules, cost, points()).findIndex((one) => one.name === module.name) + 1;
    const also = cost === "parameters" ? "" : `${amount(module)} ${COSTS[cost]}, `;
    return `${module.name}: ${grouped(module.parameters)} parameters, ${also}accuracy ${percent(module.accuracy)}${interval}, rank ${rank} of ${modules.length} at this weight.`;
  }

  function amount(module) {
    return cost === "latency" ? module.latency.toPrecision(3) : grouped(module[cost]);
  }

  function weigh(to) {
    step = to;
    slider.value = String(to);
    leave();
  }

  function leave() {
    focused = null;
    pointed.setAttribute("visibility", "hidden");
    show();
  }

  function pick(module) {
    focused = module;
    pointed.setAttribute("cx", x(module.parameters));
    pointed.setAttribute("cy", y(module.accuracy));
    pointed.setAttribute("visibility", "visible");
    readout.textContent = told(said(module));
  }

  function neighbour(sorted, by) {
    const place = focused ? sorted.findIndex((one) => one.name === focused.name) : -by;
    pick(sorted[within(place + by, sorted.length)]);
  }

  withKeys(svg, {
    ArrowRight: () => neighbour(modules, 1),
    ArrowLeft: () => neighbour(modules, -1),
    ArrowDown: () => neighbour(ranked(modules, cost, points()), 1),
    ArrowUp: () => neighbour(ranked(modules, cost, points()), -1),
    Home: () => pick(modules[0]),
    End: () => pick(modules[modules.length - 1]),
  });
  function nearest(event) {
    const box = svg.getBoundingClientRect();
    const scale = size.width / box.width;
    const [left, top] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    const far = (one) => Math.hypot(x(one.parameters) - left, y(one.accuracy) - top);
    const found = modules.reduce((best, one) => (far(one) < far(best) ? one : best));
    if (far(found) < 30) pick(found);
  }
  // A finger that is lifted leaves, too, but what it chose stays.
  svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && leave());
  svg.addEventListener("blur", leave);
  svg.addEventListener("pointermove", nearest);
  svg.addEventListener("pointerdown", nearest);

  function mark(module, label) {
    const [left, top] = [x(module.parameters), y(module.accuracy)];
    const place = { x: left, y: top - 15 };
    const anchor = left > 0.75 * size.width ? "end" : left < 0.25 * size.width ? "start" : "middle";
    return [
      drawn("circle", { cx: left, cy: top, r: 10 }),
      drawn("text", { ...place, "text-anchor": anchor, "paint-order": "stroke" }, label),
    ];
  }

  function show() {
    const sorted = ranked(modules, cost, points());
    const first = sorted[0];
    const same = step === STUDY ? `, ${data.weighed}` : "";
    const amounts = cost === "latency" ? "latency" : `number of ${COSTS[cost]}`;
    value.textContent = told(
      step ? `${rough(points())} points for the median ${amounts}${same}` : "none: accuracy alone",
    );
    winner.replaceChildren(...mark(first, `lowest objective: ${first.letters}`));
    order.replaceChildren(
      ...sorted.map((module, index) =>
        element(
          "tr",
          index ? {} : { class: "first-row" },
          element("td", { class: "number wide-only" }, String(index + 1)),
          element("th", { scope: "row" }, module.letters, articles(module)),
          element("td", { class: "number" }, module.objective.toFixed(1)),
          element("td", { class: "number" }, percent(module.accuracy)),
          element("td", { class: "number" }, amount(module)),
        ),
      ),
    );
    head.replaceChildren(told(COSTS[cost]));
    readout.textContent = told(focused ? said(focused) : best(sorted));
  }

  function best(sorted) {
    const [first] = sorted;
    const near = overlapping(sorted);
    const among =
      near === null
        ? ""
        : near
          ? ` The 95 % intervals of ${near} of ${sorted.length - 1} others overlap its own.`
          : " No other 95 % interval overlaps its own.";
    return `${first.name} has the lowest objective, ${first.objective.toFixed(1)} points.${among}`;
  }

  function articles(module) {
    return module.notes.map((words) => element("small", {}, ` ${words}`));
  }

  const head = element("th", { scope: "col", class: "number" });
  const heads = [
    ["rank", "number wide-only"],
    ["module", ""],
    ["objective", "number"],
    ["accuracy", "number"],
  ].map(([words, look]) => element("th", { scope: "col", class: look }, words));
  const buttons = [
    ["accuracy alone", 0],
    [data.weighed, STUDY],
  ].map(([words, to]) =>
    element(
      "button",
      {
        type: "button",
        click: () => weigh(to),
      },
      words,
    ),
  );
  const legend = data.looks
    .filter((_, index) => modules.some((module) => module.look === index))
    .map((look) =>
      element(
        "li",
        {},
        drawn("svg", { viewBox: "-8 -8 16 16", width: 16, height: 16, "aria-hidden": "true" }, [
          drawn("path", { d: SHAPES[look.marker], fill: look.colour }),
        ]),
        ` ${look.label}`,
      ),
    );
  if (modules.some((module) => module.notes.length)) {
    legend.push(
      element(
        "li",
        {},
        drawn("svg", { viewBox: "-10 -10 20 20", width: 16, height: 16, "aria-hidden": "true" }, [
          drawn("circle", { class: "noted", r: 8.5 }),
        ]),
        " the article’s two best",
      ),
    );
  }
  const choices = costs.map((name) => [name, COSTS[name]]);
  root.append(
    element(
      "div",
      { class: "controls" },
      select("cost", "penalty on", choices, cost, (name) => {
        cost = name;
        show();
      }),
      element("label", { for: "penalty-weight" }, "its weight"),
      slider,
      value,
      element("div", {}, buttons),
    ),
    element("div", { class: "chart" }, svg, element("ul", { class: "legend" }, legend)),
    readout,
    element(
      "div",
      { class: "scroll order", tabindex: "0", role: "region", "aria-label": "Modules by objective" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, heads, head)),
        order,
      ),
    ),
  );
  show();
}
