// How far each claim went by training step, or by adapter weight where one step was drawn.

const DOSE = distinct(DATA.doses.map((row) => row.step)).length > 1 ? "step" : "weight";
const DOSE_BOX = { width: 360, height: 220, left: 40, bottom: 30, top: 12, right: 12 };

function dosePlots() {
  if (!DATA.doses.length) return null;
  const rows = DOSE === "step" ? DATA.doses.filter((row) => row.weight === 1) : DATA.doses;
  const arms = distinct(rows.map((row) => row.arm));
  return [
    el("h3", {}, DOSE === "step" ? "Learned after how many training steps" : "By adapter weight"),
    el("div", { class: "doses" }, distinct(rows.map((row) => row.claim)).map(
      (claim) => dosePlot(claim, rows.filter((row) => row.claim === claim)),
    )),
    el("p", { class: "legend" }, arms.map((arm) => el("span", {}, el("i", { style: `background:${armHue(arm)}` }), armLabel(arm))),
      el("span", { class: "quiet" }, "0 is the base model, 1 the training images; bands are 95 % intervals", DOSE === "step" ? ", a diamond is where half the way is done" : "")),
  ];
}

function dosePlot(claim, rows) {
  const { width, height, left, bottom, top, right } = DOSE_BOX;
  const last = Math.max(...rows.map((row) => row[DOSE]));
  const bounds = rows.flatMap((row) => [row.learning_index, row.li_low, row.li_high]).filter(Number.isFinite);
  const low = Math.max(-1, Math.min(0, ...bounds));
  const high = Math.min(2, Math.max(1, ...bounds));
  const x = (dose) => left + (dose / last) * (width - left - right);
  const y = (index) => top + (1 - (Math.min(high, Math.max(low, index)) - low) / (high - low)) * (height - top - bottom);
  const path = (points) => points.map(([dose, index], place) => `${place ? "L" : "M"}${x(dose).toFixed(1)} ${y(index).toFixed(1)}`).join("");
  const lines = distinct(rows.map((row) => row.arm)).map((arm) => {
    const own = rows.filter((row) => row.arm === arm).sort((a, b) => a[DOSE] - b[DOSE]);
    const sure = own.filter((row) => row.li_low !== null);
    const upper = [[0, 0], ...sure.map((row) => [row[DOSE], row.li_high])];
    const lower = [...sure.map((row) => [row[DOSE], row.li_low])].reverse();
    const onset = DATA.onsets.find((row) => row.claim === claim && row.arm === arm && DOSE === "step");
    return [
      svg("path", { class: "band", fill: armHue(arm), d: `${path([...upper, ...lower])}Z` }),
      svg("path", { class: "loss", stroke: armHue(arm), d: path([[0, 0], ...own.map((row) => [row[DOSE], row.learning_index])]) }),
      own.map((row) => svg("circle", { cx: x(row[DOSE]), cy: y(row.learning_index), r: 3, fill: armHue(arm) },
        svg("title", {}, `${armLabel(arm)}, ${DOSE} ${row[DOSE]}: ${number(row.learning_index, 2)}`))),
      onset && onset.onset_step !== null ? svg("path", {
        class: "onset", fill: armHue(arm), d: `M${x(onset.onset_step)} ${y(0.5) - 6}l6 6l-6 6l-6 -6Z`,
      }, svg("title", {}, `${armLabel(arm)}: learned after ${number(onset.onset_step)} steps (${number(onset.onset_low)} to ${number(onset.onset_high)})`)) : null,
    ];
  });
  const marks = [0, 1].map((at) => [
    svg("line", { class: "mark", x1: left, x2: width - right, y1: y(at), y2: y(at) }),
    svg("text", { x: left - 6, y: y(at) + 4, "text-anchor": "end" }, String(at)),
  ]);
  const ticks = distinct(rows.map((row) => row[DOSE])).map((dose) => svg("text", { x: x(dose), y: height - 8, "text-anchor": "middle" }, String(dose)));
  return el("figure", { class: "losses" },
    el("figcaption", {}, claim),
    svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${claim}: learning index by ${DOSE === "step" ? "training step" : "adapter weight"}` }, marks, lines, ticks));
}
