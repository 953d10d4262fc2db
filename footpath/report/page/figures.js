/* What is measured: signals of the experience curve, and the SQL behind a number. */

import { slices } from "./data.js";
import { count, fromTo, percent } from "./wording.js";

const flipped = (name, value) => (node) => node[name] === null || node[name] === undefined ? null : 1 - node[value ?? name];
const share = (v, more = 0) => percent(v, more);
const score = (v, more = 0) => (100 * v).toFixed(more);

/** Signals of the experience, the words of customers before their deeds; larger is better. */
const SIGNALS = [
  { id: "csat", label: "Satisfaction (CSAT)", what: "answers", told: "mean satisfaction, 0 to 100", show: score, least: 0, most: 1,
    value: (n) => n.csat, low: (n) => n.csat_low, high: (n) => n.csat_high, n: (n) => n.csat_answers, columns: "csat, csat_low, csat_high, csat_answers" },
  { id: "nps", label: "Net promoter score", what: "answers", told: "promoters less detractors, −100 to 100", show: (v, more = 0) => v.toFixed(more), least: -100, most: 100,
    value: (n) => n.nps, low: (n) => n.nps_low, high: (n) => n.nps_high, n: (n) => n.nps_answers, columns: "nps, nps_low, nps_high, nps_answers" },
  { id: "sentiment", label: "Sentiment", what: "texts", told: "mean sentiment of texts, −1 to 1", show: (v, more = 0) => v.toFixed(2 + more), least: -1, most: 1,
    value: (n) => n.sentiment, low: (n) => n.sentiment_low, high: (n) => n.sentiment_high, n: (n) => n.sentiment_answers, columns: "sentiment, sentiment_low, sentiment_high, sentiment_answers" },
  { id: "contact", label: "No call for help afterwards", what: "journeys", told: "share of journeys in which nobody asked for help or complained after being there", show: share, least: 0, most: 1,
    value: flipped("contact_p"), low: flipped("contact_high"), high: flipped("contact_low"), n: (n) => n.journeys, columns: "contact_journeys, journeys, contact_p, contact_low, contact_high" },
  { id: "return", label: "No return afterwards", what: "journeys", told: "share of journeys in which nothing was returned after being there", show: share, least: 0, most: 1,
    value: flipped("return_p"), low: flipped("return_high"), high: flipped("return_low"), n: (n) => n.journeys, columns: "return_journeys, journeys, return_p, return_low, return_high" },
  { id: "stay", label: "Stay on", what: "visits", told: "share of visits after which the journey went on", show: share, least: 0, most: 1,
    value: flipped("drop_off_p"), low: flipped("drop_off_high"), high: flipped("drop_off_low"), n: (n) => n.visits - n.opens, columns: "drop_offs, visits - opens AS denominator, drop_off_p, drop_off_low, drop_off_high" },
];

/** Signals that say something about these nodes: an answer somewhere, a deed somewhere. */
export function signalsOf(nodes) {
  return SIGNALS.filter((signal) => {
    const values = nodes.map(signal.value).filter((v) => v !== null && v !== undefined);
    return signal.what === "journeys" ? values.some((v) => v < 1) : values.length > 0;
  });
}

/** The signal to begin with: the first that tells of half the nodes, else the first there is. */
export function defaultSignal(nodes) {
  const there = signalsOf(nodes);
  const told = (signal) => nodes.filter((n) => signal.value(n) !== null && signal.value(n) !== undefined).length;
  return there.find((signal) => told(signal) * 2 >= nodes.length) ?? there[0];
}

const quoted = (text) => `'${String(text).replaceAll("'", "''")}'`;
const column = (name) => `"${String(name).replaceAll('"', '""')}"`;
const PERIODS = {
  week: "strftime(started_at, '%G-W%V')",
  month: "strftime(started_at, '%Y-%m')",
  quarter: "format('{}-Q{}', year(started_at), quarter(started_at))",
  year: "strftime(started_at, '%Y')",
};

