// What is shown, kept in the address so that a view can be sent to someone or bookmarked.

const listeners = [];

const noiseAxis = () => (dimension("noise") ? "noise" : "g");

function defaults() {
  const many = dimension("prompt") && dimension("prompt").values.length > 1;
  const weights = dimension("weight") ? dimension("weight").values : [];
  return {
    rows: "arm", cols: many ? "prompt" : noiseAxis(), srows: "", scols: "",
    ref: "base", mode: "side", split: 50, amp: 3, size: 72, zoom: 1, limit: "4",
    probe: "", low: "", high: "", claim: "", training: "", theme: "",
    "is.weight": weights.includes("1") ? "1" : weights[0] || "",
    "is.step": dimension("step") ? LAST : "",
  };
}

const DEFAULTS = defaults();
let STATE = readHash();

function readHash() {
  const state = { ...DEFAULTS };
  for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
    if (key.startsWith("is.") || key in DEFAULTS) state[key] = value;
  }
  for (const axis of ["rows", "cols", "srows", "scols"]) {
    if (state[axis] && !dimension(state[axis])) state[axis] = DEFAULTS[axis];
  }
  for (const key of ["split", "amp", "size", "zoom"]) {
    state[key] = Number.isFinite(Number(state[key])) ? Number(state[key]) : DEFAULTS[key];
  }
  return state;
}

function writeHash() {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(STATE)) {
    if (String(value) !== String(DEFAULTS[key] ?? "")) params.set(key, value);
  }
  const text = params.toString();
  if (text === location.hash.slice(1)) return;
  try {
    history.replaceState(null, "", `#${text}`);
  } catch {
    // A page inside another one, as MLflow shows it, has no address of its own to keep.
  }
}

// Change the view. With `quiet` the pictures stay as they are and only their styling follows.
function update(change, quiet = false) {
  STATE = { ...STATE, ...change };
  writeHash();
  for (const listener of listeners) listener(quiet);
}

const onUpdate = (listener) => listeners.push(listener);
const filterOf = (key) => STATE[`is.${key}`] || "";
const AXES = [["rows", "Rows"], ["cols", "Columns"], ["srows", "Super-rows"], ["scols", "Super-columns"]];

// Put a dimension on an axis; one that is there already changes places with it.
function setAxis(axis, key) {
  const change = { [axis]: key, [`is.${key}`]: "" };
  const other = AXES.map(([name]) => name).find((name) => name !== axis && key && STATE[name] === key);
  if (other) change[other] = STATE[axis];
  update(change);
}

const cleared = () => Object.fromEntries(
  Object.keys(STATE).filter((key) => key.startsWith("is.")).map((key) => [key, DEFAULTS[key] ?? ""]),
);

function presets() {
  const base = { ...cleared(), claim: "", low: "", high: "", srows: "", scols: "" };
  const views = [];
  if (dimension("prompt")) {
    views.push(["overview", "Overview", { ...base, rows: "arm", cols: "prompt", limit: "4", probe: "" }]);
    // At equal noise: of training seeds with noises of their own those that all of them have drawn.
    views.push(["seeds", "Every training seed", { ...base, rows: "run", cols: noiseAxis(), srows: "prompt", limit: "all", ...(dimension("block") ? { "is.block": "0" } : {}) }]);
  }
  if (dimension("block") && dimension("prompt")) {
    views.push(["blocks", "Each training seed's own noises", { ...base, rows: "run", cols: "noise", srows: "block", limit: "all", "is.prompt": dimension("prompt").values[0] }]);
  }
  if (dimension("weight") && dimension("weight").values.length > 1) {
    views.push(["dose", "Adapter weight", { ...base, rows: "arm", cols: "weight", srows: "prompt", limit: "4", "is.weight": "" }]);
  }
  if (dimension("step")) {
    views.push(["steps", "Training steps", { ...base, rows: "arm", cols: "step", srows: "prompt", limit: "4", "is.step": "" }]);
  }
  return views;
}

const matchesView = (view) => Object.entries(view).every(([key, value]) => String(STATE[key] ?? "") === value);
