/* The flow: how journeys begin, step by step, and the graph of all moves between stages or touchpoints. */

import { chart, colour } from "./charts.js";
import { choose, chosen, homeOf, hue, journeys, project, sliced, slices, stages, touchpoints } from "./data.js";
import { choice, el, heading, table, toggle } from "./dom.js";
import { showEvidence } from "./evidence.js";
import { moveSql, ofWhat } from "./figures.js";
import { count, duration, interval, named, percent } from "./wording.js";

const TONES = { START: "--soft", CONVERSION: "--trail", DROP_OFF: "--pain", OPEN: "--faint", MORE: "--faint" };
const LISTED = 60;
const STEPS = 6;

/** The flow in a section. */
export function drawFlow(section) {
  section.append(heading("flow", "The flow", "Where people go next. Steps show how journeys begin, from left to right; the graph shows every move, those that lead back in red. Choose a node to see what leads to it and from it."));
  const { slice, level, form } = chosen;
  const total = slices.get(slice)?.journeys ?? 0;
  const all = form === "steps" ? stepsOf(slice, level) : movesOf(slice, level);
  if (!project.journeys) {
    section.append(el("p", { class: "empty" }, "There are no moves yet."));
    return;
  }
  const about = chosen.node;
  const touching = all.filter((m) => !about || m.source_node === about || m.target_node === about);
  const shown = touching.filter((m) => m.journeys >= total * chosen.least / 100);
  const canvas = el("div", { class: "chart", style: { height: `${heightOf(shown, level, form)}px` } });
  section.append(
    el("div", { class: "controls", id: "flow-controls" },
      toggle("Nodes are", "level", [{ value: "stage", label: "Stages" }, { value: "touchpoint", label: "Touchpoints" }], level, (v) => choose({ level: v, node: "" })),
      toggle("Drawn as", "form", [{ value: "steps", label: "Steps" }, { value: "graph", label: "Graph" }], form, (v) => choose({ form: v })),
      el("label", { class: "slider" }, "Moves in at least",
        el("input", { type: "range", min: 0, max: 15, step: 0.5, value: chosen.least, onchange: (e) => choose({ least: Number(e.target.value) }), oninput: (e) => { e.target.nextSibling.textContent = `${e.target.value}%`; } }),
        el("output", {}, `${chosen.least}%`), "of journeys"),
      choice("Only moves of", [{ options: [{ value: "", label: "all nodes" }, ...nodesOf(level).map((n) => ({ value: n, label: named(n) }))] }], about, (node) => choose({ node })),
      about ? el("button", { type: "button", class: "link", onclick: () => choose({ node: "" }) }, `Clear ${named(about)}`) : "",
      about && level === "touchpoint" ? el("button", { type: "button", class: "link", onclick: () => { choose({ pattern: about, outcome: "", persona: "" }); location.hash = "journeys"; } }, "Journeys that pass it") : ""),
    el("div", { class: "card chart-scroll", tabindex: "0", role: "region", "aria-label": "Diagram of the flow" }, shown.length ? canvas : el("p", { class: "quiet" }, "No move is that common; lower the share.")),
    el("p", { class: "note" }, `${count(shown.length)} of ${count(touching.length)} moves are drawn.${form === "steps" ? ` The first ${STEPS} steps of ${count(total)} journeys${level === "stage" ? ", repeats of a stage taken as one" : ""}.` : ""}`),
    moveTable(shown, level, form));
  if (!shown.length) return;
  const description = `${form === "steps" ? "Steps" : "Graph"} of moves between ${level}s; the table below holds the same numbers.`;
  const pick = ({ dataType, data }) => { if (dataType === "node" && !TONES[data.node]) choose({ node: chosen.node === data.node ? "" : data.node }); };
  chart(canvas, description, form === "steps" ? sankey(shown, level, total) : graph(shown, level, total), pick);
}

function stepsOf(slice, level) {
  return sliced("steps", slice).filter((m) => m.level === level && m.position < STEPS);
}

function movesOf(slice, level) {
  return sliced("moves", slice).filter((m) => m.level === level);
}

