// The form that purges. The token is read from its field when it is sent, and kept nowhere else.

import { byId, say } from "./dom.js";

const STATES = [[200, 299, "ok"], [404, 404, "warn"]];

export function startPurge() {
  const form = byId("purge");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    purge(form);
  });
}

/** Fills the form with a URL, to be looked at and sent. */
export function proposePurge(url) {
  byId("purge-url").value = url;
  tell("", "");
  byId("purge").scrollIntoView({ block: "nearest" });
  byId("purge-url").focus();
}

export function showPurge({ token }) {
  const notes = { none: "(none is configured: only addresses that may purge)", accepted: "(not needed from an address that may purge)", required: "(required)" };
  say(byId("token-note"), notes[token] ?? "");
  byId("purge-token").disabled = token === "none";
}

async function purge(form) {
  const button = form.querySelector("button");
  const token = byId("purge-token").value;
  const headers = { "content-type": "application/json" };
  if (token !== "") headers.authorization = `Bearer ${token}`;
  const body = JSON.stringify({ url: byId("purge-url").value.trim(), soft: form.elements.how.value === "soft" });
  button.disabled = true;
  tell("", "purging…");
  try {
    const signal = AbortSignal.timeout(30_000);
    const response = await fetch("purge", { method: "POST", headers, body, signal, credentials: "omit" });
    const state = STATES.find(([from, to]) => response.status >= from && response.status <= to)?.[2] ?? "bad";
    tell(state, `${response.status}: ${(await response.text()).trim()}`);
  } catch (error) {
    tell("bad", `The proxy did not answer (${error.message}): it may have purged or not. Try again.`);
  } finally {
    button.disabled = false;
  }
}

function tell(state, text) {
  const result = byId("purge-result");
  result.dataset.state = state;
  say(result, text);
}
