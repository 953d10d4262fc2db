/* The map: stages across, what is measured of them down. Every cell opens its evidence. */

import { ALL, channels, choose, chosen, findings, hue, keyOf, nodeOf, project, sliced, slices, stages, touchpoints } from "./data.js";
import { aside, choice, el, heading, shape } from "./dom.js";
import { showEvidence } from "./evidence.js";
import { cellSql, defaultSignal, nodeSql, ofWhat, signalsOf } from "./figures.js";
import { drawPerson } from "./person.js";
import { count, duration, fromTo, interval, measured, money, named, percent, plural } from "./wording.js";

const SHOWN = 6;
const [FEW, FEW_SHARE] = [30, 0.01]; // journeys that a touchpoint needs to be coloured
const LONE = 5; // half the width of an interval whose neighbours are unknown
const KINDS = {
  excess_drop_off: "People leave", low_satisfaction: "Unhappy", loop: "Round in circles", return: "Sent back",
  contact: "Need help", error: "Things fail", wait: "Long wait", detour: "Thrown off the way", opportunity: "Opportunity",
};

/** What kind of finding it is, in a word or two. */
export function kindOf(finding) {
  return KINDS[finding.kind] ?? named(finding.kind);
}

/** Whom and when a finding is about. */
export function scopeOf(finding) {
  const who = finding.segment === "all" ? "All journeys" : `${named(finding.segment)}: ${named(finding.segment_value)}`;
  const short = (iso) => new Date(`${iso.slice(0, 10)}T00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const when = finding.begins ? `${short(finding.begins)} to ${finding.ends ? short(finding.ends) : "now"}` : "";
  return [who, when].filter(Boolean).join(" · ");
}

/** The map in a section. */
export function drawMap(section) {
  if (chosen.person) return drawPerson(section);
  section.append(heading("map", "The map", "Stages from left to right; beneath each, what customers do, how it feels, where it hurts and what it brings. Open any cell for its evidence."));
  if (!project.journeys) {
    section.append(el("p", { class: "empty" }, "The map appears with the first journey. Data health tells what was read so far."));
    return;
  }
  const nodes = stages.map((stage) => nodeOf(chosen.slice, "stage", stage));
  const present = nodes.filter(Boolean);
  const signals = signalsOf(present);
  const signal = signals.find((s) => s.id === chosen.signal) ?? defaultSignal(present);
  section.append(legend());
  const grid = el("div", { class: "map", style: { "--stages": stages.length } });
  grid.append(
    ...row("", "heads", stages.map((stage, i) => stageHead(stage, nodes[i]))),
    ...row("What customers do", "actions", stages.map((stage, i) => actions(stage, nodes[i]))),
    ...(signal ? [experienceLabel(signals, signal), experience(nodes, signal)] : []),
    ...row("Pain points", "pains", stages.map((stage) => notes(stage, (f) => f.kind !== "opportunity")), ofWhom()),
    ...(findings.some((f) => f.kind === "opportunity") ? row("Opportunities", "pains", stages.map((stage) => notes(stage, (f) => f.kind === "opportunity")), ofWhom()) : []),
    ...channels.flatMap((channel) => row(named(channel), "cells", stages.map((stage) => cell(stage, channel)), channelShare(channel))),
    ...row("Key figures", "figures", stages.map((stage, i) => figures(stage, nodes[i]))),
  );
  section.append(el("div", { class: "map-scroll", tabindex: "0", role: "region", "aria-label": "Journey map" }, grid), narrowMap(nodes, signal));
}

function legend() {
  const other = chosen.overlay ? slices.get(chosen.overlay) : null;
  return el("ul", { class: "legend", "aria-label": "Legend" },
    el("li", {}, el("span", { class: "swatches", "aria-hidden": "true" }, [0, 1, 2, 3, 4, 5].map((i) => el("i", { class: `heat-${i}` }))), `share that leaves for good: under 5, 15, 25, 35, 50% and over; no colour where under ${percent(FEW_SHARE)} of journeys, or ${FEW}, come`),
    el("li", {}, el("span", { class: "legend-bar", "aria-hidden": "true" }), `share of journeys that come here${other ? `: ${slices.get(chosen.slice).label}` : ""}`),
    other ? el("li", {}, el("span", { class: "legend-bar legend-other", "aria-hidden": "true" }), other.label) : null,
    el("li", {}, el("span", { class: "pin", "aria-hidden": "true" }, "1"), "pain point, by rank"));
}

function row(label, kind, cells, note) {
  return [el("div", { class: `label label-${kind}` }, el("b", {}, label), note ? el("small", {}, note) : null), ...cells];
}

function channelShare(channel) {
  const cells = sliced("map_cells", chosen.slice);
  const sum = (list) => list.reduce((total, c) => total + c.touchpoints, 0);
  return `${percent(sum(cells.filter((c) => c.channel === channel)) / Math.max(1, sum(cells)))} of touchpoints`;
}

/** How warm the share that leaves looks, 0 to 5; where few come it is no place to look at first, and has no colour. */
function heat(node) {
  const few = !node || node.journeys < Math.max(FEW, FEW_SHARE * slices.get(chosen.slice).journeys);
  return few ? 0 : [0.05, 0.15, 0.25, 0.35, 0.5].filter((step) => node.drop_off_p >= step).length;
}

const reach = (key, journeysThere) => journeysThere / Math.max(1, slices.get(key).journeys);

/** The other slice's figure, if two are laid over one another. */
function beside(make) {
  return chosen.overlay ? el("span", { class: "other" }, make(chosen.overlay)) : null;
}

function stageHead(stage, node) {
  return el("div", { class: `head-cell hue-${hue(stage)}` }, el("h3", {}, named(stage)),
    node
      ? el("button", { type: "button", class: "open", onclick: () => stageEvidence(stage) }, el("b", {}, percent(reach(chosen.slice, node.journeys))), " of journeys",
        beside((key) => percent(reach(key, nodeOf(key, "stage", stage)?.journeys ?? 0))), aside(`, evidence for ${named(stage)}`))
      : el("span", { class: "quiet" }, "nobody came here"));
}

/** What most journeys of a stage do there. */
function actions(stage, node) {
  const there = topActions(stage, node);
  return el("div", { class: "cell actions" }, there.length
    ? el("ol", {}, there.map(({ touchpoint, share }) => el("li", {}, el("span", {}, named(touchpoint)), el("b", {}, percent(share)))))
    : null);
}

function topActions(stage, node) {
  if (!node) return [];
  const most = new Map();
  for (const c of sliced("map_cells", chosen.slice)) {
    if (c.stage === stage) most.set(c.touchpoint, Math.max(most.get(c.touchpoint) ?? 0, c.journeys));
  }
  return [...most].map(([touchpoint, n]) => ({ touchpoint, share: n / node.journeys })).sort((a, b) => b.share - a.share).slice(0, 3);
}

function cell(stage, channel) {
  const entries = sliced("map_cells", chosen.slice).filter((c) => c.stage === stage && c.channel === channel);
  const folded = entries.slice(SHOWN).filter((c) => !conversions.has(c.touchpoint) && !painsAt(c.touchpoint).length);
  const rest = folded.length > 1 ? folded : [];
  return el("div", { class: `cell hue-${hue(stage)}${entries.length ? "" : " cell-empty"}` },
    entries.length ? el("ul", {}, entries.filter((c) => !rest.includes(c)).map(entry)) : null,
    rest.length ? el("details", { class: "more" }, el("summary", {}, `${rest.length} more`), el("ul", {}, rest.map(entry))) : null);
}

const conversions = new Set(touchpoints.filter((t) => t.converts).map((t) => t.touchpoint));
const painsAt = (touchpoint) => findings.filter((f) => f.node === touchpoint && f.level === "touchpoint" && f.kind !== "opportunity");

function entry(c) {
  const node = nodeOf(chosen.slice, "touchpoint", c.touchpoint);
  const pains = painsAt(c.touchpoint);
  const other = chosen.overlay ? matching(chosen.overlay, c) : null;
  return el("li", {}, el("button", { type: "button", class: `entry heat-${heat(node)}`, onclick: () => cellEvidence(c) },
    el("span", { class: "entry-name" }, named(c.touchpoint), pains.length ? el("span", { class: "pins" }, pains.slice(0, 2).map((f) => el("span", { class: "pin" }, aside("Pain point "), f.rank))) : null),
    track(reach(chosen.slice, c.journeys)),
    chosen.overlay ? track(reach(chosen.overlay, other?.journeys ?? 0), " track-other") : null,
    el("span", { class: "entry-facts" }, el("b", {}, count(c.touchpoints)), el("span", {}, `${percent(node?.drop_off_p)} leave`)),
    chosen.overlay ? el("span", { class: "entry-facts other" }, el("b", {}, count(other?.touchpoints ?? 0)), el("span", {}, `${percent(nodeOf(chosen.overlay, "touchpoint", c.touchpoint)?.drop_off_p)} leave`)) : null));
}

function track(share, kind = "") {
  return el("span", { class: `track${kind}`, "aria-hidden": "true" }, el("span", { style: { width: `${Math.max(1.5, 100 * share)}%` } }));
}

function matching(key, c) {
  return sliced("map_cells", key).find((o) => o.stage === c.stage && o.channel === c.channel && o.touchpoint === c.touchpoint);
}

/* The experience curve. */

function experienceLabel(signals, signal) {
  return el("div", { class: "label label-experience" }, el("b", {}, "Experience"),
    choice("Signal", [{ options: signals.map((s) => ({ value: s.id, label: s.label })) }], signal.id, (id) => choose({ signal: id })),
    el("small", {}, signal.told));
}

function curveOf(key, signal) {
  return stages.map((stage, i) => {
    const node = nodeOf(key, "stage", stage);
    const value = node ? signal.value(node) : null;
    return value === null || value === undefined ? null : { stage, node, value, low: signal.low(node) ?? value, high: signal.high(node) ?? value, n: signal.n(node), x: (i + 0.5) / stages.length };
  }).filter(Boolean);
}

function scaleOf(curves, signal) {
  const values = curves.flat().flatMap((p) => [p.low, p.high]);
  const pad = Math.max(0.02 * (signal.most - signal.least), 0.15 * (Math.max(...values) - Math.min(...values)));
  const least = Math.max(signal.least, Math.min(...values) - pad);
  const most = Math.min(signal.most, Math.max(...values) + pad);
  const height = curves.length > 1 ? 40 : 54; // two curves have labels above as well as below them
  return (v) => 68 - height * (v - least) / Math.max(1e-9, most - least);
}

/** Points of stages next to one another; between others nobody knows, and no line is drawn. */
function together(points) {
  const runs = [];
  for (const p of points) {
    const last = runs.at(-1)?.at(-1);
    if (last && stages.indexOf(p.stage) === stages.indexOf(last.stage) + 1) runs.at(-1).push(p);
    else runs.push([p]);
  }
  return runs;
}

function drawing(curves, y) {
  const art = shape("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" });
  curves.forEach((points, which) => {
    const at = (p, v, aside = 0) => `${(1000 * p.x + aside).toFixed(1)},${y(v).toFixed(2)}`;
    const kind = which ? " curve-other" : "";
    const runs = together(points);
    const band = (run) => run.length > 1
      ? [...run.map((p) => at(p, p.high)), ...run.toReversed().map((p) => at(p, p.low))]
      : [at(run[0], run[0].high, -LONE), at(run[0], run[0].high, LONE), at(run[0], run[0].low, LONE), at(run[0], run[0].low, -LONE)];
    art.append(
      shape("path", { class: `band${kind}`, d: runs.map((run) => `M${band(run).join(" L")}Z`).join("") }),
      shape("path", { class: `curve${kind}`, d: runs.map((run) => `M${run.map((p) => at(p, p.value)).join(" L")}`).join("") }));
  });
  return art;
}

/** Of two curves, labels stand on the outer side of their points; where both meet, the second's is above. */
function isUpper(p, curves, which) {
  const other = curves[1 - which]?.find((o) => o.stage === p.stage);
  return which ? !other || p.value >= other.value : Boolean(other) && p.value > other.value;
}

function experience(nodes, signal) {
  const curves = [chosen.slice, chosen.overlay].filter(Boolean).map((key) => curveOf(key, signal));
  if (!curves.flat().length) return el("div", { class: "experience" }, el("p", { class: "quiet" }, "Nothing was said here."));
  const y = scaleOf(curves, signal);
  const lowest = curves[0].length > 2 ? curves[0].reduce((a, b) => b.value < a.value ? b : a) : null;
  const dip = lowest && curves[0].every((p) => p === lowest || p.low > lowest.high) ? lowest : null;
  const points = curves.flatMap((points, which) => points.map((p) => el("button", {
    type: "button", class: `point${which ? " point-other" : ""}${isUpper(p, curves, which) ? " point-above" : ""}${p === dip ? " point-dip" : ""}`,
    style: { left: `${100 * p.x}%`, top: `${y(p.value)}%` },
    onclick: () => stageEvidence(p.stage, signal),
  }, el("i", { "aria-hidden": "true" }), el("span", {}, aside(`${named(p.stage)}, ${signal.label}: `), el("b", {}, signal.show(p.value)),
    which ? aside(` ${slices.get(chosen.overlay).label}`) : el("small", {}, `${fromTo(signal.show, p.low, p.high)} · ${count(p.n)} ${signal.what}`),
    p === dip ? el("em", {}, "lowest") : null))));
  const dots = touchpoints.map((t) => {
    const node = nodeOf(chosen.slice, "touchpoint", t.touchpoint);
    const value = node ? signal.value(node) : null;
    if (value === null || value === undefined || !signal.n(node)) return null;
    const mates = touchpoints.filter((o) => o.stage === t.stage);
    const x = (stages.indexOf(t.stage) + 0.12 + 0.76 * (mates.indexOf(t) + 0.5) / mates.length) / stages.length;
    return el("i", { class: `dot hue-${hue(t.stage)}`, title: `${named(t.touchpoint)}: ${signal.show(value)}, ${count(signal.n(node))} ${signal.what}`, style: { left: `${100 * x}%`, top: `${Math.min(96, Math.max(4, y(value)))}%` } });
  });
  const silent = stages.map((stage, i) => curves[0].some((p) => p.stage === stage) ? null : el("span", { class: "silent", style: { left: `${100 * (i + 0.5) / stages.length}%` } }, nodes[i] ? "nobody was asked" : ""));
  return el("div", { class: "experience" }, drawing(curves, y), dots, silent, points);
}

/* Pain points, opportunities, key figures. */

/** Whether something else is shown than all journeys, which findings without a group are about. */
const isPart = () => chosen.slice !== ALL || Boolean(chosen.overlay);

function ofWhom() {
  return isPart() ? "of the journeys that each names, not of those chosen above" : null;
}

function notes(stage, test) {
  const there = findings.filter((f) => f.stage === stage && test(f));
  return el("div", { class: "cell notes" }, there.slice(0, 4).map((f) => el("button", { type: "button", class: `note-card${f.kind === "opportunity" ? " note-good" : ""}`, onclick: () => findingEvidence(f) },
    el("span", { class: "note-head" }, el("span", { class: "pin" }, aside("Rank "), f.rank), el("b", {}, named(f.node))),
    el("span", { class: "note-kind" }, kindOf(f), f.target ? ` → ${named(f.target)}` : ""),
    el("span", { class: "note-figure" }, el("b", {}, measured(f.unit, f.measured)), f.baseline === null ? "" : ` instead of ${measured(f.unit, f.baseline)}`),
    back(f),
    isPart() || scopeOf(f) !== "All journeys" ? el("small", {}, scopeOf(f)) : null)),
  there.length > 4 ? el("a", { href: "#findings" }, `${there.length - 4} more`) : null);
}

/** Where those whom a finding sends off their way come back to: the commonest moves to what lies before. */
function back(f) {
  const order = touchpoints.map((t) => t.touchpoint);
  const key = slices.has(keyOf(f.segment, f.segment_value)) ? keyOf(f.segment, f.segment_value) : ALL;
  const moves = f.target === null || f.kind === "opportunity" ? [] : sliced("moves", key).filter((m) =>
    m.level === "touchpoint" && m.source_node === f.target && order.includes(m.target_node)
    && order.indexOf(m.target_node) <= order.indexOf(f.node) && m.probability >= 0.1);
  const share = moves.reduce((sum, m) => sum + m.probability, 0);
  return share >= 0.25 ? el("span", { class: "note-back" }, "↺ then back to ", moves.slice(0, 3).map((m) => `${named(m.target_node)} ${percent(m.probability)}`).join(", ")) : null;
}

function figures(stage, node) {
  const other = chosen.overlay ? nodeOf(chosen.overlay, "stage", stage) : null;
  const line = (label, value, note, otherValue) => el("div", {}, el("dt", {}, label), el("dd", {}, el("b", {}, value), chosen.overlay ? el("span", { class: "other" }, otherValue) : note ? el("small", {}, note) : null));
  return el("div", { class: "cell" }, node ? el("button", { type: "button", class: "open figures", onclick: () => stageEvidence(stage) }, el("dl", {},
    line("convert", percent(node.conversion_p), interval(node.conversion_low, node.conversion_high), percent(other?.conversion_p)),
    line("leave", percent(node.drop_off_p), interval(node.drop_off_low, node.drop_off_high), percent(other?.drop_off_p)),
    line("to the next", duration(node.dwell_p50_s), "median", duration(other?.dwell_p50_s)),
    line("to convert", duration(node.time_to_conversion_s), "expected", duration(other?.time_to_conversion_s)),
  ), aside(`Evidence for ${named(stage)}`)) : null);
}

/* Evidence. */

function nodeFacts(key, level, name) {
  const node = nodeOf(key, level, name);
  if (!node) return [];
  const other = chosen.overlay ? nodeOf(chosen.overlay, level, name) : null;
  const beside = (text) => chosen.overlay ? `${slices.get(chosen.overlay).label}: ${text}` : "";
  return [
    { label: "Reach", value: plural(node.customers, "customer"), note: `${plural(node.journeys, "journey")}, ${percent(reach(key, node.journeys), 1)} of ${count(slices.get(key).journeys)}`, other: beside(other ? percent(reach(chosen.overlay, other.journeys), 1) : "none") },
    { label: "Leave for good", value: percent(node.drop_off_p, 1), note: `${count(node.drop_offs)} ${ofWhat(node.visits - node.opens, "visits", node.drop_off_low, node.drop_off_high)}; open journeys left out`, other: beside(percent(other?.drop_off_p, 1)) },
    { label: "Convert from here", value: percent(node.conversion_p, 1), note: `of visits before the conversion${node.conversion_low === null ? "" : ` · 95% interval ${interval(node.conversion_low, node.conversion_high)}`}`, other: beside(percent(other?.conversion_p, 1)) },
    { label: "Time to the next step", value: duration(node.dwell_p50_s), note: "median", other: beside(duration(other?.dwell_p50_s)) },
  ];
}

function signalFacts(key, level, name) {
  const node = nodeOf(key, level, name);
  return node ? signalsOf([node]).filter((s) => s.id !== "stay").map((s) => ({
    label: s.label, value: s.show(s.value(node)), note: ofWhat(s.n(node), s.what, s.low(node), s.high(node), s.show),
  })) : [];
}

const COLUMNS = "journeys, customers, drop_offs, visits - opens AS denominator,\n  drop_off_p, drop_off_low, drop_off_high,\n  conversion_p, conversion_low, conversion_high, dwell_p50_s";

function stageEvidence(stage, signal) {
  const examples = [...new Set(sliced("map_cells", chosen.slice).filter((c) => c.stage === stage).flatMap((c) => c.examples))];
  showEvidence({
    eyebrow: `Stage · ${slices.get(chosen.slice).label}`, title: named(stage),
    facts: [...nodeFacts(chosen.slice, "stage", stage), ...signalFacts(chosen.slice, "stage", stage)],
    sql: [{ label: "The SQL behind it", text: nodeSql(chosen.slice, "stage", stage, signal ? signal.columns : COLUMNS) }],
    examples, of: `that came to ${named(stage).toLowerCase()}`,
  });
}

function cellEvidence(c) {
  const total = sliced("map_cells", chosen.slice).reduce((sum, o) => sum + o.touchpoints, 0);
  showEvidence({
    eyebrow: `${named(c.stage)} · ${named(c.channel)} · ${slices.get(chosen.slice).label}`, title: named(c.touchpoint),
    facts: [
      { label: "Happened here", value: `${count(c.touchpoints)} times`, note: `${percent(c.touchpoints / total, 1)} of ${count(total)} touchpoints, in ${plural(c.journeys, "journey")}` },
      ...nodeFacts(chosen.slice, "touchpoint", c.touchpoint), ...signalFacts(chosen.slice, "touchpoint", c.touchpoint),
    ],
    sql: [
      { label: "How often it happened here", text: cellSql(chosen.slice, c) },
      { label: "The rates, of the touchpoint in all its stages and channels", text: nodeSql(chosen.slice, "touchpoint", c.touchpoint, COLUMNS) },
    ],
    examples: c.examples, of: `with ${named(c.touchpoint).toLowerCase()} here`,
  });
}

/** The evidence of a finding. */
export function findingEvidence(f) {
  showEvidence({
    eyebrow: [`${f.kind === "opportunity" ? "Opportunity" : "Pain point"} ${f.rank}`, scopeOf(f)].filter(Boolean).join(" · "),
    title: `${named(f.node)}: ${kindOf(f).toLowerCase()}`, words: f.sentence, facts: findingFacts(f),
    sql: [f.query ? { label: "The SQL that shows it", text: f.query } : null, f.journeys_query ? { label: "The journeys that were hit", text: f.journeys_query } : null].filter(Boolean),
    examples: f.examples, of: "that it hit",
  });
}

/** What the number of a finding is a share or mean of (pain_points.denominator). */
function countedOf(f) {
  if (f.unit === "score") return "answers";
  return f.kind === "excess_drop_off" && !f.begins ? "departures" : "journeys";
}

/** What is measured of a finding. */
export function findingFacts(f) {
  const worth = project.currency === null ? `${count(f.cost_value)} in all currencies` : money(f.cost_value, project.currency);
  return [
    { label: "Measured", value: measured(f.unit, f.measured), note: f.measured_low === null ? "" : `${fromTo((v, more) => measured(f.unit, v, more), f.measured_low, f.measured_high)}, 95%` },
    { label: "Held against", value: measured(f.unit, f.baseline), note: "baseline" },
    { label: "Behind it", value: count(f.denominator), note: countedOf(f) },
    { label: "Beyond the baseline", value: count(f.cost_journeys), note: `${f.unit === "score" ? "answers" : "journeys"}${f.cost_value ? `, worth about ${worth}` : ""}` },
    { label: "q-value", value: f.q_value === null ? "–" : f.q_value < 0.001 ? "<0.001" : f.q_value.toFixed(3), note: "false discovery rate" },
  ];
}

/* On a narrow screen: the curve of all stages, then a stage under the other. */

function narrowMap(nodes, signal) {
  const curve = signal ? curveOf(chosen.slice, signal) : [];
  return el("div", { class: "narrow" },
    curve.length > 1 ? el("figure", { class: "narrow-curve" }, el("figcaption", {}, `Experience: ${signal.label.toLowerCase()}, ${signal.told}`),
      experience(nodes, signal),
      el("ol", {}, stages.map((stage) => el("li", {}, named(stage))))) : null,
    stages.map((stage, i) => el("section", { class: `narrow-stage hue-${hue(stage)}` },
      stageHead(stage, nodes[i]),
      nodes[i] ? [notes(stage, () => true), figures(stage, nodes[i]),
        el("details", { open: i < 1 }, el("summary", {}, "Touchpoints by channel"), channels.map((channel) => {
          const made = cell(stage, channel);
          return made.classList.contains("cell-empty") ? null : el("div", {}, el("h4", {}, named(channel)), made);
        }))] : null)));
}
