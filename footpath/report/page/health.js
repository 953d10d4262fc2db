/* Data health: the accounting of every record, what could not be used, who is who, and the checks. */

import { beside, rows } from "./data.js";
import { aside, el, heading, table } from "./dom.js";
import { count, duration, named, plural } from "./wording.js";

const RECORDS = [["files", "Files"], ["records_read", "Read"], ["events", "= Events"], ["duplicates", "+ Duplicates"], ["dead_letters", "+ Dead letters"], ["quarantined", "+ Quarantined"], ["withheld", "+ Withheld"], ["erased", "+ Erased"]];
const EVENTS = [["touchpoints", "Events = touchpoints"], ["folded_lines", "+ Folded lines"], ["ignored", "+ Ignored"], ["unidentified", "+ Unidentified"], ["withdrawn", "+ Consent withdrawn"]];

/** The health of the data in a section. */
export function drawHealth(section) {
  section.append(heading("health", "Data health", "Nothing is lost: every record read is accounted for, by source, and every published number is held against the others that should equal it."));
  if (beside.length) section.append(el("p", { class: "note" }, "Beside this page: ", beside.flatMap(([label, path], i) => [i ? ", " : "", el("a", { href: path }, label)]), "."));
  const sources = rows("accounting");
  section.append(
    sources.length
      ? card("Every record", table("Records by source", ["Source", ...[...RECORDS, ...EVENTS].map(([, label]) => ({ num: label }))],
        sources.map((row) => [row.is_total ? "All sources" : row.source, ...[...RECORDS, ...EVENTS].map(([name]) => count(row[name]))]), { total: sources.length - 1 }),
      el("p", { class: "note" }, "Folded lines are further lines of a receipt that is one touchpoint; ignored events are left out by a rule; unidentified ones name nobody."))
      : el("p", { class: "empty" }, "No file has been read yet."),
    el("div", { class: "halves" },
      card("Could not be read", listed("dead_letter_reasons", "Dead letters by reason", ["Source", "Reason", { num: "Records" }],
        (row) => [row.source, el("span", {}, named(row.reason), el("small", { class: "example" }, row.example)), count(row.records)], "Every record could be read.")),
      el("div", {}, card("Held in quarantine", listed("quarantine_reasons", "Quarantined records by reason", ["Source", "Reason", { num: "Records" }],
        (row) => [row.source, named(row.reason), count(row.records)], "No record is held.")),
      card("Matched by no rule", ...unmatched()),
      card("Who is who", ...identity()))),
    card("Checks of the published numbers", el("ul", { class: "checks" }, rows("checks").map(check))),
    rows("expectations").length ? card("Expectations of every table", table("Expectations by table", ["Table", { num: "Expected" }, { num: "Broken" }],
      rows("expectations").map((row) => [row.table_name, count(row.expected), count(row.broken)]))) : "",
    rows("runs").length ? card("The run that made this", table("Stages of the run", ["Stage", { num: "Took" }, { num: "Rows" }, { num: "Peak memory" }],
      rows("runs").map((row) => [named(row.stage), row.skipped ? "nothing new" : duration(row.duration_s), count(row.rows), row.peak_memory_mb === null ? "–" : `${count(row.peak_memory_mb)} MB`]))) : "");
}

function card(title, ...content) {
  return el("div", { class: "card" }, el("h3", {}, title), content);
}

function listed(name, caption, head, cells, none) {
  const found = rows(name);
  return found.length ? table(caption, head, found.map(cells)) : el("p", { class: "note" }, none);
}

function unmatched() {
  const [first] = rows("unmatched");
  return [
    first ? el("p", { class: "note" }, `${plural(first.total, "event appears", "events appear")} on the map as “other”. A touchpoint rule would place them.`) : null,
    listed("unmatched", "Events that no rule matched", ["Source", "Event type", "Channel", { num: "Events" }],
      (row) => [row.source, row.event_type ?? "–", named(row.channel), count(row.events)], "Every event has a touchpoint."),
  ];
}

function identity() {
  return [
    table("Figures of identity", ["What", { num: "How many" }], rows("identity").map((row) => [named(row.figure), count(row.value)])),
    rows("identity_rules").length ? el("details", { class: "query" }, el("summary", {}, "What tied the identifiers"), table("Identifiers by rule", ["Namespace", "Tied by", { num: "Identifiers" }, { num: "Events" }],
      rows("identity_rules").map((row) => [row.namespace, row.rule ?? "–", count(row.identifiers), count(row.events)]))) : null,
  ];
}

function check(row) {
  return el("li", { class: row.passed ? "check-holds" : "check-broken" },
    el("span", { class: "tick", "aria-hidden": "true" }, row.passed ? "✓" : "✕"),
    el("span", {}, aside(row.passed ? "Holds: " : "Broken: "), row.promise, row.passed ? null : el("small", {}, `${plural(row.violations, "violation")}, for example: ${(row.examples ?? "").split("\n")[0]}`)));
}
