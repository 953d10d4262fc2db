/* The evidence behind a number: what it is of, its interval, the SQL that makes it, journeys that show it. */

import { choose, chosen, hue, journeys, people } from "./data.js";
import { el } from "./dom.js";
import { day, duration, named, plural } from "./wording.js";

const body = el("div", {});
const dialog = el("dialog", { id: "evidence", "aria-labelledby": "evidence-title", onclick: (event) => { if (event.target === dialog) dialog.close(); } },
  el("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "×"), body);

/** The dialog, to be put in the page once. */
export function evidenceDialog() {
  return dialog;
}

/**
 * Open the evidence: eyebrow, title, words, facts [{label, value, note, other}], sql [{label, text}],
 * examples (numbers of journeys), of (what the examples show).
 */
export function showEvidence({ eyebrow, title, words, facts = [], sql = [], examples = [], of = "" }) {
  const shown = examples.slice(0, 5).map((i) => journeys()[i]);
  body.replaceChildren(
    el("p", { class: "eyebrow" }, eyebrow),
    el("h3", { id: "evidence-title" }, title),
    words ? el("p", { class: "words" }, words) : "",
    facts.length ? el("dl", { class: "facts" }, facts.map((fact) => el("div", {},
      el("dt", {}, fact.label),
      el("dd", {}, fact.value, fact.note ? el("small", {}, fact.note) : null, fact.other ? el("small", { class: "other" }, fact.other) : null)))) : "",
    ...sql.flatMap(({ label, text }) => [el("h4", {}, label), query(text)]),
    shown.length ? el("h4", {}, `${plural(shown.length, "journey")} ${of}`) : of ? el("p", { class: "note" }, "No example of it is on this page; the query finds all.") : "",
    el("div", { class: "examples" }, shown.map((journey) => timeline(journey))),
    shown.length ? el("button", { type: "button", class: "link", onclick: () => {
      dialog.close();
      choose({ pattern: `id:${shown.map((j) => j.journey_id).join(",")}`, outcome: "", persona: "" });
      location.hash = "journeys";
    } }, "Open them among the journeys") : "",
  );
  dialog.showModal();
  dialog.scrollTop = 0;
}

/** A query with its copy button. */
export function query(text) {
  const code = el("code", {}, text);
  const button = el("button", { type: "button", class: "copy", onclick: async () => {
    getSelection().selectAllChildren(code);
    try { await navigator.clipboard.writeText(text); } catch { document.execCommand("copy"); }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy SQL"; }, 1600);
  } }, "Copy SQL");
  return el("div", { class: "sql" }, el("pre", { tabindex: "0", role: "region", "aria-label": "SQL" }, code), button);
}

/** Steps with repeats of a touchpoint in a channel folded: {step, times, dwell}. */
function folded(steps) {
  const found = [];
  for (const step of steps) {
    const last = found.at(-1);
    if (last && last.step.touchpoint === step.touchpoint && last.step.channel === step.channel) {
      last.times += 1;
      last.dwell = step.dwell;
    } else found.push({ step, times: 1, dwell: step.dwell });
  }
  return found;
}

const OUTCOMES = { converted: "Converted", lapsed: "Dropped off", open: "Still open" };

/** A journey as a timeline: steps from left to right, a lane for each channel. */
export function timeline(journey, mark = () => false) {
  const steps = folded(journey.steps);
  const lanes = [...new Set(steps.map(({ step }) => step.channel))];
  const cut = journey.steps_all - journey.steps.length;
  return el("article", { class: "journey" },
    el("header", {},
      el("span", { class: `outcome outcome-${journey.outcome}` }, OUTCOMES[journey.outcome]),
      el("code", {}, journey.journey_id),
      el("small", {}, `${day(journey.started_at)} · ${plural(journey.steps_all, "touchpoint")}${cut ? `, first ${journey.steps.length} shown` : ""}`),
      people.has(journey.customer_id) && chosen.person !== journey.customer_id ? el("button", { type: "button", class: "link", onclick: () => {
        dialog.close();
        choose({ person: journey.customer_id });
        location.hash = "map";
        scrollTo(0, 0);
      } }, "All they did") : null),
    el("div", { class: "lanes-scroll", tabindex: "0", role: "region", "aria-label": `Timeline of journey ${journey.journey_id}` },
      el("div", { class: "lanes", style: { "--lanes": lanes.length } },
        lanes.map((lane, i) => el("span", { class: "lane", style: { "grid-row": i + 1 } }, named(lane))),
        el("ol", { class: "steps" }, steps.map(({ step, times, dwell }, i) => el("li",
          { class: `step hue-${hue(step.stage)}${step.converts ? " step-converts" : ""}${mark(step) ? " step-marked" : ""}`, style: { "grid-row": lanes.indexOf(step.channel) + 1, "grid-column": i + 2 } },
          el("span", { class: "step-name" }, named(step.touchpoint), times > 1 ? el("b", {}, ` ×${times}`) : null),
          i < steps.length - 1 && dwell >= 3600 ? el("span", { class: "wait" }, duration(dwell)) : null,
          el("span", { class: "away" }, ` ${named(step.channel)}, ${named(step.stage)}`)))))));
}
