// Drawn with SVG: the interval of an effect, and the loss curves.

const HUES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#7a5fb5", "#555555"];
const armHue = (arm) => HUES[arm % HUES.length];
// The axis reaches as far as the effects do, within reason; what lies beyond becomes an arrow.
const RANGE = (() => {
  const values = DATA.verdicts.flatMap((row) => [row.learning_index, row.li_low, row.li_high, ...(row.seeds || [])]).filter(Number.isFinite);
  return [Math.max(-1, Math.min(-0.3, ...values) - 0.1), Math.min(2.2, Math.max(1.2, ...values) + 0.1)];
})();
const PLOT = { width: 320, height: 34 };

const place = (value) => ((Math.min(RANGE[1], Math.max(RANGE[0], value)) - RANGE[0]) / (RANGE[1] - RANGE[0])) * PLOT.width;

// Claims about values beyond the training images are read as a share of pictures, all others on the
// way from the base model to the training images; where that way is too short there is no scale.
function scaleOf(verdict) {
  const claim = DATA.claims[verdict.claim] || {};
  if (claim.support && claim.support.length) {
    return { value: verdict.effect, low: verdict.effect_low, high: verdict.effect_high, name: "share of pictures" };
  }
  return { value: verdict.learning_index, low: verdict.li_low, high: verdict.li_high, name: "learning index" };
}

// One line of the effect plot: 0 is the base model, 1 the training images.
function effectPlot(verdict) {
  const { value, low, high, name } = scaleOf(verdict);
  if (value === null) {
    const raw = verdict.effect === null ? "" : `shift ${signed(verdict.effect, 2)} ${verdict.unit || ""}`;
    return el("span", { class: "quiet no-plot" }, raw);
  }
  const words = `${name} ${number(value, 2)}${low === null ? "" : `, interval ${number(low, 2)} to ${number(high, 2)}`}`;
  const middle = PLOT.height / 2;
  const marks = [0, 1].map((at) => svg("line", { x1: place(at), x2: place(at), y1: 0, y2: PLOT.height, class: "mark" }));
  const interval = low === null ? [] : [svg("line", { x1: place(low), x2: place(high), y1: middle, y2: middle, class: "interval" })];
  for (const [bound, sign] of low === null ? [] : [[low, -1], [high, 1]]) {
    const beyond = bound < RANGE[0] || bound > RANGE[1];
    const x = place(bound);
    interval.push(beyond
      ? svg("path", { d: `M${x - 5 * sign} ${middle - 5}L${x} ${middle}L${x - 5 * sign} ${middle + 5}`, class: "interval arrow" })
      : svg("line", { x1: x, x2: x, y1: middle - 5, y2: middle + 5, class: "interval" }));
  }
  const seeds = (verdict.seeds || []).filter((seed) => seed !== null).map((seed) => svg("circle", { cx: place(seed), cy: middle, r: 3.5, class: "seed" }));
  return svg(
    "svg",
    { class: "effect", viewBox: `-8 0 ${PLOT.width + 16} ${PLOT.height}`, role: "img", "aria-label": words },
    svg("title", {}, `${words}; small dots: single training seeds`),
    marks, seeds, interval,
    svg("circle", { cx: place(value), cy: middle, r: 6, class: "value" }),
  );
}

function effectAxis() {
  const labels = [[0, "base model"], [1, "training images"]];
  return svg("svg", { class: "effect axis", viewBox: `-8 0 ${PLOT.width + 16} 20`, "aria-hidden": "true" },
    labels.map(([at, text]) => svg("text", { x: place(at), y: 14, "text-anchor": "middle" }, text)));
}

function lossPlot() {
  const runs = DATA.runs.filter((run) => run.loss.length > 1);
  if (!runs.length) return null;
  const box = { width: 720, height: 260, left: 48, bottom: 30, top: 10, right: 10 };
  const means = runs.map((run) => smooth(run.loss));
  const points = means.flat();
  const last = Math.max(...points.map(([step]) => step));
  const sorted = points.map(([, loss]) => loss).sort((a, b) => a - b);
  // A loss that explodes must not flatten the others.
  const high = Math.min(sorted.at(-1), 2 * sorted[Math.floor(sorted.length * 0.99)]) * 1.05;
  const x = (step) => box.left + (step / last) * (box.width - box.left - box.right);
  const y = (loss) => box.top + (1 - Math.min(loss, high) / high) * (box.height - box.top - box.bottom);
  const lines = runs.map((run, place) => svg("path", {
    class: "loss", stroke: armHue(run.arm),
    d: means[place].map(([step, loss], index) => `${index ? "L" : "M"}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`).join(""),
  }, svg("title", {}, `${armLabel(run.arm)}, training seed ${run.train_seed}`)));
  const ticks = last < 8 ? [0, 1] : [0, 0.25, 0.5, 0.75, 1];
  return el("figure", { class: "losses" },
    svg("svg", { viewBox: `0 0 ${box.width} ${box.height}`, role: "img", "aria-label": "Training loss by step, one line per run" },
      ticks.map((part) => [
        svg("line", { class: "mark", x1: box.left, x2: box.width - box.right, y1: y(high * part), y2: y(high * part) }),
        svg("text", { x: box.left - 6, y: y(high * part) + 4, "text-anchor": "end" }, number(high * part, 2)),
        svg("text", { x: x(last * part), y: box.height - 8, "text-anchor": "middle" }, number(Math.round(last * part))),
      ]),
      lines),
    el("figcaption", { class: "legend" }, distinct(runs.map((run) => run.arm)).map((arm) => el("span", {}, el("i", { style: `background:${armHue(arm)}` }), armLabel(arm))), el("span", { class: "quiet" }, "running mean of the loss by step")));
}

function smooth(points) {
  const width = Math.max(1, Math.round(points.length / 20));
  return points.map(([step], index) => {
    const near = points.slice(Math.max(0, index - width), index + width + 1).map(([, loss]) => loss).filter((loss) => loss !== null);
    return [step, near.length ? near.reduce((sum, loss) => sum + loss, 0) / near.length : null];
  }).filter(([, loss]) => loss !== null);
}
