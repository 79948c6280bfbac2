// Building elements. Text always goes in as text: nothing in the data is ever read as markup.

const byId = (id) => document.getElementById(id);

// el("button", {class: "chip", onclick: f, "aria-pressed": "true"}, "words", child, ...)
function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

function replace(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
}

// A labelled <select>; options are [value, text] pairs, a group is {label, options}.
function choice(label, value, options, onchange) {
  const option = ([key, text]) => el("option", { value: key, selected: String(key) === String(value) }, text);
  const select = el(
    "select",
    { onchange: (event) => onchange(event.target.value) },
    options.map((item) => (item.options
      ? el("optgroup", { label: item.label }, item.options.map(option))
      : option(item))),
  );
  return el("label", { class: "field" }, el("span", {}, label), select);
}

// A slider for a number of the state; it follows when the number is changed elsewhere.
function slider(label, key, low, high, step) {
  const oninput = (event) => update({ [key]: Number(event.target.value) }, true);
  return el(
    "label",
    { class: "field" },
    el("span", {}, label),
    el("input", { type: "range", min: low, max: high, step, value: STATE[key], "data-key": key, oninput }),
  );
}

// A row of buttons of which one is pressed.
function segmented(label, value, options, onchange) {
  return el(
    "div",
    { class: "segmented", role: "group", "aria-label": label },
    options.map(([key, text, hint]) => el(
      "button",
      { type: "button", "data-value": key, title: hint, "aria-pressed": String(key === value), onclick: () => onchange(key) },
      text,
    )),
  );
}

function number(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value)) return String(value);
  if (size >= 1000 || size < 0.001) return String(Number(value.toPrecision(digits)));
  return value.toPrecision(digits);
}

const signed = (value, digits) => (value > 0 ? "+" : "") + number(value, digits).replace("-", "−");
