/* The page: head, what is shown, and one section at a time; all of them on paper. */

import { ALL, choose, chosen, people, project, rows, sliced, slices, title, watch } from "./data.js";
import { choice, el, shape } from "./dom.js";
import { evidenceDialog, showEvidence } from "./evidence.js";
import { kpiSql } from "./figures.js";
import { drawFindings } from "./findings.js";
import { drawFlow } from "./flow.js";
import { drawHealth } from "./health.js";
import { drawJourneys } from "./journeys.js";
import { drawMap } from "./map.js";
import { drawPersonas } from "./personas.js";
import { personTiles, subject } from "./person.js";
import { count, day, duration, fromTo, interval, money, named, percent, plural, span } from "./wording.js";

const VIEWS = [
  { id: "map", label: "Map", draw: drawMap, sliced: true, overlaid: true },
  { id: "flow", label: "Flow", draw: drawFlow, sliced: true },
  { id: "journeys", label: "Journeys", draw: drawJourneys },
  { id: "personas", label: "Personas", draw: drawPersonas },
  { id: "findings", label: "Findings", draw: drawFindings },
  { id: "health", label: "Data health", draw: drawHealth },
];
const TILES = ["customers", "journeys_started", "conversion_rate", "orders", "revenue", "average_order_value", "sessions"];
const MORE_TILES = ["time_to_convert", "repeat_rate", "retention_rate", "first_contact_resolution", "csat", "nps"];
const BESIDE = { time_to_convert: [["converted_at_once", "at once"], ["time_to_convert_in_steps", "in several steps"]] };
const OF = { conversion_rate: "ended", average_order_value: "orders", time_to_convert: "converted", repeat_rate: "customers", retention_rate: "customers", first_contact_resolution: "contacts", csat: "answers", nps: "answers" };

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
  const { label, journeys } = slices.get(chosen.slice);
  const customers = sliced("headline", chosen.slice).find((k) => k.measure === "customers")?.value;
  const who = customers === undefined ? "what happened" : `what ${plural(customers, subject)} did`;
  const touchpoints = sliced("map_cells", chosen.slice).reduce((sum, c) => sum + c.touchpoints, 0);
  const part = (n, whole, one) => chosen.slice === ALL ? plural(n, one) : `${count(n)} of all ${plural(whole, one)}`;
  const when = chosen.slice === ALL ? ` between ${day(project.first_journey)} and ${day(project.watermark)}` : "";
  const told = `${chosen.slice === ALL ? who : `${label}: ${who}`} on ${part(journeys, project.journeys, "journey")}, measured from ${part(touchpoints, project.touchpoints, "touchpoint")}${when}.`;
  const other = chosen.overlay ? slices.get(chosen.overlay) : null;
  return `${told[0].toUpperCase()}${told.slice(1)}${other ? ` Over it ${other.label}: ${plural(other.journeys, "journey")}.` : ""}${chosen.person ? " Shown is one of them." : ""}`;
}

/* A key figure in its unit: satisfaction of 100, time in its largest unit. */
function figure(kind, kpi, value = kpi.value, more = 0) {
  if (kpi.unit === "share") return percent(value, 1 + more);
  if (kind === "money") return money(value, kpi.unit);
  if (kind === "seconds") return duration(value);
  if (kind === "score") return (kpi.measure === "nps" ? value : 100 * value).toFixed(more).replace("-", "−");
  return count(value);
}

/* Its 95% interval; empty if there is none. */
function range(kind, kpi) {
  const told = fromTo((value, more) => figure(kind, kpi, value, more), kpi.low, kpi.high);
  return told && `${told}${kpi.unit === "score" ? " of 100" : ""}`;
}

function tiles() {
  if (!project.journeys) return [];
  if (chosen.person) return [personTiles()];
  const kpis = sliced("headline", chosen.slice);
  const others = chosen.overlay ? sliced("headline", chosen.overlay) : [];
  const currency = kpis.find((k) => k.measure === "revenue")?.unit;
  const pick = (list, measure) => {
    const found = list.filter((k) => k.measure === measure);
    return found.find((k) => k.unit === currency) ?? found[0];
  };
  const about = new Map(rows("measures").map((m) => [m.measure, m]));
  const made = (measures) => measures.filter((measure) => pick(kpis, measure)).map((measure) => el("li", {}, tile(pick(kpis, measure), about, pick(others, measure),
    (BESIDE[measure] ?? []).map(([more, words]) => ({ kpi: pick(kpis, more), words })).filter((more) => more.kpi))));
  const more = made(MORE_TILES);
  return [el("ul", { class: "tiles" }, made(TILES)), ...(more.length ? [el("ul", { class: "tiles tiles-more" }, more)] : [])];
}