/** The condition that a journey is in a slice. */
function within(key) {
  const { segment, segment_value: value } = slices.get(key);
  if (segment === "all") return "";
  const from = segment === "persona" ? "journeys LEFT JOIN journey_personas USING (journey_id)" : "journeys";
  const what = segment === "persona" ? "persona_id" : PERIODS[segment] ?? column(segment);
  return `\n  AND journey_id IN (\n    SELECT journey_id FROM ${from}\n    WHERE coalesce(${what}, '(none)') = ${quoted(value)}\n  )`;
}

/** How often a touchpoint happened in a cell of the map, counted from the touchpoints themselves. */
export function cellSql(key, { stage, channel, touchpoint }) {
  return `SELECT\n  count(*) AS touchpoints,\n  count(DISTINCT journey_id) AS journeys\nFROM touchpoints\nWHERE stage = ${quoted(stage)}\n  AND channel = ${quoted(channel)}\n  AND touchpoint = ${quoted(touchpoint)}${within(key)};`;
}

/** What is measured of a node in a slice. */
export function nodeSql(key, level, node, columns) {
  const { segment, segment_value: value } = slices.get(key);
  return `SELECT ${columns}\nFROM stages\nWHERE level = ${quoted(level)}\n  AND segment = ${quoted(segment)}\n  AND segment_value = ${quoted(value)}\n  AND node = ${quoted(node)};`;
}

/** A number of the KPIs in a slice. */
export function kpiSql(key, { measure, unit, period, period_start: start }) {
  const { segment, segment_value: value } = slices.get(key);
  const of = period === "all" ? "" : `\n  AND period_start = DATE ${quoted(start)}`;
  return `SELECT value, unit, low, high, denominator\nFROM kpis\nWHERE period = ${quoted(period)}${of}\n  AND segment = ${quoted(segment)}\n  AND segment_value = ${quoted(value)}\n  AND measure = ${quoted(measure)}\n  AND unit = ${quoted(unit)};`;
}

/** What dim_customer tells of one customer. */
export function personSql(customer) {
  return `SELECT *\nFROM dim_customer\nWHERE customer_id = ${quoted(customer)};`;
}

/** How often a customer was at a touchpoint in a cell of the map. */
export function personCellSql({ customer_id: customer, stage, channel, touchpoint }) {
  return `SELECT\n  count(*) AS touchpoints,\n  count(DISTINCT journey_id) AS journeys\nFROM touchpoints\nWHERE customer_id = ${quoted(customer)}\n  AND stage = ${quoted(stage)}\n  AND channel = ${quoted(channel)}\n  AND touchpoint = ${quoted(touchpoint)};`;
}

/** A move in a slice. */
export function moveSql(key, level, from, to) {
  const { segment, segment_value: value } = slices.get(key);
  return `SELECT count, denominator, probability, probability_low, probability_high\nFROM transitions\nWHERE level = ${quoted(level)}\n  AND segment = ${quoted(segment)}\n  AND segment_value = ${quoted(value)}\n  AND source_node = ${quoted(from)}\n  AND target_node = ${quoted(to)};`;
}

/** All journeys whose path matches a regular expression over their touchpoints. */
export function pathSql(expression) {
  return `SELECT count(*) AS journeys\nFROM (\n  SELECT ' ' || string_agg(touchpoint, '  ' ORDER BY step) || ' ' AS path\n  FROM journey_steps\n  GROUP BY journey_id\n)\nWHERE regexp_matches(path, ${quoted(expression)});`;
}

/** Denominator and interval in words; `show` tells a value of it. */
export function ofWhat(n, what, low, high, show = (v, more) => percent(v, 1 + more)) {
  const range = fromTo(show, low, high);
  return `of ${count(n)} ${what}${range ? ` · 95% interval ${range}` : ""}`;
}
