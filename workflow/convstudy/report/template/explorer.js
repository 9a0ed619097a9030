// The explorer: one layer on small numbers, and the products that meet in one output cell.
"use strict";

const SAID = {
  size: "input size",
  channels: "input channels",
  outputs: "filters",
  kernel: "kernel",
  stride: "stride",
  dilation: "dilation",
  padding: "padding",
};
const MEANS = {
  Conv2D: "Every filter covers all input channels, and all products are summed.",
  DepthwiseConv2D: "Each channel has its own kernel; channels are not summed.",
  SeparableConv2D: "A kernel for each channel, then a weighted sum over the channels.",
  Conv2DTranspose: "Each input cell lays its copy of the kernel; where copies overlap, they add up.",
};

function showExplorer(root) {
  let layer = "Conv2D";
  let settings = { ...ARTICLE[layer] };
  let isArticle = true;
  let at = [0, 0, 0];
  let cells = new Map();

  const controls = element("div", { class: "controls" });
  const stage = element("div", { class: "stage" });
  const sum = element("div", { class: "sum", "aria-live": "polite" });
  root.append(controls, stage);

  // A grid of numbers; `name` gives the key under which a cell is found again. `go` is called with
  // the row and column of a cell that is pointed at.
  function grid(label, size, value, name, go = null) {
    const rows = indices(size).map((row) =>
      element(
        "tr",
        {},
        indices(size).map((column) => {
          const chosen = go ? () => go(row, column) : false;
          const box = element("td", { pointerenter: chosen, click: chosen }, plain(value(row, column)));
          cells.set(name(row, column), box);
          return box;
        }),
      ),
    );
    return element("table", {}, element("caption", {}, label), element("tbody", {}, rows));
  }

  function panel(title, tables, attributes = {}) {
    const box = element("div", { class: "panel", ...attributes }, tables);
    return element("div", {}, element("p", { class: "panel-title" }, title), box);
  }

  function choose(change) {
    const { article, ...changed } = change;
    layer = changed.layer ?? layer;
    isArticle = article ?? (isArticle && "layer" in changed);
    // Settings of one's own stay, so that layers can be compared.
    settings = isArticle ? { ...ARTICLE[layer] } : { ...settings, ...changed };
    if (isArticle) at = layer === "Conv2DTranspose" ? [0, 1, 0] : [0, 0, 0];
    show();
  }

  function showControls() {
    const focused = controls.contains(document.activeElement) && document.activeElement.name;
    const layers = LAYERS.map((name) =>
      element(
        "label",
        {},
        element("input", {
          type: "radio",
          name: "explored-layer",
          value: name,
          checked: name === layer,
          change: () => choose({ layer: name }),
        }),
        name,
      ),
    );
    const choices = Object.entries(CHOICES).map(([key, values]) => {
      const label =
        key === "outputs" && layer === "DepthwiseConv2D" ? "depth multiplier" : SAID[key];
      const words = (value) =>
        ["size", "kernel"].includes(key) ? `${value} × ${value}` : String(value);
      return select(
        key,
        label,
        values.map((value) => [value, words(value)]),
        settings[key],
        (value) => choose({ [key]: value }),
      );
    });
    controls.replaceChildren(
      element("fieldset", {}, element("legend", {}, "Layer"), layers),
      element(
        "div",
        { class: "settings" },
        choices,
        element(
          "button",
          { type: "button", name: "article", click: () => choose({ article: true }) },
          "The article’s numbers",
        ),
      ),
    );
    if (focused === "explored-layer") controls.querySelector("input:checked").focus();
    else if (focused) controls.querySelector(`[name="${focused}"]`).focus();
  }

  function show() {
    showControls();
    cells = new Map();
    const refused = refusal(layer, settings);
    if (refused) {
      stage.replaceChildren(sum);
      sum.replaceChildren(element("p", {}, refused));
      return;
    }
    const { size, channels } = settings;
    const made = numbers(layer, settings);
    const { positions } = extent(layer, settings);
    const sizes = [positions, positions, depth(layer, settings)];
    at = at.map((place, axis) => within(place, sizes[axis]));
    const inputs = indices(channels).map((channel) =>
      grid(
        `channel ${channel + 1}`,
        size,
        (y, x) => made.image[(y * size + x) * channels + channel],
        (y, x) => `input ${y} ${x} ${channel}`,
      ),
    );
    const outputs = indices(sizes[2]).map((output) =>
      grid(
        `channel ${output + 1}`,
        positions,
        (row, column) => cell(layer, settings, [row, column, output]).sum,
        (row, column) => `output ${row} ${column} ${output}`,
        (row, column) => move([row, column, output]),
      ),
    );
    const chart = panel("Output: choose a cell", outputs, {
      tabindex: "0",
      role: "application",
      "aria-label": "Output cells. Arrow keys move, Page Up and Page Down change the channel.",
    });
    chart.classList.add("outputs");
    const area = chart.querySelector(".panel");
    const step = (axis, by) => () => {
      const next = [...at];
      next[axis] = within(next[axis] + by, sizes[axis]);
      move(next);
      cells.get(`output ${next.join(" ")}`).scrollIntoView({ block: "nearest", inline: "nearest" });
    };
    withKeys(area, {
      ArrowUp: step(0, -1),
      ArrowDown: step(0, 1),
      ArrowLeft: step(1, -1),
      ArrowRight: step(1, 1),
      Home: step(1, -positions),
      End: step(1, positions),
      PageUp: step(2, -1),
      PageDown: step(2, 1),
    });
    stage.replaceChildren(
      panel("Input", inputs),
      element("div", { class: "kernels" }),
      chart,
      sum,
    );
    move(at);
  }

  function move(place) {
    at = place;
    const found = cell(layer, settings, at);
    const { kernel } = numbers(layer, settings);
    const sources = found.parts.map((part) => part.channel);
    // Only the kernel of this output channel is shown.
    const weight = (channel) => (ky, kx) =>
      weightAt(layer, settings, kernel, at[2], channel, ky, kx);
    const tables = sources.map((channel) =>
      grid(
        layer === "SeparableConv2D" ? `depthwise, channel ${channel + 1}` : `channel ${channel + 1}`,
        settings.kernel,
        weight(channel),
        (ky, kx) => `kernel ${ky} ${kx} ${channel}`,
      ),
    );
    if (layer === "SeparableConv2D") {
      const weights = found.parts.map((part) => element("td", { class: "meets" }, plain(part.pointwise)));
      tables.push(
        element(
          "table",
          {},
          element("caption", {}, "pointwise"),
          element("tbody", {}, element("tr", {}, weights)),
        ),
      );
    }
    stage
      .querySelector(".kernels")
      .replaceChildren(panel(`Kernel for output channel ${at[2] + 1}`, tables));
    for (const box of cells.values()) box.classList.remove("meets", "chosen");
    for (const term of found.terms) {
      cells.get(`input ${term.y} ${term.x} ${term.channel}`).classList.add("meets");
      cells.get(`kernel ${term.ky} ${term.kx} ${term.channel}`).classList.add("meets");
    }
    cells.get(`output ${at.join(" ")}`).classList.add("chosen");
    sum.replaceChildren(...written(found));
  }

  // The sum in lines: one for each channel, and one that adds them up.
  function written(found) {
    const where = `Row ${at[0] + 1}, column ${at[1] + 1}, channel ${at[2] + 1}`;
    const lines = found.parts.map((part) => {
      const own = found.terms.filter((term) => term.channel === part.channel);
      const products = own.map((term) => `${plain(term.value)} × ${plain(term.weight)}`);
      const from = found.parts.length > 1 ? `channel ${part.channel + 1}: ` : "";
      return element("p", {}, `${from}${products.join(" + ") || "nothing"} = ${plain(part.sum)}`);
    });
    const separable = layer === "SeparableConv2D";
    if (separable || found.parts.length > 1) {
      const added = found.parts.map((part) =>
        separable ? `${plain(part.sum)} × ${plain(part.pointwise)}` : plain(part.sum),
      );
      const what = separable ? "pointwise" : "sum of the channels";
      lines.push(element("p", {}, `${what}: ${added.join(" + ")} = ${plain(found.sum)}`));
    }
    if (found.zeros) {
      const products = found.zeros === 1 ? "product falls" : "products fall";
      lines.push(
        element("p", { class: "zeros" }, `${found.zeros} more ${products} on the zeros of the padding.`),
      );
    }
    const title = element("p", { class: "cell" }, `${where}: `, element("strong", {}, plain(found.sum)));
    return [title, element("p", { class: "zeros" }, MEANS[layer]), ...lines];
  }

  choose({ article: true });
}
