// Helpers for what is shown.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat());
  return node;
}

function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function drawn(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

// Up to four decimals, without a trail of zeros or binary rounding.
function plain(value) {
  return String(Number(value.toFixed(4))).replace("-", "−");
}

function grouped(value) {
  return Math.round(value).toLocaleString("en");
}

function percent(value) {
  return `${(100 * value).toFixed(1)}\u202f%`;
}

// A labelled choice; calls `change` with the value chosen.
function select(label, values, chosen, change) {
  const options = values.map(([value, words]) =>
    element("option", { value, selected: value === chosen }, words),
  );
  const box = element("select", { change: () => change(values[box.selectedIndex][0]) }, options);
  return element("label", {}, `${label} `, box);
}

// Make keys and Escape work within a figure that is one tab stop. `keys` maps a key to an action.
function withKeys(node, keys) {
  node.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") node.blur();
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  });
}
