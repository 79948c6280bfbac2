// From the state to a table: which images stand in which cell.

const axisDimension = (axis) => (STATE[axis] ? dimension(STATE[axis]) : null);

// The first axis that tells adapters apart also carries the base models, as its first values; on the
// others a base model stands beside every value whose adapters are compared with it.
function baseAxis() {
  const order = ["rows", "cols", "srows", "scols"];
  return order.find((axis) => axisDimension(axis) && axisDimension(axis).own) || null;
}

function passes(image) {
  for (const item of DIMENSIONS) {
    const wanted = filterOf(item.key);
    if (!wanted) continue;
    const shown = item.own && image.isBase ? baselinesAt(item, wanted).has(image.baseline) : fits(item, image, wanted);
    if (!shown) return false;
  }
  if (image.role === "ceiling" && filterOf("set") !== image.set && filterOf("prompt") !== promptText(image.prompt)) return false;
  if (image.isBase && STATE.ref !== "base" && !baseAxis()) return false;
  return image.isBase || inProbeRange(image);
}

function inProbeRange(image) {
  if (!STATE.probe || (STATE.low === "" && STATE.high === "")) return true;
  const probe = probeShown(image);
  if (probe < 0) return false;
  const value = image.values[probe];
  if (value === null) return false;
  return (STATE.low === "" || value >= Number(STATE.low)) && (STATE.high === "" || value <= Number(STATE.high));
}

// A sign that no level begins with.
const BASE_VALUES = DATA.baselines.map((_, baseline) => `\u0002${baseline}`);
const isBaseValue = (value) => BASE_VALUES.includes(value);

function layOut() {
  const images = IMAGES.filter(passes);
  const carrier = baseAxis();
  const axes = {};
  const valueOn = (axis, image) => {
    const item = axisDimension(axis);
    if (!item) return "";
    if (!image.isBase || !item.own) return item.get(image);
    return axis === carrier ? BASE_VALUES[image.baseline] : null; // null: every value beside which it stands
  };
  for (const [axis] of AXES) {
    const item = axisDimension(axis);
    if (!item) { axes[axis] = [""]; continue; }
    const present = new Set(images.map((image) => valueOn(axis, image)));
    const values = item.values.filter((value) => present.has(value));
    axes[axis] = [...BASE_VALUES.filter((value) => present.has(value)), ...values];
    if (!axes[axis].length) axes[axis] = present.has(null) ? [null] : [];
  }
  const cells = new Map();
  for (const image of images) {
    const spots = AXES.map(([axis]) => {
      const value = valueOn(axis, image);
      if (value !== null) return [value];
      return axes[axis].filter((other) => other === null || baselinesAt(axisDimension(axis), other).has(image.baseline));
    });
    for (const row of spots[0]) for (const col of spots[1]) for (const srow of spots[2]) for (const scol of spots[3]) {
      const key = cellKey(srow, row, scol, col);
      if (!cells.has(key)) cells.set(key, []);
      cells.get(key).push(image);
    }
  }
  for (const list of cells.values()) list.sort(fairOrder);
  return { axes, cells, num_images: images.filter((image) => !image.isBase).length };
}

const cellKey = (...parts) => parts.join("\u0001");

// The first pictures of a cell show different generation seeds, each from another training seed.
function fairOrder(a, b) {
  return round(a) - round(b) || a.g - b.g || a.isBase - b.isBase || a.id - b.id;
}

function round(image) {
  if (image.isBase) return 0;
  const turns = TRAIN_SEEDS.length;
  return (TRAIN_SEEDS.indexOf(image.train_seed) - (image.g % turns) + turns) % turns;
}

function axisText(axis, value) {
  const item = axisDimension(axis);
  if (!item || value === null) return "";
  if (isBaseValue(value)) return DATA.baselines[BASE_VALUES.indexOf(value)];
  const text = item.text(value);
  const words = { seed: "seed", g: "seed", weight: "weight", step: "step", block: "noises of seed", noise: "noise" };
  return words[item.key] ? `${words[item.key]} ${text}` : text;
}
