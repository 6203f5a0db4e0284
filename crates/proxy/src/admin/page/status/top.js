// The objects asked for most.

import { byId, bar, el, list, say, showBar } from "./dom.js";
import { percent } from "./format.js";

let measure = "requests";
let latest = null;

export function startTop(choose) {
  byId("measure").addEventListener("change", (event) => {
    measure = event.target.value;
    if (latest) showTop(latest);
  });
  byId("top").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) choose(button.dataset.url);
  });
}

export function showTop(status) {
  latest = status;
  const { total, heaviest } = status.top[measure];
  const largest = heaviest[0]?.weight ?? 1;
  list(byId("top"), heaviest, make, (element, it) => {
    const [name, share, button, gauge] = element.children;
    say(name.firstElementChild, it.cut ? `${it.url}…` : it.url);
    // Why it was answered as it was. It is a parameter there, and whatever it has in it is escaped.
    name.firstElementChild.setAttribute("href", `explain?url=${encodeURIComponent(it.url)}`);
    say(share, percent(it.weight / total));
    showBar(gauge, it.weight / largest);
    button.dataset.url = it.url;
    // What was cut is not the URL.
    button.disabled = it.cut;
    button.setAttribute("aria-label", `Purge ${it.url} …`);
  });
  const note = heaviest.length === 0 ? "Nothing was asked for yet."
    : `Shares of all ${measure} of about the last quarter of an hour, estimated from below.`;
  say(byId("top-note"), note);
}

function make() {
  const gauge = bar();
  gauge.firstElementChild.setAttribute("fill-opacity", "0");
  return el("li", {}, el("code", {}, el("a")), el("b"), el("button", { type: "button" }, "Purge…"), gauge);
}
