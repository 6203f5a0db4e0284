// Everything shown is made here, and only as text: a URL may have any characters, and none of them is markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** An element with these attributes and children. A child may be text. */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Changes the text only if it is another: what is read aloud is read once. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Brings `parent` to as many children as there are `items`, and lets `show` fill each. */
export function list(parent, items, make, show) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  while (parent.children.length < items.length) parent.append(make());
  items.forEach((item, index) => show(parent.children[index], item, index));
}

/** A term and its value, for a `dl`. */
export function pair() {
  return el("div", {}, el("dt"), el("dd"));
}

export function showPair(element, { name, value, alarm }) {
  say(element.children[0], name);
  say(element.children[1], value);
  element.dataset.alarm = String(Boolean(alarm));
}

/** A bar that is filled to `share` of its width. */
export function bar() {
  const whole = { width: "100%", height: "100%", rx: 2 };
  return svg("svg", { "aria-hidden": "true" }, svg("rect", whole), svg("rect", { ...whole, width: 0 }));
}

export function showBar(element, share) {
  element.lastElementChild.setAttribute("width", `${(Math.min(Math.max(share, 0), 1) * 100).toFixed(1)}%`);
}
