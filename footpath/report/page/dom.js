/* Elements made from text alone: nothing here reads markup, so nothing a field holds becomes any. */

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; `on...` is a listener, null and false are left out. */
export function el(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

/** The same for a shape of a drawing. */
export function shape(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, v] of Object.entries(value)) element.style.setProperty(key, v);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Text for screen readers only. */
export function aside(text) {
  return el("span", { class: "away" }, text);
}

/** A table from a head and rows of cells; a cell is text, an element, or {num, text}. */
export function table(caption, head, rows, options = {}) {
  const cell = (value, i) => {
    const number = typeof head[i] === "object" && head[i].num;
    return i === 0
      ? el("th", { scope: "row" }, value)
      : el("td", { class: number ? `num${value === "0" ? " zero" : ""}` : null }, value);
  };
  return el("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {},
      el("caption", { class: "away" }, caption),
      el("thead", {}, el("tr", {}, head.map((h) => el("th", { scope: "col", class: h.num ? "num" : null }, h.num ?? h)))),
      el("tbody", {}, rows.map((row, i) => el("tr", { class: options.total === i ? "total" : null }, row.map(cell)))),
    ));
}

/** A select with groups: [{label, options: [{value, label}]}]; a group without label is bare. */
export function choice(label, groups, value, onchange) {
  const option = (o) => el("option", { value: o.value, selected: o.value === value }, o.label);
  const made = groups.map((g) => g.label ? el("optgroup", { label: g.label }, g.options.map(option)) : g.options.map(option));
  return el("label", { class: "choice" }, el("span", {}, label),
    el("select", { onchange: (event) => onchange(event.target.value) }, made));
}

/** A row of radio buttons that looks like a switch. */
export function toggle(legend, name, options, value, onchange) {
  return el("fieldset", { class: "switch" }, el("legend", { class: "away" }, legend),
    options.map((o) => el("label", {},
      el("input", { type: "radio", name, value: o.value, checked: o.value === value, onchange: () => onchange(o.value) }),
      el("span", {}, o.label))));
}

/** Title and lead of a section. */
export function heading(id, title, lead) {
  return el("div", { class: "title" }, el("h2", { id: `${id}-title`, tabindex: "-1" }, title), lead ? el("p", {}, lead) : null);
}