function tile(kpi, about, other, more) {
  const definition = about.get(kpi.measure);
  const { kind } = definition;
  const figureOf = (k) => figure(about.get(k.measure).kind, k);
  const fact = (label, k) => ({ label, value: figureOf(k), note: [k.low === null ? "" : `95% interval ${range(about.get(k.measure).kind, k)}`, k === kpi || k.denominator === null ? "" : `of ${count(k.denominator)} journeys`].filter(Boolean).join(" · ") });
  const when = kpi.period === "all" ? "" : span(kpi.period, kpi.period_start);
  const note = [when, kpi.unit === "share" ? interval(kpi.low, kpi.high) : range(kind, kpi), kpi.denominator === null ? "" : `${count(kpi.denominator)} ${OF[kpi.measure] ?? ""}`].filter(Boolean);
  note.push(...more.map(({ kpi: k, words }) => `${figureOf(k)} ${words}`));
  return el("button", { type: "button", class: `tile${kpi.measure === "conversion_rate" ? " tile-lead" : ""}`, onclick: () => showEvidence({
    eyebrow: ["Key figure", slices.get(chosen.slice).label, when].filter(Boolean).join(" · "), title: definition.label, words: definition.definition,
    facts: [fact("Value", kpi), kpi.denominator === null ? null : { label: "Denominator", value: count(kpi.denominator), note: definition.denominator },
      ...more.map(({ kpi: k }) => fact(about.get(k.measure).label, k))].filter(Boolean),
    sql: [{ label: "The SQL behind it", text: kpiSql(chosen.slice, kpi) }, ...more.map(({ kpi: k }) => ({ label: about.get(k.measure).label, text: kpiSql(chosen.slice, k) }))],
  }) },
    el("span", { class: "tile-label" }, definition.label),
    el("span", { class: "tile-value" }, figure(kind, kpi)),
    chosen.overlay ? el("span", { class: "other" }, other ? figure(kind, other) : "–") : null,
    chosen.slice === ALL && !chosen.overlay ? spark(kpi.measure, kpi.unit) : null,
    el("span", { class: "tile-note" }, note.map((part) => el("span", {}, part))));
}

function spark(measure, unit) {
  const history = (period) => rows("trend").filter((r) => r.measure === measure && r.unit === unit && r.period === period);
  const months = history("month");
  const values = (months.length >= 4 ? months : history("week")).map((r) => r.value);
  if (values.length < 2) return null;
  const least = Math.min(0, ...values);
  const size = Math.max(0, ...values) - least || 1;
  return shape("svg", { class: "spark", viewBox: "0 0 120 30", preserveAspectRatio: "none", role: "img", "aria-label": `by ${months.length >= 4 ? "month" : "week"}` },
    shape("polyline", { points: values.map((v, i) => `${(120 * i / (values.length - 1)).toFixed(1)},${(29 - 28 * (v - least) / size).toFixed(1)}`).join(" ") }));
}

function bar() {
  const groups = new Map();
  for (const slice of slices.values()) {
    const label = slice.segment === "all" ? "" : named(slice.segment);
    if (!groups.has(label)) groups.set(label, []);
    groups.get(label).push({ value: slice.key, label: `${slice.label} (${count(slice.journeys)})` });
  }
  const options = [...groups].map(([label, list]) => ({ label, options: list }));
  const view = current();
  const alone = view.id === "map" && people.size ? choice(`One ${subject} alone`, [{ options: [{ value: "", label: "nobody" }, ...[...people.values()].map((p) => ({ value: p.customer_id, label: `${p.customer_id.slice(0, 8)}, ${plural(p.journeys, "journey")}, ${count(p.converted_journeys)} converted` }))] }], chosen.person, (person) => choose({ person })) : null;
  const whole = el("button", { type: "button", class: "link", onclick: () => choose({ slice: ALL, overlay: "", person: "" }) }, "Back to all journeys");
  if (chosen.person && alone) return el("section", { class: "wrap shown", "aria-label": "Slices" }, alone, whole);
  const several = view.sliced && slices.size > 1;
  if (!several && !alone) return null;
  return el("section", { class: "wrap shown", "aria-label": "Slices" },
    several && choice("Show", options, chosen.slice, (slice) => choose({ slice, node: "" })),
    several && view.overlaid && choice("Over it", [{ label: "", options: [{ value: "", label: "nothing" }] }, ...options].map((g) => ({ ...g, options: g.options.filter((o) => o.value !== chosen.slice) })), chosen.overlay, (overlay) => choose({ overlay })),
    alone, (chosen.slice !== ALL || chosen.overlay) && whole);
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
  head.replaceChildren(...(view.id === "map" ? [el("p", { class: "eyebrow" }, "Customer journey map"), el("h1", {}, title), el("p", { class: "lede" }, lede()), ...tiles()] : [el("h1", { class: "away" }, `${title}: ${view.label.toLowerCase()}`)]));
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
