/* The page: head, what is shown, and one section at a time; all of them on paper. */

import { ALL, choose, chosen, project, rows, sliced, slices, title, watch } from "./data.js";
import { choice, el, shape } from "./dom.js";
import { evidenceDialog, showEvidence } from "./evidence.js";
import { kpiSql } from "./figures.js";
import { drawFindings } from "./findings.js";
import { drawFlow } from "./flow.js";
import { drawHealth } from "./health.js";
import { drawJourneys } from "./journeys.js";
import { drawMap } from "./map.js";
import { drawPersonas } from "./personas.js";
import { count, day, duration, interval, money, named, percent, plural } from "./wording.js";

const VIEWS = [
  { id: "map", label: "Map", draw: drawMap, sliced: true, overlaid: true },
  { id: "flow", label: "Flow", draw: drawFlow, sliced: true },
  { id: "journeys", label: "Journeys", draw: drawJourneys },
  { id: "personas", label: "Personas", draw: drawPersonas },
  { id: "findings", label: "Findings", draw: drawFindings },
  { id: "health", label: "Data health", draw: drawHealth },
];
const TILES = ["customers", "journeys_started", "conversion_rate", "orders", "revenue", "average_order_value", "sessions"];

const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
const current = () => VIEWS.find((view) => `#${view.id}` === location.hash) ?? VIEWS[0];

/* Head. */

function top() {
  return el("header", { class: "top" }, el("div", { class: "wrap top-in" },
    el("a", { class: "mark", href: "#map", "aria-label": "footpath, to the map" },
      shape("svg", { viewBox: "0 0 32 32", "aria-hidden": "true" }, shape("path", { d: "M6 29C8 22 25 24 24 16S9 12 12 3" }), shape("circle", { cx: 12, cy: 3.4, r: 2.4 })),
      el("span", {}, "footpath")),
    el("nav", { "aria-label": "Sections" }, VIEWS.map((view) => el("a", { href: `#${view.id}` }, view.label))),
    el("button", { type: "button", class: "theme", "aria-label": "Switch between light and dark", onclick: () => { root.dataset.theme = isDark() ? "light" : "dark"; show(); } },
      shape("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" }, shape("circle", { cx: 10, cy: 10, r: 7 }), shape("path", { d: "M10 3a7 7 0 0 1 0 14z" })))));
}

function lede() {
  if (!project.journeys) return "No journeys yet. As soon as a source delivers events that belong to a customer, this page fills with what people did.";
  const customers = sliced("headline", ALL).find((k) => k.measure === "customers")?.value;
  return `What ${count(customers)} customers did on ${count(project.journeys)} journeys, measured from ${count(project.touchpoints)} touchpoints between ${day(project.first_journey)} and ${day(project.watermark)}.`;
}

function tiles() {
  const kpis = sliced("headline", chosen.slice);
  const others = chosen.overlay ? sliced("headline", chosen.overlay) : [];
  const currency = kpis.find((k) => k.measure === "revenue")?.unit;
  const pick = (list, measure) => {
    const found = list.filter((k) => k.measure === measure);
    return found.find((k) => k.unit === currency) ?? found[0];
  };
  const about = new Map(rows("measures").map((m) => [m.measure, m]));
  const shown = (k, value = k?.value) => !k ? "–" : k.unit === "share" ? percent(value, 1) : about.get(k.measure).kind === "money" ? money(value, k.unit) : count(value);
  const made = TILES.map((measure) => ({ measure, kpi: pick(kpis, measure), definition: about.get(measure) })).filter(({ kpi }) => kpi);
  return el("ul", { class: "tiles" }, made.map(({ measure, kpi, definition }) => el("li", {}, el("button", { type: "button", class: `tile${measure === "conversion_rate" ? " tile-lead" : ""}`, onclick: () => showEvidence({
    eyebrow: `Key figure · ${slices.get(chosen.slice).label}`, title: definition.label, words: definition.definition,
    facts: [{ label: "Value", value: shown(kpi), note: kpi.low === null ? "" : `95% interval ${shown(kpi, kpi.low)} to ${shown(kpi, kpi.high)}` },
      kpi.denominator === null ? null : { label: "Denominator", value: count(kpi.denominator), note: definition.denominator }].filter(Boolean),
    sql: [{ label: "The SQL behind it", text: kpiSql(chosen.slice, measure) }],
  }) },
    el("span", { class: "tile-label" }, definition.label),
    el("span", { class: "tile-value" }, shown(kpi)),
    chosen.overlay ? el("span", { class: "other" }, shown(pick(others, measure))) : null,
    chosen.slice === ALL && !chosen.overlay ? spark(measure, kpi.unit) : null,
    el("span", { class: "tile-note" }, kpi.unit === "share" ? `${interval(kpi.low, kpi.high)} · ${count(kpi.denominator)} ended` : "")))));
}

