/* Numbers as people read them. A missing number is an en dash, never 0. */

const MISSING = "–";
const SYMBOLS = { EUR: "€", USD: "$", GBP: "£", JPY: "¥", INR: "₹", CHF: "CHF " };
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
const ENDS = { START: "Start", CONVERSION: "Conversion", DROP_OFF: "Drop-off", OPEN: "Still open", MORE: "Goes on" };

/** A count in full up to a million, then shortened. */
export function count(value) {
  if (value === null || value === undefined) return MISSING;
  for (const [size, letter] of [[1e9, "B"], [1e6, "M"]]) {
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(3))}${letter}`;
  }
  return Math.round(value).toLocaleString("en");
}

/** A share as a percentage that never rounds something to nothing, or to everything. */
export function percent(share, places = 0) {
  if (share === null || share === undefined) return MISSING;
  const least = 10 ** -places;
  if (share > 0 && 100 * share < least / 2) return `<${least.toFixed(places)}%`;
  if (share < 1 && 100 * share > 100 - least / 2) return `>${(100 - least).toFixed(places)}%`;
  return `${(100 * share).toFixed(places)}%`;
}

/** What `make` gives with as few digits as tell its two ends apart, if two more than usual can do it. */
function apart(make) {
  const told = [0, 1, 2].map(make);
  return told.find(([low, high]) => low !== high) ?? told[0];
}

/** A 95% interval of a share; empty if there is none. */
export function interval(low, high, places = 1) {
  if (low === null || low === undefined || high === null || high === undefined) return "";
  const ends = apart((more) => [Math.max(0, low), high].map((end) => (100 * end).toFixed(places + more)));
  return `${ends.join("–")}%`;
}

/** An interval in words, by a function of a value and the digits more than usual; empty if there is none. */
export function fromTo(show, low, high) {
  if (low === null || low === undefined || high === null || high === undefined) return "";
  return apart((more) => [show(low, more), show(high, more)]).join(" to ");
}

/** A duration in its largest unit, to two digits. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return MISSING;
  for (const [size, unit] of UNITS) {
    if (seconds >= size) {
      const amount = seconds / size;
      return `${amount >= 10 ? count(amount) : amount.toFixed(1).replace(/\.0$/, "")} ${unit}`;
    }
  }
  return seconds === 0 ? "0 s" : "<1 s";
}

/** An amount with its currency; `none` stands for a currency nobody named. */
export function money(value, currency) {
  if (value === null || value === undefined) return MISSING;
  const sign = value < 0 ? "-" : "";
  const size = Math.abs(value);
  const text = size < 1000 ? size.toFixed(2) : count(size);
  if (currency === "none") return sign + text;
  return SYMBOLS[currency] ? sign + SYMBOLS[currency] + text : `${sign}${text} ${currency}`;
}

/** A day, in UTC. */
export function day(iso) {
  return iso === null ? MISSING : new Date(`${iso.slice(0, 10)}T00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
}

/** A month by its name, a week by its first day. */
export function span(period, start) {
  if (period !== "month") return `${period} of ${day(start)}`;
  return new Date(`${start}T00:00Z`).toLocaleDateString("en-GB", { month: "long", year: "numeric", timeZone: "UTC" });
}

/** A touchpoint, stage or channel for readers. */
export function named(identifier) {
  if (!identifier) return MISSING;
  if (ENDS[identifier]) return ENDS[identifier];
  const text = identifier.replaceAll("_", " ");
  return text[0].toUpperCase() + text.slice(1);
}

/** A finding's number in its unit; `more` digits than usual. */
export function measured(unit, value, more = 0) {
  if (value === null || value === undefined) return MISSING;
  if (unit === "seconds") return duration(value);
  if (unit === "score") return `${(100 * value).toFixed(more)} of 100`;
  if (unit === "ratio") return `${value.toFixed(2 + more)}×`;
  return percent(value, 1 + more);
}

/** A word for one or several. */
export function plural(n, one, many = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : many}`;
}
