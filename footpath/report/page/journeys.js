/* Journeys: real ones under pseudonyms, drawn as timelines, searched by the pattern of their path. */

import { chosen, journeys, personaNames, personas, project, touchpoints } from "./data.js";
import { choice, el, heading } from "./dom.js";
import { query, timeline } from "./evidence.js";
import { pathSql } from "./figures.js";
import { count, named, plural } from "./wording.js";

const PAGE = 20;
const OUTCOMES = [{ value: "", label: "any" }, { value: "converted", label: "converted" }, { value: "lapsed", label: "dropped off" }, { value: "open", label: "still open" }];
const known = new Set(touchpoints.map((t) => t.touchpoint));

/** The journeys in a section. */
export function drawJourneys(section) {
  const all = journeys();
  const drawn = all.filter((j) => j.drawn).length;
  section.append(heading("journeys", "Journeys", all.length
    ? `${count(drawn)} of ${count(project.journeys)} journeys, drawn at random, and ${count(all.length - drawn)} more that findings, personas and the map name as examples. Names are pseudonyms.`
    : "Real journeys under pseudonyms, as soon as there are any."));
  if (!all.length) {
    section.append(el("p", { class: "empty" }, "There are no journeys yet."));
    return;
  }
  const results = el("div", { "aria-live": "polite" });
  const input = el("input", { type: "search", value: chosen.pattern, placeholder: "product_view .* purchase", spellcheck: "false", autocomplete: "off", oninput: () => { chosen.pattern = input.value; refresh(results); } });
  const set = (pattern) => { input.value = pattern; chosen.pattern = pattern; refresh(results); };
  section.append(
    el("div", { class: "controls" },
      el("label", { class: "choice search" }, el("span", {}, "Path pattern"), input),
      choice("Add a touchpoint", [{ options: [{ value: "", label: "…" }, ...touchpoints.map((t) => ({ value: t.touchpoint, label: named(t.touchpoint) }))] }], "", (name) => set(`${input.value} ${name}`.trim())),
      choice("Outcome", [{ options: OUTCOMES }], chosen.outcome, (outcome) => { chosen.outcome = outcome; refresh(results); }),
      personas.length ? choice("Persona", [{ options: [{ value: "", label: "any" }, ...[...personaNames].filter(([id]) => all.some((j) => j.persona_id === id)).map(([id, name]) => ({ value: id, label: name }))] }], chosen.persona, (persona) => { chosen.persona = persona; refresh(results); }) : null),
    el("p", { class: "tries" }, "Try", tries().map((t) => el("button", { type: "button", onclick: () => set(t) }, t)), el("span", {}, "A name is a step; . is any step, .* any number of them, A|B either, ^ the beginning, $ the end.")),
    results);
  refresh(results);
}

function tries() {
  const names = touchpoints.map((t) => t.touchpoint);
  const some = [names[0], names[Math.floor(names.length / 2)], names.at(-1)];
  return [`^ ${some[0]} .* ${some[1]}`, `${some[1]} .* ${some[1]}`, `${some[2]} $`].filter((t, i, list) => list.indexOf(t) === i);
}

/**
 * The regular expression of a pattern over a path written as " a  b  c ", or what is wrong with it.
 * Both the page and DuckDB understand it.
 */
function expressionOf(pattern) {
  const words = pattern.replaceAll(">", " ").trim().split(/\s+/).filter(Boolean);
  const parts = [];
  for (const word of words) {
    if (word === "^") parts.push("^");
    else if (word === "$") parts.push("$");
    else if (word === ".*" || word === "*") parts.push("(?: \\S+ )*");
    else if (word === ".") parts.push(" \\S+ ");
    else {
      const names = word.split("|");
      const unknown = names.find((name) => !known.has(name));
      if (unknown !== undefined) {
        const near = [...known].filter((name) => unknown && name.includes(unknown)).slice(0, 5);
        return { problem: `There is no touchpoint “${unknown}”.${near.length ? ` Did you mean ${near.join(", ")}?` : ""}` };
      }
      parts.push(` (?:${names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")}) `);
    }
  }
  return { expression: parts.join("") };
}

function refresh(results) {
  const ids = chosen.pattern.startsWith("id:") ? new Set(chosen.pattern.slice(3).split(",")) : null;
  const { expression, problem } = ids ? {} : expressionOf(chosen.pattern);
  if (problem) {
    results.replaceChildren(el("p", { class: "note", role: "alert" }, problem));
    return;
  }
  const test = expression ? new RegExp(expression) : null;
  const found = journeys().filter((j) =>
    (!ids || ids.has(j.journey_id)) && (!chosen.outcome || j.outcome === chosen.outcome) && (!chosen.persona || j.persona_id === chosen.persona)
    && (!test || test.test(` ${j.steps.map((s) => s.touchpoint).join("  ")} `)));
  const searched = new Set(chosen.pattern.split(/[\s>|]+/).filter((word) => known.has(word)));
  const drawn = found.filter((j) => j.drawn).length;
  const list = el("ol", { class: "journeys" });
  const more = el("button", { type: "button", class: "more-button", onclick: () => add() }, "Show more");
  const add = () => {
    const from = list.children.length;
    list.append(...found.slice(from, from + PAGE).map((j) => el("li", {}, timeline(j, (step) => searched.has(step.touchpoint)))));
    more.hidden = list.children.length >= found.length;
  };
  add();
  results.replaceChildren(
    el("p", { class: "note" }, `${plural(found.length, "journey")} on this page${drawn ? `, ${count(drawn)} of them from the random draw` : ""}.`),
    expression ? el("details", { class: "query" }, el("summary", {}, "Count them among all journeys"), query(pathSql(expression))) : "",
    list, more);
}
