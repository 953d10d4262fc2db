/* Charts: ECharts in the page's colours, and small drawings of our own. */

import { shape } from "./dom.js";

const drawn = new Set();

/** A colour of the style sheet. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Draw a chart into an element that is in the page; `onclick` is told what was clicked. */
export function chart(container, description, option, onclick) {
  for (const other of drawn) {
    if (!other.getDom().isConnected) { other.dispose(); drawn.delete(other); }
  }
  const made = globalThis.echarts.init(container, null, { renderer: "svg" });
  drawn.add(made);
  made.setOption({
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: colour("--ink") },
    ...option,
    tooltip: { backgroundColor: colour("--card"), borderColor: colour("--line"), textStyle: { color: colour("--ink") }, confine: true, ...option.tooltip },
  });
  if (onclick) made.on("click", onclick);
  container.setAttribute("role", "img");
  container.setAttribute("aria-label", description);
}

addEventListener("resize", () => drawn.forEach((made) => { if (made.getDom().isConnected) made.resize(); }));

/** A share with its interval on a line from 0 to 1, and what it is held against. */
export function spread({ measured: value, measured_low: low, measured_high: high, baseline }) {
  const x = (v) => (200 * v).toFixed(1);
  return shape("svg", { class: "bar", viewBox: "0 0 200 16", preserveAspectRatio: "none", "aria-hidden": "true" },
    shape("line", { class: "bar-rail", x1: 0, y1: 8, x2: 200, y2: 8 }),
    low === null || low === undefined ? null : shape("rect", { class: "bar-range", x: x(low), y: 4.5, width: x(high - low), height: 7 }),
    baseline === null || baseline === undefined ? null : shape("line", { class: "bar-base", x1: x(baseline), y1: 0, x2: x(baseline), y2: 16 }),
    shape("line", { class: "bar-value", x1: x(value), y1: 1.5, x2: x(value), y2: 14.5 }));
}

