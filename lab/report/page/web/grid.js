// The table of pictures.

let LAYOUT = null;
let ORDER = []; // the images on show, in reading order, for the lightbox

function renderGrid() {
  LAYOUT = layOut();
  ORDER = [];
  const { axes } = LAYOUT;
  const root = byId("grid");
  root.style.setProperty("--size", `${STATE.size}px`);
  applyCompare(root);
  const body = axes.srows.flatMap((srow) => superRow(srow));
  if (!ORDER.length) {
    replace(root, el("p", { class: "empty" }, "No picture fits these choices."));
  } else {
    replace(root, el("table", {}, tableHead(), body));
    pinBase(root);
  }
  const hidden = ORDER.length - distinct(ORDER.map((image) => image.id)).length;
  byId("count").textContent = `${LAYOUT.num_images.toLocaleString("en")} pictures of adapters fit${hidden ? ", some are shown more than once" : ""}.`;
}

// The rows of the base models stay below the head, one below the other, while their pictures leave
// room for others.
function pinBase(root) {
  const head = root.querySelector("thead tr:last-child").offsetHeight;
  for (const body of root.querySelectorAll("tbody")) {
    const rows = [...body.querySelectorAll("tr.pinned")];
    const heights = rows.map((row) => row.offsetHeight);
    const loose = heights.reduce((sum, height) => sum + height, 0) > 0.35 * root.clientHeight;
    rows.forEach((row, place) => {
      row.classList.toggle("loose", loose);
      row.style.setProperty("--top", `${heights.slice(0, place).reduce((sum, height) => sum + height, head)}px`);
    });
  }
}

function tableHead() {
  const { axes } = LAYOUT;
  const corner = el("th", { class: "corner", scope: "col" }, axisDimension("cols") ? el("span", { class: "quiet" }, `${axisDimension("cols").label} →`) : "");
  const columns = axes.scols.flatMap((scol) => axes.cols.map((col, index) => el(
    "th",
    { scope: "col", class: index === 0 && axes.scols.length > 1 ? "group" : null },
    axisText("cols", col),
    trainingStrip("cols", col),
  )));
  const upper = axes.scols.length > 1 || STATE.scols
    ? el("tr", { class: "upper" }, el("td"), axes.scols.map((scol) => el(
      "th",
      { scope: "colgroup", colspan: axes.cols.length, class: "group" },
      axisText("scols", scol),
      trainingStrip("scols", scol),
    )))
    : null;
  return el("thead", {}, upper, el("tr", {}, corner, columns));
}

function superRow(srow) {
  const { axes } = LAYOUT;
  const rows = axes.rows.map((row) => gridRow(srow, row)).filter(Boolean);
  if (!rows.length) return [];
  const heading = STATE.srows
    ? el("tr", { class: "super" }, el("th", { scope: "rowgroup", colspan: 1 + axes.cols.length * axes.scols.length }, el("span", {}, axisText("srows", srow)), trainingStrip("srows", srow)))
    : null;
  return [el("tbody", {}, heading, rows)];
}

function gridRow(srow, row) {
  const { axes, cells } = LAYOUT;
  let filled = false;
  const tds = axes.scols.flatMap((scol) => axes.cols.map((col) => {
    const images = cells.get(cellKey(srow, row, scol, col)) || [];
    filled = filled || images.length > 0;
    return gridCell(images);
  }));
  if (!filled) return null;
  const pinned = isBaseValue(row);
  return el(
    "tr",
    { class: pinned ? "pinned" : null },
    el("th", { scope: "row" }, el("span", { class: "row-label" }, axisText("rows", row)), trainingStrip("rows", row)),
    tds,
  );
}

function gridCell(images) {
  if (!images.length) return el("td", { class: "hole" }, el("span", { class: "quiet" }, "–"));
  const limit = STATE.limit === "all" ? images.length : Number(STATE.limit);
  const shown = images.slice(0, limit);
  ORDER.push(...shown);
  const more = images.length - shown.length;
  const wide = Math.min(shown.length, shown.length <= 4 ? Math.ceil(Math.sqrt(shown.length)) : 4);
  return el(
    "td",
    { style: `--wide:${wide}` },
    el("div", { class: "wall" }, shown.map(pictureButton),
      more > 0 ? el("span", { class: "more" }, el("span", { "aria-hidden": "true" }, "+"), more, el("span", { class: "unseen" }, " more")) : null),
  );
}

function pictureButton(image) {
  const reference = partner(image, STATE.ref);
  const probe = probeShown(image);
  const value = probe < 0 ? null : number(image.values[probe]);
  return el(
    "button",
    {
      type: "button", class: `picture${image.isBase ? " base" : ""}`, "data-id": image.id,
      "aria-label": describe(image) + (value ? `, ${DATA.probes[probe].name} ${value}` : ""), title: describe(image),
      onclick: () => openLightbox(image),
    },
    frame(image, reference),
    value ? el("span", { class: "value" }, value) : null,
  );
}

// The training images of an arm, where an axis names arms.
function trainingStrip(axis, value) {
  const item = axisDimension(axis);
  if (!item || !STATE.training || value === null || isBaseValue(value) || !["arm", "run"].includes(item.key)) return null;
  const arm = DATA.arms[Number(value.split(":")[0])];
  return el("span", { class: "training", title: `trained on ${arm.num_training} images` }, arm.training.slice(0, 4).map(
    (shown) => el("img", { src: SOURCES[shown.picture], alt: `training image: ${shown.caption}`, title: shown.caption }),
  ));
}
