/* The data of the page: tables as sql/report/*.sql returned them, read as they are needed. */

import { named, span } from "./wording.js";

const island = JSON.parse(document.getElementById("data").textContent);
export const title = island.title;
export const beside = island.beside;
const made = new Map();

const words = island.tables.words.rows.flat();

/* A row as an object; where a column is coded, its number becomes the word. */
function object({ columns, coded }, row) {
  const made = {};
  columns.forEach((column, i) => { made[column] = row[i]; });
  coded?.forEach((i) => { made[columns[i]] = words[row[i]]; });
  return made;
}

/** All rows of a table. */
export function rows(name) {
  if (!made.has(name)) {
    const table = island.tables[name] ?? { columns: [], rows: [] };
    made.set(name, table.rows.map((row) => object(table, row)));
  }
  return made.get(name);
}

/** Rows of a table for one slice of the journeys; tables are grouped once, rows made when asked for. */
export function sliced(name, key) {
  const index = `${name} by slice`;
  if (!made.has(index)) {
    const { columns, rows: raw } = island.tables[name];
    const [segment, value] = [columns.indexOf("segment"), columns.indexOf("segment_value")];
    const groups = new Map();
    for (const row of raw) {
      const of = keyOf(words[row[segment]], words[row[value]]);
      if (!groups.has(of)) groups.set(of, []);
      groups.get(of).push(row);
    }
    made.set(index, groups);
  }
  const cached = `${name} of ${key}`;
  if (!made.has(cached)) {
    const table = island.tables[name];
    made.set(cached, (made.get(index).get(key) ?? []).map((row) => object(table, row)));
  }
  return made.get(cached);
}

/** Name of a slice in this page. */
export function keyOf(segment, value) {
  return `${segment}=${value}`;
}

export const ALL = keyOf("all", "all");
export const project = rows("project")[0];
export const stages = rows("map_stages").map((row) => row.stage);
export const channels = rows("map_channels").map((row) => row.channel);
export const touchpoints = rows("map_touchpoints");
export const personas = rows("personas");

/** Names of personas, and of what stands for having none, as dim_persona has them. */
export const personaNames = new Map(rows("persona_names").map((p) => [p.persona_id, p.name]));

export const slices = new Map(rows("slices").map((slice) => {
  const key = keyOf(slice.segment, slice.segment_value);
  return [key, { ...slice, key, label: sliceLabel(slice.segment, slice.segment_value) }];
}));

/** A slice for readers. */
function sliceLabel(segment, value) {
  if (segment === "all") return "All journeys";
  if (segment === "persona") return personaNames.get(value === "(none)" ? "none" : value) ?? named(value);
  if (segment === "month" && /^\d{4}-\d\d$/.test(value)) return span("month", `${value}-01`);
  return value === "(none)" ? `No ${named(segment).toLowerCase()}` : named(value);
}

/** Colour of a stage, 1 to 8; 0 for what has none. */
export function hue(stage) {
  const place = stages.indexOf(stage);
  return place < 0 ? 0 : (place % 8) + 1;
}

/** The stage where a touchpoint is at home. */
export const homeOf = new Map(touchpoints.map((t) => [t.touchpoint, t.stage]));

/** What is measured of a stage or touchpoint in a slice; undefined if nobody was there. */
export function nodeOf(key, level, node) {
  const cached = `nodes of ${key} by name`;
  if (!made.has(cached)) made.set(cached, new Map(sliced("nodes", key).map((n) => [`${n.level} ${n.node}`, n])));
  return made.get(cached).get(`${level} ${node}`);
}

const places = rows("places");

/** Journeys on the page, each with `steps`: stage, channel, touchpoint, dwell and whether it converts. */
export function journeys() {
  if (!made.has("steps of journeys")) {
    made.set("steps of journeys", rows("journeys").map((journey) => ({
      ...journey,
      steps_all: journey.steps,
      steps: journey.path.map((place, i) => ({
        ...places[place], dwell: journey.dwells[i], converts: journey.conversions.includes(i),
      })),
    })));
  }
  return made.get("steps of journeys");
}

export const findings = rows("findings");
export const people = new Map(rows("people").map((person) => [person.customer_id, person]));

/* What the reader has chosen. */
export const chosen = { slice: ALL, overlay: "", person: "", signal: "", level: "stage", form: "steps", least: 1, node: "", pattern: "", outcome: "", persona: "" };
const watching = [];

/** Change what is chosen; whoever watches draws anew. */
export function choose(change) {
  Object.assign(chosen, change);
  if (chosen.overlay === chosen.slice) chosen.overlay = "";
  watching.forEach((watch) => watch());
}

/** Be called after every choice. */
export function watch(callback) {
  watching.push(callback);
}
