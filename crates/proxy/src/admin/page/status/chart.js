// A chart over time: lines or stacked areas, with axes, a legend, and a cursor for mouse, finger and keyboard.

import { el, list, say, svg } from "./dom.js";
import { clock, duration } from "./format.js";

const MARGIN = { left: 58, right: 6, top: 8, bottom: 22 };

export class Chart {
  /**
   * `series` are `{ name, colour, value(point), dashed }`, of areas from the bottom up. `format` writes a value, `ticks`
   * finds the ones for the axis, given the largest.
   */
  constructor(parent, { title, series, stacked = false, scale = linear, format, ticks }) {
    Object.assign(this, { title, series, stacked, scale, format, ticks, points: [], at: null });
    this.legend = el("ul", { class: "legend" }, ...series.map((it) => el("li", {}, swatch(it, stacked), it.name)));
    this.svg = svg("svg", { "aria-hidden": "true" });
    this.tip = el("div", { class: "tip", hidden: "" }, el("b"), el("dl"));
    this.plot = el("div", { class: "plot", tabindex: "0", role: "slider", "aria-label": `${title}: moment`,
      "aria-valuemin": "0" }, this.svg, this.tip);
    const caption = el("figcaption", {}, el("h3", {}, title), this.legend);
    parent.append(el("figure", { class: "chart card" }, caption, this.plot));

    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerdown", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.move(null));
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.plot.addEventListener("blur", () => this.move(null));
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  /** Shows `points`, each with its time `t`; the axis spans `from` to `to`, in milliseconds. */
  show(points, from, to) {
    // The cursor stays at its moment, not at its place.
    const moment = this.at === null ? null : this.points[this.at]?.t;
    Object.assign(this, { points, from, to });
    if (moment !== null && moment !== undefined) this.at = this.nearest(moment);
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.plot;
    if (width === 0 || this.from === undefined) return;
    const layers = this.stacked ? stack(this.points, this.series) : lines(this.points, this.series);
    const tops = layers.flat().filter((it) => it !== null).map(([, top]) => top);
    const largest = Math.max(0, ...tops);
    const ticks = this.ticks(largest, tops);
    const x = (t) => MARGIN.left + ((t - this.from) / (this.to - this.from)) * (width - MARGIN.left - MARGIN.right);
    const y = this.scale(ticks, height - MARGIN.bottom, MARGIN.top);
    Object.assign(this, { x, y, layers });

    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const marks = [...this.horizontal(ticks, width), ...this.vertical(width, height)];
    if (tops.length === 0 || (largest === 0 && this.stacked)) {
      const text = svg("text", { class: "none", x: (width + MARGIN.left) / 2, y: height / 2 - 8 }, "no requests in this time");
      this.svg.replaceChildren(...marks, text);
    } else {
      const shapes = layers.map((layer, index) => this.shape(layer, this.series[index]));
      this.svg.replaceChildren(...marks, ...shapes, ...this.cursor(height));
    }
    this.tell();
  }

  shape(layer, { colour, dashed }) {
    const at = (index, value) => `${this.x(this.points[index].t).toFixed(1)},${this.y(value).toFixed(1)}`;
    const runs = [];
    layer.forEach((span, index) => {
      if (span === null) return;
      if (index === 0 || layer[index - 1] === null) runs.push([]);
      runs.at(-1).push(index);
    });
    if (this.stacked) {
      const outline = (run) => {
        const top = run.map((index) => at(index, layer[index][1]));
        const bottom = run.map((index) => at(index, layer[index][0])).reverse();
        return `M${[...top, ...bottom].join("L")}Z`;
      };
      return svg("path", { class: `area c-${colour}`, d: runs.map(outline).join("") });
    }
    // A lone point is a line of no length, which its round ends make visible.
    const line = (run) => `M${run.map((index) => at(index, layer[index][1])).join("L")}${run.length === 1 ? "h0" : ""}`;
    return svg("path", { class: `line c-${colour}${dashed ? " dashed" : ""}`, d: runs.map(line).join("") });
  }

  horizontal(ticks, width) {
    return ticks.flatMap((tick, index) => {
      const height = this.y(tick);
      const line = { class: index === 0 ? "axis" : "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: height, y2: height };
      const label = { x: MARGIN.left - 6, y: height + 4, "text-anchor": "end" };
      return [svg("line", line), svg("text", label, plain(this.format(tick)))];
    });
  }

  vertical(width, height) {
    const step = roundTime((this.to - this.from) / Math.max(1, Math.floor((width - MARGIN.left) / 100)));
    const marks = [];
    for (let t = Math.ceil(this.from / step) * step; t <= this.to; t += step) {
      const x = this.x(t);
      const anchor = x > width - 32 ? "end" : "middle";
      marks.push(svg("text", { x, y: height - 5, "text-anchor": anchor }, clock(t, step < 60_000)));
    }
    return marks;
  }

  cursor(height) {
    if (this.at === null) return [];
    const x = this.x(this.points[this.at].t);
    const line = svg("line", { class: "cursor", x1: x, x2: x, y1: MARGIN.top, y2: height - MARGIN.bottom });
    const dots = this.layers.map((layer, index) => {
      const span = layer[this.at];
      return span === null ? null
        : svg("circle", { class: `dot c-${this.series[index].colour}`, cx: x, cy: this.y(span[1]), r: 3.5 });
    });
    return [line, ...dots.filter((it) => it && !this.stacked)];
  }

  /** The values at the cursor, shown beside it and, to those who do not see it, told by the slider's text. */
  tell() {
    const point = this.points[this.at ?? this.points.length - 1];
    this.plot.setAttribute("aria-valuemax", String(Math.max(this.points.length - 1, 0)));
    this.plot.setAttribute("aria-valuenow", String(this.at ?? Math.max(this.points.length - 1, 0)));
    if (!point) return this.plot.setAttribute("aria-valuetext", "nothing yet");
    const text = (series) => {
      const value = series.value(point);
      return value === null ? "–" : this.format(value);
    };
    // As they are stacked: the topmost first.
    const told = this.stacked ? this.series.toReversed() : this.series;
    const spoken = told.map((it) => `${it.name} ${text(it)}`).join(", ");
    const ago = this.to - point.t < 1500 ? "now" : `${duration(this.to - point.t)} ago`;
    this.plot.setAttribute("aria-valuetext", `${clock(point.t, true)}, ${ago}: ${spoken}`);
    this.tip.hidden = this.at === null;
    if (this.at === null) return;
    say(this.tip.firstElementChild, `${clock(point.t, true)} · ${ago}`);
    const pairs = told.flatMap((it) => [{ name: "dt", text: it.name }, { name: "dd", text: text(it) }]);
    list(this.tip.lastElementChild, pairs, () => el("dt"), (element, it) => {
      if (element.localName === it.name) return say(element, it.text);
      element.replaceWith(el(it.name, {}, it.text));
    });
    const x = this.x(point.t);
    const room = this.plot.clientWidth - this.tip.offsetWidth;
    const beside = x + 12 > room ? x - 12 - this.tip.offsetWidth : x + 12;
    this.tip.style.left = `${Math.max(0, Math.min(beside, room))}px`;
  }

  point(event) {
    const place = event.clientX - this.plot.getBoundingClientRect().left - MARGIN.left;
    const share = place / (this.plot.clientWidth - MARGIN.left - MARGIN.right);
    this.move(this.nearest(this.from + share * (this.to - this.from)));
  }

  key(event) {
    const last = this.points.length - 1;
    const at = this.at ?? last;
    const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowDown: at - 1, ArrowUp: at + 1, PageUp: at + 30,
      PageDown: at - 30, Home: 0, End: last, Escape: null };
    if (!(event.key in steps) || last < 0) return;
    event.preventDefault();
    const to = steps[event.key];
    this.move(to === null ? null : Math.min(Math.max(to, 0), last));
  }

  move(at) {
    if (at === this.at) return;
    this.at = at;
    this.draw();
  }

  nearest(t) {
    if (this.points.length === 0) return null;
    const step = this.points.length > 1 ? this.points[1].t - this.points[0].t : 1;
    const index = Math.round((t - this.points[0].t) / step);
    return Math.min(Math.max(index, 0), this.points.length - 1);
  }
}

/** Without the noughts that say how precise a measure is: a tick is exact. */
function plain(text) {
  return text.replace(/\.(\d*?)0+(?!\d)/, (_, digits) => (digits === "" ? "" : `.${digits}`));
}

function swatch({ colour, dashed }, stacked) {
  const mark = stacked ? svg("rect", { class: `area c-${colour}`, width: 18, height: 10, rx: 2 })
    : svg("path", { class: `line c-${colour}${dashed ? " dashed" : ""}`, d: "M1 5H17" });
  return svg("svg", { class: "swatch", viewBox: "0 0 18 10", "aria-hidden": "true" }, mark);
}

/** For each series, the bottom and the top of each point. */
function stack(points, series) {
  const heights = points.map(() => 0);
  return series.map(({ value }) => points.map((point, index) => {
    const bottom = heights[index];
    heights[index] += value(point) ?? 0;
    return [bottom, heights[index]];
  }));
}

function lines(points, series) {
  return series.map(({ value }) => points.map((point) => {
    const it = value(point);
    return it === null ? null : [0, it];
  }));
}

export function linear(ticks, bottom, top) {
  const largest = ticks.at(-1);
  return (value) => bottom - (value / largest) * (bottom - top);
}

export function logarithmic(ticks, bottom, top) {
  const [low, high] = [Math.log(ticks[0]), Math.log(ticks.at(-1))];
  return (value) => bottom - ((Math.log(Math.max(value, ticks[0])) - low) / (high - low)) * (bottom - top);
}

/** From nought, in three to five round steps; at least to `least`. */
export function decimal(least) {
  return steps(least, (rough) => {
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 2.5, 5, 10].map((it) => it * power).find((it) => it >= rough);
  });
}

/** The same in powers of two, which are round in KiB and in MiB. */
export function binary(least) {
  return steps(least, (rough) => 2 ** Math.ceil(Math.log2(rough)));
}

function steps(least, roundUp) {
  return (largest) => {
    const top = Math.max(largest, least);
    const step = roundUp(top / 4);
    return Array.from({ length: Math.ceil(top / step - 1e-9) + 1 }, (_, index) => index * step);
  };
}

/** The next longer time between two marks of a clock, in milliseconds. */
function roundTime(least) {
  const seconds = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
  return 1000 * (seconds.find((it) => it * 1000 >= least) ?? 3600);
}

/** Powers of ten around all values. */
export function decades(largest, values) {
  const low = 10 ** Math.floor(Math.log10(Math.max(1, Math.min(...values, 1e9))));
  const from = values.length > 0 ? Math.min(low, 1e6) : 100;
  const ticks = [from];
  while (ticks.at(-1) < largest || ticks.length < 3) ticks.push(ticks.at(-1) * 10);
  return ticks;
}
