// SPDX-License-Identifier: Apache-2.0
// What the dashboard is drawn with: words for numbers, bars and plots. Nothing here makes HTML of
// text: a text reaches the page as textContent or as an attribute's value.

const POINTS = 120; // of a plot: two minutes

// An element with these properties, its class among them, and these children.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

// Sets a text only where it changes: screen readers and selections are left alone.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setState(node, text, kind) {
  say(node, text);
  node.className = `state ${kind}`;
}

/* Words for numbers. */

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${units[unit]}`;
}

export function duration(ns) {
  if (ns === null) return "–";
  const [divisor, unit] = ns >= 1e9 ? [1e9, "s"] : ns >= 1e6 ? [1e6, "ms"] : [1e3, "µs"];
  return `${Number((ns / divisor).toPrecision(3))} ${unit}`;
}

export function number(value) {
  if (value === null) return "–";
  return value >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(2)));
}

// "1 VM", "2 VMs".
export const count = (value, what) => `${value.toLocaleString("en")} ${what}${value === 1 ? "" : "s"}`;

export const percent = (value) => (value === null ? "–" : `${Math.round(value)} %`);

/* Bars. */

// A bar with its words below: set(value, limit, text, marks) with null for a limit that is not.
export class Meter {
  constructor(label) {
    this.fill = element("i");
    this.bar = element("div", { className: "bar", role: "meter", ariaLabel: label }, this.fill);
    this.words = element("span");
    this.node = element("div", { className: "meter" }, this.bar, this.words);
    this.marks = [];
    this.bar.ariaValueMin = "0";
    this.bar.ariaValueMax = "100";
  }

  set(value, limit, text, marks = []) {
    const part = limit ? Math.min(100, (100 * (value ?? 0)) / limit) : 0;
    this.fill.style.width = `${part}%`;
    this.bar.classList.toggle("full", part >= 95);
    this.bar.ariaValueNow = String(Math.round(part));
    this.bar.ariaValueText = text;
    say(this.words, text);
    while (this.marks.length < marks.length) {
      this.marks.push(element("b"));
      this.bar.append(this.marks.at(-1));
    }
    this.marks.forEach((mark, i) => {
      mark.hidden = !marks[i];
      mark.style.left = `${marks[i] ?? 0}%`;
    });
  }

  setBytes(used, limit) {
    this.set(used, limit, limit ? `${bytes(used)} of ${bytes(limit)}` : `${bytes(used)}, no limit`);
  }
}

/* Plots. */

const SVG = "http://www.w3.org/2000/svg";

// The next of 1, 2, 5, 10, 20, ... that is not below the value.
function ceiling(value) {
  const decade = 10 ** Math.floor(Math.log10(value));
  return decade * [1, 2, 5, 10].find((step) => step * decade >= value);
}

// Some series of numbers over time, drawn in a box whose size never changes.
export class Plot {
  constructor(title, names, words, least) {
    this.title = title;
    this.names = names;
    this.words = words; // of a value
    this.least = least; // the smallest top of the axis
    this.legend = names.map((_, i) => element("span", { className: `s${i}` }));
    this.top = element("span");
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("viewBox", `0 0 ${POINTS - 1} 100`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("role", "img");
    this.paths = names.map((_, i) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", `s${i}`);
      this.svg.append(path);
      return path;
    });
    this.node = element(
      "figure",
      {},
      element("figcaption", {}, element("strong", { textContent: title }), ...this.legend),
      element("div", { className: "plot" }, this.svg, this.top),
    );
    this.clear();
  }

  clear() {
    this.series = this.names.map(() => []);
    this.draw();
  }

  add(values) {
    this.series.forEach((points, i) => {
      points.push(values[i]);
      if (points.length > POINTS) points.shift();
    });
    this.draw();
  }

  draw() {
    const top = ceiling(Math.max(this.least, ...this.series.flat().filter((value) => value !== null)));
    const now = this.series.map((points) => this.words(points.at(-1) ?? null));
    say(this.top, this.words(top));
    this.series.forEach((points, i) => {
      say(this.legend[i], `${this.names[i]} ${now[i]}`);
      this.paths[i].setAttribute("d", this.line(points, top));
    });
    this.svg.setAttribute("aria-label", `${this.title}: ${this.names.map((name, i) => `${name} ${now[i]}`).join(", ")}`);
  }

  // The newest point is at the right; where there is no value, the line has a gap.
  line(points, top) {
    let path = "";
    points.forEach((value, i) => {
      if (value === null) return;
      const x = POINTS - points.length + i;
      const y = (99 - (96 * value) / top).toFixed(1);
      const begins = i === 0 || points[i - 1] === null;
      path += begins ? `M${x - 1} ${y}L${x} ${y}` : `L${x} ${y}`;
    });
    return path;
  }
}
