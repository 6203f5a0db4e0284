// What an operator wants to know first: is it well, and if not, what is wrong and what that means.

import { byId, el, list, say } from "./dom.js";
import { count, percent } from "./format.js";

const SIGNS = {
  ok: "M4 12.5l5.5 5.5L20 7",
  warn: "M12 3L22 20H2zM12 9.5v5M12 17.6v.1",
  bad: "M5 5l14 14M19 5L5 19",
  starting: "M12 6v6l4 3M12 3a9 9 0 1 0 .1 0",
};
const ICONS = { ok: ["%2300795c", "●"], warn: ["%23b35c00", "▲"], bad: ["%23c0271c", "✖"], starting: ["%23b35c00", "◌"] };
const RANK = ["ok", "starting", "warn", "bad"];

export function showVerdict(status, minute) {
  const findings = find(status, minute);
  const state = findings.reduce((worst, it) => (RANK.indexOf(it.state) > RANK.indexOf(worst) ? it.state : worst), "ok");
  const headline = { ok: "Healthy", starting: "Starting", warn: "Degraded", bad: "Failing" }[state];
  const section = byId("verdict");
  section.dataset.state = state;
  byId("sign").setAttribute("d", SIGNS[state]);
  say(byId("judgement"), headline);
  const reasons = findings.length > 0 ? findings : [{ text: calm(minute) }];
  list(byId("reasons"), reasons, () => el("li"), (element, it) => say(element, it.text));
  const [colour, sign] = ICONS[state];
  const icon = `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='7' fill='${colour}'/></svg>`;
  if (byId("icon").getAttribute("href") !== icon) byId("icon").setAttribute("href", icon);
  const title = `${sign} ${headline} · ${status.name} ${location.host}`;
  if (document.title !== title) document.title = title;
}

function find(status, minute) {
  const findings = [];
  const add = (state, text) => findings.push({ state, text });
  if (status.status === "starting") add("starting", "The tiers are being opened. No request is served before they are.");
  for (const tier of status.tiers) {
    const name = `${tier.level} (${tier.role})`;
    if (tier.breaker === "open") {
      add("warn", `${name} fails and is left alone for a while: its breaker is open. Requests do without it; what only it holds is fetched from the origin.`);
    } else if (tier.breaker === "half-open") {
      add("warn", `${name} failed. It is due to be tried again with the next request that needs it.`);
    }
    if (tier.corrupt > 0) {
      add("warn", `${name} returned other bytes than were stored ${times(tier.corrupt)} since the start. None of them were served. Check its disk.`);
    }
  }
  for (const group of new Set(status.upstreams.map((it) => it.group))) {
    const servers = status.upstreams.filter((it) => it.group === group);
    const sick = servers.filter((it) => it.healthy === false);
    if (sick.length === 0) continue;
    const all = sick.length === servers.length;
    const which = group === "default" ? "origin" : `origin of ${group}`;
    const names = sick.map((it) => it.address).join(", ");
    add(all ? "bad" : "warn", `${all ? `No ${which} is` : `An ${which} is not`} healthy: ${names}.`);
  }
  const ended = minute.hit + minute.stale + minute.collapsed + minute.revalidated + minute.stale_on_error + minute.miss
    + minute.pass + minute.error;
  const share = ended > 0 ? minute.error / ended : 0;
  if (share >= 0.01 && minute.error >= 2) {
    const what = `${percent(share)} of the requests of the last minute ended with an error of this proxy or of the origin.`;
    add(share >= 0.05 ? "bad" : "warn", what);
  }
  if (minute.stale_on_error > 0) {
    add("warn", `The origin fails: ${count(minute.stale_on_error)} requests of the last minute were answered with what is stored, stale.`);
  }
  return findings;
}

function calm(minute) {
  const idle = "Every tier answers. There was no request within the last minute.";
  return minute.hit + minute.miss + minute.pass + minute.collapsed > 0 ? "Every tier answers, and requests are served." : idle;
}

function times(number) {
  return number === 1 ? "once" : `${count(number)} times`;
}
