/* Personas: a portrait card for each, and what became of it since the version before. */

import { spread } from "./charts.js";
import { journeys, personas, project, rows } from "./data.js";
import { el, heading } from "./dom.js";
import { timeline } from "./evidence.js";
import { count, interval, named, percent, plural } from "./wording.js";

/** The personas in a section. */
export function drawPersonas(section) {
  const [coverage] = rows("persona_coverage");
  section.append(heading("personas", "Personas", personas.length
    ? `Groups of customers who behave alike, found in the data and held against chance. ${percent(coverage.assigned_share)} of ${count(coverage.journeys)} journeys could be told apart; the others are too short or too mixed.`
    : "Groups of customers who behave alike, found in the data and held against chance."));
  if (!personas.length) {
    section.append(el("p", { class: "empty" }, ...(project.journeys
      ? [el("b", {}, "No structure found. "), "These journeys are no better described as several groups than as one: groupings of halves of the data disagreed, or explained new journeys no better than a single average. footpath names no personas rather than inventing some. More data, longer journeys or further attributes may change that."]
      : ["There are no journeys to compare yet."])));
    return;
  }
  section.append(el("div", { class: "personas" }, personas.map(card)));
}

function card(persona) {
  const features = rows("persona_features").filter((f) => f.persona_id === persona.persona_id);
  const medoid = journeys().find((j) => j.journey_id === persona.medoid_journey_id);
  const changes = rows("persona_changes").filter((c) => c.persona_id === persona.persona_id && c.change !== "migrated");
  const two = (value) => value === null ? "–" : value.toFixed(2);
  return el("article", { class: "card persona" },
    el("p", { class: "eyebrow" }, persona.persona_id === "no_structure" ? "All customers" : `Persona ${persona.persona_id.replace(/^p/, "")}`,
      el("span", { class: `grade grade-${persona.grade}` }, named(persona.grade))),
    el("h3", {}, persona.name),
    el("div", { class: "persona-share" }, el("b", {}, percent(persona.share)),
      el("span", {}, "of customers, estimated", el("small", {}, `${interval(persona.share_low, persona.share_high)} · ${plural(persona.journeys, "journey")} clearly theirs`), el("small", {}, `${percent(persona.conversion_rate, 1)} of these convert`))),
    spread({ measured: persona.share, measured_low: persona.share_low, measured_high: persona.share_high }),
    persona.portrait ? el("p", {}, persona.portrait) : null,
    features.length ? [el("h4", {}, "What sets them apart"), el("ul", { class: "features" }, features.map((f) => el("li", {},
      el("span", { class: "feature-name" }, named(f.feature)),
      f.unit.startsWith("share") ? el("span", { class: "feature-bars", "aria-hidden": "true" }, el("i", { style: { width: `${100 * f.value}%` } }), el("i", { style: { width: `${100 * f.value_others}%` } })) : el("span", {}),
      el("span", { class: "feature-told" }, el("b", {}, f.unit.startsWith("share") ? percent(f.value) : f.value.toFixed(1)), el("small", {}, ` others ${f.unit.startsWith("share") ? percent(f.value_others) : f.value_others.toFixed(1)}`)))))] : null,
    medoid ? [el("h4", {}, "A real journey that represents them"), timeline(medoid)] : null,
    el("h4", {}, "How stable"),
    el("p", { class: "note" }, `Overlap with its like in fits on halves of the data ${two(persona.firmness)} (Jaccard); agreement of all personas ${two(persona.stability)} (ARI).`),
    changes.map((c) => el("p", { class: "drift" }, c.sentence)));
}
