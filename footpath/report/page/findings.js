/* Findings: what changed, what hurts with its evidence, and where credit lies by each model. */

import { spread } from "./charts.js";
import { findings, project, rows } from "./data.js";
import { choice, el, heading, table, toggle } from "./dom.js";
import { query } from "./evidence.js";
import { findingEvidence, findingFacts, kindOf, scopeOf } from "./map.js";
import { count, day, duration, interval, measured, money, named, percent } from "./wording.js";

const MODELS = ["removal_effect", "shapley", "first", "last", "linear", "position", "time_decay"];
const credited = { level: "" };

/** The findings in a section. */
export function drawFindings(section) {
  section.append(heading("findings", "Findings", "Where journeys break, each held against its own baseline, with an interval and a control of the many tests; then who is credited with conversions, by every model side by side."));
  section.append(changes() ?? "");
  section.append(el("h3", { class: "part" }, "Pain points and opportunities"));
  section.append(findings.length
    ? el("ol", { class: "findings" }, findings.map(finding))
    : el("p", { class: "empty" }, project.journeys
      ? `No step is significantly worse than its baseline. That is a result: within what ${count(project.journeys)} journeys can show, no single place stands out.`
      : "Nothing to compare yet."));
  section.append(el("div", { class: "attribution" }, attribution()));
}

function finding(f) {
  return el("li", { class: `card finding${f.kind === "opportunity" ? " finding-good" : ""}` },
    el("span", { class: "finding-rank", "aria-hidden": "true" }, f.rank),
    el("div", { class: "finding-body" },
      el("p", { class: "eyebrow" }, [kindOf(f), `${named(f.level)} ${named(f.node)}`, scopeOf(f)].filter(Boolean).join(" · ")),
      el("h3", {}, f.sentence),
      f.unit === "share" && f.measured !== null ? [spread(f), el("p", { class: "axis", "aria-hidden": "true" }, el("span", {}, "0%"), el("span", {}, "dashed: baseline"), el("span", {}, "100%"))] : null,
      el("dl", { class: "facts facts-row" }, findingFacts(f).map((fact) => el("div", {}, el("dt", {}, fact.label), el("dd", {}, fact.value, el("small", {}, fact.note))))),
      f.also ? el("details", { class: "query" }, el("summary", {}, "What goes along with it"), el("ul", {}, f.also.split("\n").map((line) => el("li", {}, line)))) : null,
      f.query ? el("details", { class: "query" }, el("summary", {}, "The query that shows it"), query(f.query)) : null,
      el("button", { type: "button", class: "link", onclick: () => findingEvidence(f) }, "Evidence and journeys")));
}

/* What changed since the version before. */

function changes() {
  const [known] = rows("changes_project");
  if (!known) return null;
  const kpis = rows("changes_kpis").filter((k) => k.value_before !== k.value_now);
  const labels = new Map(rows("measures").map((m) => [m.measure, m]));
  const told = { share: (v) => percent(v, 1), money, seconds: duration, score: (v) => v.toFixed(2), count };
  const shown = (k, value) => value === null ? "–" : told[labels.get(k.measure).kind](value, k.unit);
  const found = rows("changes_findings").filter((f) => f.change !== "still" || f.measured_before !== f.measured_now);
  const people = rows("persona_changes").filter((c) => c.change !== "migrated");
  return el("section", { class: "card changes", "aria-label": "What changed" },
    el("h3", {}, "What changed since the version before"),
    el("p", { class: "note" }, `Data then reached to ${day(known.watermark_before)}, now to ${day(known.watermark_now)}: ${count(known.touchpoints_before)} touchpoints became ${count(known.touchpoints_now)}.`),
    kpis.length ? table("Key figures before and now", ["Key figure", { num: "Before" }, { num: "Now" }, { num: "95% interval now" }],
      kpis.map((k) => [labels.get(k.measure)?.label ?? named(k.measure), shown(k, k.value_before), shown(k, k.value_now), k.low_now === null ? "" : `${shown(k, k.low_now)} to ${shown(k, k.high_now)}`])) : el("p", {}, "The key figures are the same."),
    el("ul", { class: "told" },
      found.map((f) => el("li", {}, el("b", {}, { new: "New: ", gone: "Gone: ", still: "Still there: " }[f.change]), f.sentence, f.change === "still" ? ` Before: ${measured(f.unit, f.measured_before)}.` : "")),
      people.map((c) => el("li", {}, el("b", {}, `Persona ${named(c.change).toLowerCase()}: `), c.sentence)),
      found.length + people.length ? null : el("li", {}, "The same pain points, the same personas.")));
}

/* Attribution. */

function attribution() {
  const all = rows("attribution");
  if (!all.length) return el("p", { class: "empty" }, "No conversion has been credited yet.");
  const levels = [...new Set(all.map((a) => a.level))].sort((a, b) => (b === "channel") - (a === "channel"));
  const level = levels.includes(credited.level) ? credited.level : levels[0];
  const models = [...new Set(all.map((a) => a.model))].sort((a, b) => (MODELS.indexOf(a) + 99) % 99 - (MODELS.indexOf(b) + 99) % 99);
  const of = new Map(all.filter((a) => a.level === level).map((a) => [`${a.model} ${a.node}`, a]));
  const nodes = [...new Set(all.filter((a) => a.level === level && a.model === models[0]).map((a) => a.node))].slice(0, 30);
  const redraw = (chosen) => { credited.level = chosen; document.querySelector(".attribution").replaceChildren(...attribution()); };
  return [
    el("h3", { class: "part" }, "Attribution, by model"),
    el("p", { class: "note" }, "Share of all conversions credited to each, with its 95% interval. Credit goes with conversions; that it causes them no model can tell."),
    el("div", { class: "controls" }, levels.length > 1 ? levels.length < 4
      ? toggle("Credit by", "credited", levels.map((l) => ({ value: l, label: named(l) })), level, redraw)
      : choice("Credit by", [{ options: levels.map((l) => ({ value: l, label: named(l) })) }], level, redraw) : null),
    el("div", { class: "card matrix" }, table(`Attribution by ${level}`, [named(level), ...models.map((m) => ({ num: named(m) }))],
      nodes.map((node) => [node === "(direct)" ? "Converted at once" : named(node), ...models.map((model) => {
        const a = of.get(`${model} ${node}`);
        return a ? el("span", { class: "credit", style: { "--part": `${100 * Math.max(0, a.credit)}%` } }, percent(a.credit, 1), el("small", {}, a.credit_low === null ? "" : interval(a.credit_low, a.credit_high, a.credit_high < 0.1 ? 1 : 0))) : "–";
      })]))),
  ];
}
