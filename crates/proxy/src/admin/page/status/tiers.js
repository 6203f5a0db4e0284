// One card for each tier: how it is, how full, what it serves, and how the ways of bodies into it ended.

import { bar, byId, el, list, pair, say, showBar, showPair } from "./dom.js";
import { bytes, count, percent } from "./format.js";

const BREAKERS = { closed: ["ok", "answers"], open: ["bad", "left alone"], "half-open": ["warn", "on trial"] };

/** Why a body did not get into a tier, and whether that is somebody's fault. */
const CAUSES = [["failed", true], ["lagged", true], ["no_memory", true], ["fenced", false], ["oversize", false], ["aborted", false]];
const CAUSE_NAMES = { no_memory: "no memory" };

/** `recent` are sums of the last five minutes. */
export function showTiers(status, recent) {
  list(byId("tiers"), status.tiers, make, (element, tier) => show(element, tier, recent));
  const { bodies, memory_bytes: used, memory_limit_bytes: limit } = status.in_progress;
  const under = bodies === 1 ? "1 body" : `${count(bodies)} bodies`;
  say(byId("progress"), `${under} on the way from the origin · ${bytes(used)} of ${bytes(limit)} of memory for that`);
}

function make() {
  const heading = el("header", {}, el("h3", {}, "", el("span")), el("span", { class: "badge" }));
  const meter = () => el("div", { class: "meter" }, el("p", {}, el("span"), el("span")), bar());
  const head = ["into it", "now", "done", "not done"].map((name, index) => el("th", { scope: "col" }, index === 0 ? "" : name));
  const table = el("table", { class: "lanes" }, el("caption", {}, "Bodies on their way into it"),
    el("thead", {}, el("tr", {}, ...head)), el("tbody"));
  return el("article", { class: "tier card" }, heading, meter(), meter(), el("dl", { class: "pairs" }), table,
    el("ul", { class: "causes" }));
}

function show(element, tier, recent) {
  const [heading, room, share, pairs, table, causes] = element.children;
  const [state, text] = BREAKERS[tier.breaker] ?? ["warn", tier.breaker];
  element.dataset.breaker = tier.breaker;
  const title = heading.firstElementChild;
  say(title.lastElementChild, ` ${tier.role}`);
  if (title.firstChild !== title.lastElementChild) title.firstChild.data = tier.level;
  else title.prepend(tier.level);
  heading.lastElementChild.dataset.state = state;
  say(heading.lastElementChild, text);

  showRoom(room, tier.usage);
  const part = recent.hit > 0 ? recent[`hit_${tier.level}`] / recent.hit : null;
  showMeter(share, "of all hits, 5 min", percent(part), part ?? 0);

  const looked = tier.hits + tier.misses;
  const told = [
    { name: "objects", value: tier.usage.objects === null ? "–" : count(tier.usage.objects) },
    { name: "served", value: bytes(tier.served_bytes) },
    { name: "lookups", value: count(looked) },
    { name: "found", value: looked > 0 ? percent(tier.hits / looked) : "–" },
    { name: "errors", value: count(tier.errors), alarm: tier.errors > 0 },
    { name: "timeouts", value: count(tier.timeouts), alarm: tier.timeouts > 0 },
    { name: "damaged", value: count(tier.corrupt), alarm: tier.corrupt > 0 },
    { name: "not asked", value: count(tier.rejected), alarm: tier.rejected > 0 },
  ];
  list(pairs, told, pair, showPair);

  const ways = [["from the origin", tier.fills], ["from a tier below", tier.promotions]];
  list(table.tBodies[0], ways, row, (line, [name, lanes]) => {
    const poisoned = CAUSES.reduce((sum, [cause]) => sum + lanes[cause], 0);
    [name, lanes.active, lanes.committed, poisoned].forEach((value, index) => {
      say(line.children[index], index === 0 ? value : count(value));
    });
  });
  const met = CAUSES.map(([cause, fault]) => [cause, fault, tier.fills[cause] + tier.promotions[cause]]);
  const chips = met.filter(([, , number]) => number > 0);
  list(causes, chips, () => el("li"), (chip, [cause, fault, number]) => {
    chip.dataset.alarm = String(fault);
    say(chip, `${count(number)} ${CAUSE_NAMES[cause] ?? cause}`);
  });
  causes.hidden = chips.length === 0;
}

function row() {
  return el("tr", {}, el("th", { scope: "row" }), el("td"), el("td"), el("td"));
}

function showRoom(element, usage) {
  const { bytes: used, limit_bytes: limit } = usage;
  element.hidden = used === null;
  if (element.hidden) return;
  const text = limit === null ? bytes(used) : `${bytes(used)} of ${bytes(limit)}`;
  showMeter(element, "in use", text, limit > 0 ? used / limit : 0);
  element.lastElementChild.toggleAttribute("hidden", limit === null);
}

function showMeter(element, name, text, share) {
  const [line, gauge] = element.children;
  say(line.firstElementChild, name);
  say(line.lastElementChild, text);
  showBar(gauge, share);
}