function spark(measure, unit) {
  const history = (period) => rows("trend").filter((r) => r.measure === measure && r.unit === unit && r.period === period);
  const months = history("month");
  const values = (months.length >= 4 ? months : history("week")).map((r) => r.value);
  if (values.length < 2) return null;
  const most = Math.max(...values) || 1;
  return shape("svg", { class: "spark", viewBox: "0 0 120 30", preserveAspectRatio: "none", role: "img", "aria-label": `by ${months.length >= 4 ? "month" : "week"}` },
    shape("polyline", { points: values.map((v, i) => `${(120 * i / (values.length - 1)).toFixed(1)},${(29 - 28 * Math.max(0, v) / most).toFixed(1)}`).join(" ") }));
}

function bar() {
  const groups = new Map();
  for (const slice of slices.values()) {
    const label = slice.segment === "all" ? "" : named(slice.segment);
    if (!groups.has(label)) groups.set(label, []);
    groups.get(label).push({ value: slice.key, label: `${slice.label} (${count(slice.journeys)})` });
  }
  const options = [...groups].map(([label, list]) => ({ label, options: list }));
  if (slices.size < 2) return null;
  const view = current();
  if (!view.sliced) return null;
  return el("section", { class: "wrap shown", "aria-label": "Slices" },
    choice("Show", options, chosen.slice, (slice) => choose({ slice, node: "" })),
    view.overlaid ? choice("Over it", [{ label: "", options: [{ value: "", label: "nothing" }] }, ...options].map((g) => ({ ...g, options: g.options.filter((o) => o.value !== chosen.slice) })), chosen.overlay, (overlay) => choose({ overlay })) : null,
    chosen.slice !== ALL || chosen.overlay ? el("button", { type: "button", class: "link", onclick: () => choose({ slice: ALL, overlay: "" }) }, "Back to all journeys") : null);
}

function foot() {
  return el("footer", { class: "wrap foot" }, el("p", {}, `Data up to ${day(project.watermark)}, ${plural(project.files, "file")} from ${plural(project.sources, "source")}. A journey ends after ${duration(project.journey_gap_s)} of silence; ${plural(project.open_journeys, "journey is", "journeys are")} still open and never counted as lost. Shares carry 95% intervals. All numbers are those of `, el("code", {}, "footpath.duckdb"), " beside this page."));
}

/* One section at a time. */

const head = el("section", { class: "head wrap", "aria-label": "Project" });
const bars = el("div", {});
const main = el("main", { class: "wrap" }, VIEWS.map((view) => el("section", { id: `${view.id}-view`, "aria-labelledby": `${view.id}-title`, hidden: true })));

function draw(view) {
  const section = document.getElementById(`${view.id}-view`);
  section.replaceChildren();
  section.hidden = false;
  view.draw(section);
}

function show() {
  const view = current();
  const focused = document.activeElement?.closest("label.choice, fieldset.switch")?.textContent.slice(0, 8);
  head.replaceChildren(...(view.id === "map" ? [el("p", { class: "eyebrow" }, "Customer journey map"), el("h1", {}, title), el("p", { class: "lede" }, lede()), project.journeys ? tiles() : ""] : [el("h1", { class: "away" }, `${title}: ${view.label.toLowerCase()}`)]));
  head.classList.toggle("head-small", view.id !== "map");
  bars.replaceChildren(bar() ?? "");
  for (const other of VIEWS) document.getElementById(`${other.id}-view`).hidden = other !== view;
  draw(view);
  document.querySelectorAll(".top nav a").forEach((a) => a.getAttribute("href") === `#${view.id}` ? a.setAttribute("aria-current", "page") : a.removeAttribute("aria-current"));
  if (focused) [...document.querySelectorAll("label.choice, fieldset.switch")].find((e) => e.textContent.startsWith(focused))?.querySelector("select, input:checked")?.focus();
}

document.getElementById("page").append(el("a", { class: "skip", href: "#map-title", onclick: (event) => { event.preventDefault(); document.getElementById(`${current().id}-title`)?.focus(); } }, "Skip to the content"), top(), head, bars, main, foot(), evidenceDialog());
document.title = `${title} · journey map`;
watch(show);
addEventListener("hashchange", () => { show(); scrollTo(0, 0); });
addEventListener("beforeprint", () => VIEWS.forEach(draw));
addEventListener("afterprint", show);
system.addEventListener("change", show);
show();
