// Elements, and how numbers and times are written. Whatever comes from the application becomes text, never markup.

/** An element with attributes and children; strings become text. */
export function make(tag, attributes = {}, ...children) {
  return finish(document.createElement(tag), attributes, children);
}

/** The same of SVG. */
export function draw(tag, attributes = {}, ...children) {
  return finish(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function finish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

export const find = (id) => document.getElementById(id);

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Makes the rows of a table be `rows`: lists of texts and elements. What stays as it is is not touched, so that it can be selected and read. */
export function fill(body, rows, empty = "none") {
  const width = body.closest("table").querySelectorAll("thead th").length;
  const shown = rows.length ? rows : [[make("em", {}, empty)]];
  while (body.rows.length > shown.length) body.deleteRow(-1);
  shown.forEach((cells, at) => {
    const row = body.rows[at] ?? body.insertRow();
    while (row.cells.length > cells.length) row.deleteCell(-1);
    cells.forEach((cell, column) => {
      const place = row.cells[column] ?? row.insertCell();
      if (!(cell instanceof Node)) return say(place, String(cell ?? ""));
      if (!place.firstChild?.isEqualNode(cell) || place.childNodes.length > 1) place.replaceChildren(cell);
    });
    row.cells[0].colSpan = cells.length < width ? width : 1;
  });
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const number = (value) => (value === undefined ? "" : whole.format(value));

/** Records a second. */
export function rate(value) {
  if (value === undefined) return "";
  return value > 0 && value < 9.95 ? `${value.toFixed(1)}/s` : `${whole.format(value)}/s`;
}

export function bytes(value) {
  if (value === undefined) return "";
  const units = ["B", "KiB", "MiB", "GiB"];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${(value / 1024 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

/** A length of time. */
export function span(ms) {
  if (ms === undefined || ms < 0) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 90) return `${seconds.toFixed(1)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** A point in time. */
export function instant(ms) {
  if (ms === undefined) return "";
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString().replace("T", " ").replace("Z", "");
}

export const sum = (values) => values.reduce((all, one) => all + one, 0);
