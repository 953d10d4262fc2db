/* One customer, or account: what they did as a map of their own, and their journeys as timelines. */

import { channels, chosen, hue, journeys, people, project, rows, stages } from "./data.js";
import { el, heading } from "./dom.js";
import { showEvidence, timeline } from "./evidence.js";
import { personCellSql, personSql } from "./figures.js";
import { count, day, named, plural } from "./wording.js";

/** What a subject is called. */
export const subject = project.accounts ? "account" : "customer";

const cellsOf = (id) => rows("people_cells").filter((c) => c.customer_id === id);
const journeysOf = (id) => journeys().filter((j) => j.customer_id === id).sort((a, b) => a.started_at < b.started_at ? -1 : 1);
const satisfaction = (c) => `${Math.round(100 * c.csat)} of 100`;

/** What is known of the chosen one, as tiles. */
export function personTiles() {
  const person = people.get(chosen.person);
  const told = [["Journeys", count(person.journeys)], ["Converted", count(person.converted_journeys)], ["Touchpoints", count(person.touchpoints)],
    ["First seen", day(person.first_seen)], ["Last seen", day(person.last_seen)], ["In the last 30 days", named(person.lifecycle)], ["Persona", person.persona]];
  return el("ul", { class: "tiles tiles-more" }, told.map(([label, value]) => el("li", {}, el("button", { type: "button", class: "tile", onclick: () => showEvidence({
    eyebrow: named(subject), title: person.customer_id, facts: told.map(([each, told]) => ({ label: each, value: told })),
    sql: [{ label: "The SQL behind it", text: personSql(person.customer_id) }],
  }) }, el("span", { class: "tile-label" }, label), el("span", { class: "tile-value" }, value)))));
}

/** Their map and journeys in a section. */
export function drawPerson(section) {
  const person = people.get(chosen.person);
  const cells = cellsOf(person.customer_id);
  const shown = journeysOf(person.customer_id);
  const used = channels.filter((channel) => cells.some((c) => c.channel === channel));
  section.append(
    heading("map", `One ${subject}`, `What ${subject} ${person.customer_id}, a pseudonym, did in each stage and channel. ${count(people.size)} of ${count(project.customers)} ${subject}s can be chosen here, drawn at random, those with several journeys first.`),
    el("div", { class: "map-scroll", tabindex: "0", role: "region", "aria-label": `Map of one ${subject}` }, el("div", { class: "map", style: { "--stages": stages.length } },
      el("div", { class: "label label-heads" }), stages.map((stage) => head(stage, cells)),
      used.map((channel) => [el("div", { class: "label" }, el("b", {}, named(channel))), stages.map((stage) => cell(stage, cells.filter((c) => c.stage === stage && c.channel === channel)))]))),
    el("div", { class: "narrow" }, stages.map((stage) => el("section", { class: `narrow-stage hue-${hue(stage)}` }, head(stage, cells),
      used.filter((channel) => cells.some((c) => c.stage === stage && c.channel === channel)).map((channel) => el("div", { class: "narrow-channel" },
        el("h4", {}, named(channel)), cell(stage, cells.filter((c) => c.stage === stage && c.channel === channel))))))),
    el("h3", { class: "part" }, shown.length < person.journeys ? `The last ${count(shown.length)} of ${plural(person.journeys, "journey")}` : "Journeys, one after the other"),
    el("ol", { class: "journeys" }, shown.map((journey) => el("li", {}, timeline(journey)))));
}

function head(stage, cells) {
  const here = cells.filter((c) => c.stage === stage).reduce((sum, c) => sum + c.touchpoints, 0);
  return el("div", { class: `head-cell hue-${hue(stage)}` }, el("h3", {}, named(stage)), here ? plural(here, "touchpoint") : el("span", { class: "quiet" }, "never came here"));
}

function cell(stage, cells) {
  return el("div", { class: `cell hue-${hue(stage)}${cells.length ? "" : " cell-empty"}` },
    cells.length ? el("ul", {}, cells.map((c) => el("li", {}, el("button", { type: "button", class: "entry heat-0", onclick: () => evidence(c) },
      el("span", { class: "entry-name" }, named(c.touchpoint)),
      el("span", { class: "entry-facts" }, el("b", {}, `${count(c.touchpoints)}×`), el("span", {}, `in ${plural(c.journeys, "journey")}`)),
      c.csat === null ? null : el("span", { class: "entry-facts" }, `satisfied: ${satisfaction(c)}`))))) : null);
}

function evidence(c) {
  showEvidence({
    eyebrow: `${named(c.stage)} · ${named(c.channel)} · one ${subject}`, title: named(c.touchpoint),
    facts: [{ label: "Happened here", value: plural(c.touchpoints, "time"), note: `in ${plural(c.journeys, "journey")}` },
      c.csat === null ? null : { label: "Satisfaction", value: satisfaction(c), note: `mean of ${plural(c.csat_answers, "answer")}` }].filter(Boolean),
    sql: [{ label: "The SQL behind it", text: personCellSql(c) }],
    examples: journeys().flatMap((j, i) => j.customer_id === c.customer_id && j.steps.some((s) => s.stage === c.stage && s.channel === c.channel && s.touchpoint === c.touchpoint) ? [i] : []),
    of: `of theirs with ${named(c.touchpoint).toLowerCase()} here`,
  });
}