function nodesOf(level) {
  return level === "stage" ? stages : touchpoints.map((t) => t.touchpoint);
}

function heightOf(shown, level, form) {
  if (form === "graph") return level === "stage" ? 520 : 720;
  const columns = new Map();
  for (const m of shown) {
    if (!columns.has(m.position)) columns.set(m.position, new Set());
    columns.get(m.position).add(m.target_node);
  }
  return Math.max(420, 34 * Math.max(0, ...[...columns.values()].map((c) => c.size)) + 60);
}

function toneOf(node, level) {
  const stage = level === "stage" ? node : homeOf.get(node);
  return colour(TONES[node] ?? (hue(stage) ? `--h${hue(stage)}` : "--faint"));
}

function tip(lines) {
  return el("div", { class: "tip" }, el("b", {}, lines[0]), lines.slice(1).map((line) => el("div", {}, line)));
}

/* Steps, as a Sankey diagram: nodes are a node at a position, so that nothing runs back. */

function sankey(shown, level, total) {
  const nodes = new Map();
  const at = (node, position) => {
    const key = `${position} ${node}`;
    if (!nodes.has(key)) nodes.set(key, { name: key, node, depth: position, itemStyle: { color: toneOf(node, level), borderWidth: 0 } });
    return key;
  };
  const links = shown.map((m) => ({
    source: at(m.source_node, m.position), target: at(m.target_node, m.position + 1), value: m.journeys, move: m,
    lineStyle: { color: toneOf(m.target_node === "DROP_OFF" ? m.target_node : m.source_node, level), opacity: 0.3 },
  }));
  const last = Math.max(...[...nodes.values()].map((n) => n.depth));
  for (const node of nodes.values()) if (node.depth === last) node.label = { position: "left" };
  return {
    tooltip: { ...tooltip(), formatter: ({ dataType, data, value }) => dataType === "node"
      ? tip([named(data.node), `${count(value)} journeys at step ${data.depth}`, `${percent(value / total, 1)} of all`])
      : tip([`${named(data.move.source_node)} to ${named(data.move.target_node)}`, `${count(data.value)} journeys at step ${data.move.position}`, `${percent(data.value / total, 1)} of all`]) },
    series: [{
      type: "sankey", data: [...nodes.values()], links, nodeAlign: "left", nodeWidth: 12, nodeGap: 14, draggable: false,
      left: 4, right: 8, top: 8, bottom: 8, emphasis: { focus: "adjacency" },
      label: { color: colour("--ink"), fontSize: 12, formatter: ({ data }) => named(data.node), textBorderColor: colour("--card"), textBorderWidth: 3 },
    }],
  };
}

/* The graph: stages in their order from left to right, touchpoints in lanes. */

