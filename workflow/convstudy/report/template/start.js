// Without scripts, the page's pictures and tables stand alone.
"use strict";

const SHOWN = {
  links: () => {},
  explorer: showExplorer,
  tradeoff: showTradeoff,
};
for (const root of document.querySelectorAll("[data-interactive]")) {
  const data = root.querySelector("script");
  root.hidden = false;
  SHOWN[root.dataset.interactive](root, data && JSON.parse(data.textContent));
}
