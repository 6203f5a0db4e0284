// The status page: asks for /status.json once a second while somebody looks, and shows it.

import { Chart, binary, decades, decimal, linear, logarithmic } from "./status/chart.js";
import { byId, el, list, say } from "./status/dom.js";
import { bytes, clock, count, duration, micros, percent, rate } from "./status/format.js";
import { History, answered, byteRatio, bytesSent, fromCache, hitRatio, perSecond, shared, trailing } from "./status/history.js";
import { proposePurge, showPurge, startPurge } from "./status/purge.js";
import { showTiers } from "./status/tiers.js";
import { showTop, startTop } from "./status/top.js";
import { showVerdict } from "./status/verdict.js";

const EVERY = 1000;
const SLOWEST = 10_000;
const PATIENCE = 5000;

const history = new History();
const charts = makeCharts(byId("charts"));
let range = "seconds";
let latest = null;
let heard = null;
let failures = 0;
let timer = null;
let asking = false;

async function ask() {
  timer = null;
  if (document.hidden || asking) return;
  asking = true;
  const answer = await hear().catch(() => null);
  asking = false;
  failures = answer === null ? failures + 1 : 0;
  if (!document.hidden) timer = setTimeout(ask, Math.min(EVERY * 2 ** Math.max(failures - 1, 0), SLOWEST));
  if (answer === null) return lose();
  heard = Date.now();
  latest = answer;
  history.merge(latest);
  show();
}

async function hear() {
  const signal = AbortSignal.timeout(PATIENCE);
  const response = await fetch(`status.json?${history.query}`, { signal, cache: "no-store", credentials: "omit" });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

function show() {
  document.body.dataset.link = "live";
  say(byId("link"), "live");
  byId("lost").hidden = true;
  say(byId("name"), latest.name);
  say(byId("host"), location.host);
  say(byId("about"), `· version ${latest.version} · up for ${duration(latest.uptime_ms)}`);
  const minute = history.last(60);
  showVerdict(latest, minute);
  showFigures(minute);
  showTiers(latest, history.last(300));
  showUpstreams(latest);
  showTop(latest);
  showPurge(latest.purge);
  showCharts();
}

function lose() {
  document.body.dataset.link = "lost";
  say(byId("link"), "connection lost");
  const since = heard === null ? "The proxy's admin listener does not answer." : `The proxy's admin listener does not answer. What is shown is of ${clock(heard, true)}, ${duration(Date.now() - heard)} ago.`;
  say(byId("lost"), `Connection lost. ${since} Trying again.`);
  byId("lost").hidden = false;
  if (!document.title.startsWith("✖")) document.title = `✖ connection lost · ${location.host}`;
}

function showFigures(minute) {
  const ten = history.last(10);
  const { cache, origin } = history.latency;
  const figures = [
    ["Hit ratio, 1 min", percent(hitRatio(minute)), `of requests · ${percent(byteRatio(minute))} of bytes`],
    ["Requests", `${rate(perSecond(ten, answered(ten)))}/s`, `${count(latest.in_flight)} being served now`],
    ["Throughput", `${bytes(perSecond(ten, bytesSent(ten)))}/s`, `${bytes(perSecond(ten, ten.bytes_cache))}/s from the cache`],
    ["Cache, p99", micros(cache[1]), `${micros(cache[0])} in the median`],
    ["Origin, p99", micros(origin[1]), `${micros(origin[0])} in the median`],
    ["Errors, 1 min", count(minute.error), `${count(minute.aborted)} clients left early`, minute.error >= 2 && minute.error > answered(minute) / 1000],
  ];
  const make = () => el("div", {}, el("dt"), el("dd"), el("dd"));
  list(byId("figures"), figures, make, (element, [name, value, more, alarm]) => {
    [name, value, more].forEach((text, index) => say(element.children[index], text));
    element.dataset.alarm = String(Boolean(alarm));
  });
}

function showUpstreams({ upstreams }) {
  byId("upstreams-section").hidden = upstreams.length === 0;
  const make = () => el("li", { class: "card" }, el("code"), el("span", { class: "badge" }));
  list(byId("upstreams"), upstreams, make, (element, { group, address, healthy }) => {
    const [state, text] = healthy === null ? ["", "not known yet"] : healthy ? ["ok", "healthy"] : ["bad", "not healthy"];
    say(element.firstElementChild, group === "default" ? address : `${group}: ${address}`);
    element.lastElementChild.dataset.state = state;
    say(element.lastElementChild, text);
  });
}

function makeCharts(parent) {
  const ratio = (of) => (point) => of(point.window);
  const speed = (of) => (point) => perSecond(point.row, of(point.row));
  const took = (key) => (point) => point.row[key];
  return [
    new Chart(parent, { title: "Hit ratio", scale: linear, format: percent, ticks: () => [0, 0.25, 0.5, 0.75, 1], series: [
      { name: "of requests", colour: "cache", value: ratio(hitRatio) },
      { name: "of bytes", colour: "origin", value: ratio(byteRatio), dashed: true }] }),
    new Chart(parent, { title: "Requests per second", stacked: true, format: rate, ticks: decimal(2), series: [
      { name: "hit", colour: "cache", value: speed(fromCache) },
      { name: "shared or revalidated", colour: "shared", value: speed(shared) },
      { name: "miss", colour: "origin", value: speed((it) => it.miss) },
      { name: "not stored", colour: "pass", value: speed((it) => it.pass) },
      { name: "error", colour: "errors", value: speed((it) => it.error) }] }),
    new Chart(parent, { title: "Bytes per second", stacked: true, format: bytes, ticks: binary(4096), series: [
      { name: "from the cache", colour: "cache", value: speed((it) => it.bytes_cache) },
      { name: "from the origin", colour: "origin", value: speed((it) => it.bytes_origin) }] }),
    new Chart(parent, { title: "Time to the last byte", scale: logarithmic, format: micros, ticks: decades, series: [
      { name: "cache, median", colour: "cache", value: took("p50_cache_us") },
      { name: "cache, p99", colour: "cache", value: took("p99_cache_us"), dashed: true },
      { name: "origin, median", colour: "origin", value: took("p50_origin_us") },
      { name: "origin, p99", colour: "origin", value: took("p99_origin_us"), dashed: true }] }),
  ];
}

function showCharts() {
  const { rows, every, keep } = history[range];
  // A ratio of one second's requests would jump.
  const windows = trailing(rows, range === "seconds" ? 10 : 6);
  const to = latest.now_ms;
  const points = rows.map((row, index) => ({ t: to - (rows.length - 1 - index) * every, row, window: windows[index] }));
  // A young process has no hour yet.
  const span = Math.min(Math.max(points.length * every, 60_000), keep * every);
  for (const chart of charts) chart.show(points, to - span, to);
}

byId("range").addEventListener("change", (event) => {
  range = event.target.value;
  if (latest) showCharts();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && timer === null) ask();
});
startTop(proposePurge);
startPurge();
ask();