function graph(shown, level, total) {
  const order = ["START", ...nodesOf(level), "CONVERSION", "DROP_OFF", "OPEN"];
  const used = new Set(shown.flatMap((m) => [m.source_node, m.target_node]));
  const inner = order.filter((n) => used.has(n) && !TONES[n]);
  const lanes = level === "stage" ? [0.5] : [0.12, 0.62, 0.36, 0.86];
  const ends = { START: [-0.02, 0.5], CONVERSION: [1.06, 0.16], DROP_OFF: [1.06, 0.56], OPEN: [1.06, 0.92] };
  const [w, h] = [1000, level === "stage" ? 360 : 560];
  const spot = (node) => ends[node] ?? [(inner.indexOf(node) + 1) / (inner.length + 1), lanes[inner.indexOf(node) % lanes.length]];
  const arrived = new Map();
  for (const m of shown) arrived.set(m.target_node, (arrived.get(m.target_node) ?? 0) + m.count);
  const most = Math.max(1, ...arrived.values());
  const rank = (node) => node === "START" ? -1 : order.indexOf(node);
  return {
    tooltip: { ...tooltip(), formatter: ({ dataType, data }) => dataType === "node" ? tip([named(data.node), `${count(arrived.get(data.node) ?? 0)} arrivals drawn`]) : tip([`${named(data.move.source_node)} to ${named(data.move.target_node)}`, ...told(data.move, total)]) },
    series: [{
      type: "graph", layout: "none", left: 50, right: 60, top: 40, bottom: 40, roam: false, emphasis: { focus: "adjacency" },
      edgeSymbol: ["none", "arrow"], edgeSymbolSize: 7,
      data: [...used].map((node) => ({
        name: node, node, x: w * spot(node)[0], y: h * spot(node)[1],
        symbolSize: TONES[node] ? 18 : 14 + 30 * Math.sqrt((arrived.get(node) ?? 0) / most),
        itemStyle: { color: toneOf(node, level) },
      })),
      label: { show: true, position: "bottom", color: colour("--ink"), fontSize: 12, formatter: ({ data }) => named(data.node), textBorderColor: colour("--card"), textBorderWidth: 3 },
      links: shown.filter((m) => m.source_node !== m.target_node).map((m) => {
        const back = rank(m.target_node) < rank(m.source_node);
        return { source: m.source_node, target: m.target_node, move: m, lineStyle: {
          color: back ? colour("--pain") : toneOf(m.source_node, level), opacity: back ? 0.75 : 0.5,
          width: Math.max(1, 16 * Math.sqrt(m.journeys / Math.max(1, total))), curveness: back ? 0.42 : 0.24,
        } };
      }),
    }],
  };
}

function tooltip() {
  return { trigger: "item", backgroundColor: colour("--card"), borderColor: colour("--line"), confine: true };
}

function told(m, total) {
  return [
    `${count(m.count)} moves in ${count(m.journeys)} journeys (${percent(m.journeys / total, 1)} of all)`,
    m.probability === null ? "" : `${percent(m.probability, 1)} ${ofWhat(m.denominator, "departures", percent(m.probability_low, 1), percent(m.probability_high, 1))}`,
    m.dwell_p50_s === null ? "" : `median ${duration(m.dwell_p50_s)} before the move`,
  ].filter(Boolean);
}

/* The same numbers to read, and the evidence of each. */

function moveTable(shown, level, form) {
  const listed = [...shown].sort((a, b) => b.journeys - a.journeys).slice(0, LISTED);
  const name = (m) => form === "steps"
    ? `${m.position}. ${named(m.source_node)} to ${named(m.target_node)}`
    : el("button", { type: "button", class: "link", onclick: () => moveEvidence(m, level) }, `${named(m.source_node)} to ${named(m.target_node)}`);
  const head = form === "steps" ? ["Step and move", { num: "Journeys" }, { num: "Share of all" }] : ["Move", { num: "Times" }, { num: "Journeys" }, { num: "Share of departures" }, { num: "95% interval" }, { num: "Median time" }];
  const total = slices.get(chosen.slice).journeys;
  const cells = (m) => form === "steps"
    ? [name(m), count(m.journeys), percent(m.journeys / total, 1)]
    : [name(m), count(m.count), count(m.journeys), percent(m.probability, 1), interval(m.probability_low, m.probability_high), duration(m.dwell_p50_s)];
  return el("details", { class: "table-of" }, el("summary", {}, `The ${listed.length} largest of them as a table`), table("Moves", head, listed.map(cells)));
}

function moveEvidence(m, level) {
  const field = level === "stage" ? "stage" : "touchpoint";
  const passes = (steps) => steps.some((step, i) => step[field] === m.source_node && (steps[i + 1]?.[field] === m.target_node));
  const found = journeys().flatMap((j, i) => passes(j.steps) ? [i] : []).slice(0, 5);
  showEvidence({
    eyebrow: `Move · ${slices.get(chosen.slice).label}`, title: `${named(m.source_node)} to ${named(m.target_node)}`,
    words: `${told(m, slices.get(chosen.slice).journeys).join("; ")}.`,
    sql: [{ label: "The SQL behind it", text: moveSql(chosen.slice, level, m.source_node, m.target_node) }],
    examples: found, of: "on this page that make it, of whatever kind",
  });
}
