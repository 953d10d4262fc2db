/* The flow: how journeys begin, step by step, and the graph of all moves between stages or touchpoints. */

import { chart, colour } from "./charts.js";
import { choose, chosen, homeOf, hue, journeys, project, sliced, slices, stages, touchpoints } from "./data.js";
import { choice, el, heading, shape, table, toggle } from "./dom.js";
import { showEvidence } from "./evidence.js";
import { moveSql, ofWhat } from "./figures.js";
import { count, duration, interval, named, percent } from "./wording.js";

const TONES = { START: "--soft", CONVERSION: "--trail", DROP_OFF: "--pain", OPEN: "--faint", MORE: "--faint" };
const LISTED = 60;
const STEPS = 6;

/** The flow in a section. */
export function drawFlow(section) {
  section.append(heading("flow", "The flow", "Where people go next. Steps show how journeys begin, from left to right; the graph shows every move, ahead above the line and back below it, in red. Choose a node to see what leads to it and from it."));
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
    el("p", { class: "note" }, `${count(shown.length)} of ${count(touching.length)} moves are drawn.${form === "steps" ? ` The first ${STEPS} steps of ${count(total)} journeys${level === "stage" ? ", repeats of a stage taken as one" : ""}.` : ""} To Conversion lead the ends of journeys that converted, there or before; how many convert from a place on, the map tells.`),
    moveTable(shown, level, form));
  if (!shown.length) return;
  if (form === "graph") canvas.append(graph(shown, level, total));
  else chart(canvas, description(level, form), sankey(shown, level, total), ({ dataType, data }) => { if (dataType === "node" && !TONES[data.node]) pickNode(data.node); });
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
  if (form === "graph") return level === "stage" ? 470 : 600;
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
    tooltip: { formatter: ({ dataType, data, value }) => dataType === "node"
      ? tip([named(data.node), `${count(value)} journeys at step ${data.depth}`, `${percent(value / total, 1)} of all`])
      : tip([`${named(data.move.source_node)} to ${named(data.move.target_node)}`, `${count(data.value)} journeys at step ${data.move.position}`, `${percent(data.value / total, 1)} of all`]) },
    series: [{
      type: "sankey", data: [...nodes.values()], links, nodeAlign: "left", nodeWidth: 12, nodeGap: 14, draggable: false,
      left: 4, right: 8, top: 8, bottom: 8, emphasis: { focus: "adjacency" },
      label: { color: colour("--ink"), fontSize: 12, formatter: ({ data }) => named(data.node), textBorderColor: colour("--card"), textBorderWidth: 3 },
    }],
  };
}

/* The graph, as arcs over a line on which stages and touchpoints stand in their order: moves ahead above, back below. */

function graph(shown, level, total) {
  const order = ["START", ...nodesOf(level), "CONVERSION", "DROP_OFF", "OPEN"];
  const used = new Set(shown.flatMap((m) => [m.source_node, m.target_node]));
  const line = order.filter((n) => used.has(n));
  const [width, height, axis] = [1160, heightOf(shown, level, "graph"), level === "stage" ? 250 : 330];
  const x = (node) => 30 + (width - 90) * line.indexOf(node) / Math.max(1, line.length - 1);
  const arrived = new Map();
  for (const m of shown) arrived.set(m.target_node, (arrived.get(m.target_node) ?? 0) + m.count);
  const most = Math.max(1, ...arrived.values());
  const radius = (node) => 5 + 13 * Math.sqrt((arrived.get(node) ?? 0) / most);
  const arc = (m) => {
    const [from, to] = [x(m.source_node), x(m.target_node)];
    const back = to < from;
    const rise = (back ? height - axis - 70 : axis - 24) * (Math.abs(to - from) / (width - 90)) ** 0.6;
    return shape("path", {
      class: `arc${back ? " arc-back" : ""}`, "data-ends": `${m.source_node} ${m.target_node}`,
      d: `M${from.toFixed(1)},${axis} A${(Math.abs(to - from) / 2).toFixed(1)},${rise.toFixed(1)} 0 0 1 ${to.toFixed(1)},${axis}`,
      stroke: back ? colour("--pain") : toneOf(m.source_node, level), "stroke-width": Math.max(1, 18 * Math.sqrt(m.journeys / Math.max(1, total))).toFixed(1),
    }, shape("title", {}, [`${named(m.source_node)} to ${named(m.target_node)}`, ...told(m, total)].join("\n")));
  };
  const slanted = level === "touchpoint";
  const dot = (node) => shape("g", {
    class: "arc-node", transform: `translate(${x(node).toFixed(1)} ${axis})`, ...(TONES[node] ? {} : {
      role: "button", tabindex: "0", "aria-label": `Only moves of ${named(node)}`, onclick: () => pickNode(node),
      onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pickNode(node); } },
    }),
    onmouseenter: () => light(node), onmouseleave: () => light(null), onfocus: () => light(node), onblur: () => light(null),
  },
  shape("circle", { r: radius(node).toFixed(1), fill: toneOf(node, level) }),
  shape("text", slanted ? { transform: "rotate(42)", x: radius(node) + 4, y: 5 } : { y: radius(node) + 17, "text-anchor": "middle" }, named(node)),
  shape("title", {}, `${named(node)}: ${count(arrived.get(node) ?? 0)} arrivals drawn`));
  const moves = shown.filter((m) => m.source_node !== m.target_node).sort((p, q) => q.journeys - p.journeys).map(arc);
  const drawing = shape("svg", { class: "arcs", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": description(level, "graph") }, moves, line.map(dot));
  const light = (node) => {
    for (const move of moves) move.classList.toggle("arc-dim", node !== null && !move.dataset.ends.split(" ").includes(node));
  };
  return drawing;
}

function pickNode(node) {
  choose({ node: chosen.node === node ? "" : node });
}

function description(level, form) {
  return `${form === "steps" ? "Steps" : "Graph"} of moves between ${level}s; the table below holds the same numbers.`;
}

function told(m, total) {
  return [
    `${count(m.count)} moves in ${count(m.journeys)} journeys (${percent(m.journeys / total, 1)} of all)`,
    m.probability === null ? "" : `${percent(m.probability, 1)} ${ofWhat(m.denominator, "departures", m.probability_low, m.probability_high)}`,
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
