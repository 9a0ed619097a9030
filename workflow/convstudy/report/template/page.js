// Helpers for what is shown.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

// The page's phrases for what scripts say in English, with holes as in its catalogue.
const PHRASES = Object.entries(JSON.parse(document.getElementById("phrases")?.textContent ?? "{}")).map(
  ([english, own]) => phrase(english, own),
);

function phrase(english, own) {
  const holes = [];
  const pattern = english.split(/\{(\w+)\}/).map((part, place) => {
    if (place % 2 === 0) return part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    holes.push(part);
    return /^n\d*$/.test(part) ? "([−+-]?[\\d.,]+(?:\u202f?%)?)" : "(.+?)";
  });
  return { holes, pattern: new RegExp(`^${pattern.join("")}$`), own };
}

// Say something in the page's language.
function told(english) {
  const words = english.trim();
  if (!/[A-Za-z]{2}/.test(words)) return english;
  for (const { holes, pattern, own } of PHRASES) {
    const found = pattern.exec(words);
    if (found) {
      const filled = Object.fromEntries(holes.map((hole, place) => [hole, told(found[place + 1])]));
      return english.replace(words, () => own.replace(/\{(\w+)\}/g, (_, hole) => filled[hole]));
    }
  }
  return english;
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (name === "aria-label") node.setAttribute(name, told(value));
    else if (value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().map((child) => (typeof child === "string" ? told(child) : child)));
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

// A position on an axis of some positions, or the nearest one.
function within(place, positions) {
  return Math.max(0, Math.min(positions - 1, place));
}

// A labelled choice; calls `change` with the value chosen.
function select(name, label, values, chosen, change) {
  const options = values.map(([value, words]) =>
    element("option", { value, selected: value === chosen }, words),
  );
  const chooses = () => change(values[box.selectedIndex][0]);
  const box = element("select", { name, change: chooses }, options);
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
