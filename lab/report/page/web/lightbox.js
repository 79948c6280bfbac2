// One picture, large: its reference, its numbers, how it was made, and what differs from the reference.

let OPEN = null;

function openLightbox(image) {
  OPEN = image;
  renderLightbox();
  if (!byId("lightbox").open) byId("lightbox").showModal();
}

function renderLightbox() {
  const image = OPEN;
  const box = byId("lightbox");
  if (!image) return;
  const reference = partner(image, STATE.ref);
  const where = ORDER.indexOf(image);
  const step = (by) => el("button", {
    type: "button", class: "chip", "aria-label": by < 0 ? "Previous picture" : "Next picture", disabled: !ORDER[where + by],
    onclick: () => openLightbox(ORDER[where + by]),
  }, by < 0 ? "←" : "→");
  replace(
    box,
    el("div", { class: "lightbox-head" }, step(-1), step(1),
      el("h2", {}, promptText(image.prompt)),
      segmented("How to compare", STATE.mode, MODES, (mode) => update({ mode })),
      el("button", { type: "button", class: "chip", "aria-label": "Close", onclick: () => box.close() }, "✕")),
    el("div", { class: "lightbox-body" },
      el("div", { class: "stage" }, stage(image, reference), stageControls()),
      el("div", { class: "facts-panel" }, facts(image, reference))),
  );
  applyCompare(box);
}

function stage(image, reference) {
  const figure = (shown, over, name) => el("figure", {}, el("div", { class: "big" }, frame(shown, over)), el("figcaption", {}, name));
  const name = (shown) => drawnBy(shown) + (shown.isBase ? "" : ` · training seed ${shown.train_seed}`);
  const own = name(image);
  const other = reference && name(reference);
  if (!reference) return [figure(image, null, own)];
  if (STATE.mode === "side") return [figure(reference, null, other), figure(image, null, own)];
  return [figure(image, reference, STATE.mode === "slider" ? `left ${other}, right ${own}` : `${own} against ${other}`)];
}

function stageControls() {
  const parts = [slider("Zoom", "zoom", 1, 8, 0.25)];
  if (STATE.mode === "slider") parts.push(slider("Line", "split", 0, 100, 1));
  if (STATE.mode === "diff") parts.push(slider("Amplify", "amp", 1, 10, 1));
  return el("div", { class: "bar" }, parts);
}

function table(title, rows, heads) {
  if (!rows.length) return null;
  return [el("h3", {}, title), el("table", {},
    heads ? el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))) : null,
    el("tbody", {}, rows.map(([name, ...values]) => el("tr", {}, el("th", { scope: "row" }, name), values.map((value) => el("td", {}, value))))))];
}

function facts(image, reference) {
  const run = image.isBase ? null : DATA.runs[image.run];
  const made = [
    ["Drawn by", drawnBy(image)],
    ["Prompt", promptText(image.prompt)], ["Prompt set", image.set], ["Generation seed", image.g],
  ];
  if (run) {
    made.push(["Training seed", image.train_seed], ["Adapter weight", image.weight], ["Training steps", image.step], ["Run", run.id]);
    for (const [name, value] of Object.entries(run.facts)) if (value !== null) made.push([name.replaceAll("_", " "), value]);
    if (run.check) made.push(["Loss on training images", `${number(run.check.loss_adapter)} (base ${number(run.check.loss_base)})`]);
  }
  made.push(["File", image.file]);
  const probes = DATA.probes.map((probe, index) => {
    const own = image.values[index];
    const other = reference ? probeValue(reference, index, image.arm) : null;
    return [probe.name, number(own), ...(reference ? [number(other), own === null || other === null ? "–" : signed(own - other)] : [])];
  });
  const arm = run && DATA.arms[image.arm];
  return [
    table("Differs from the reference", differences(image, reference), ["", "here", "reference"]),
    table("How it was made", made),
    arm ? strip("Training images of this arm", arm.training.map((item) => [item, item.caption])) : null,
    table("Measured", probes, ["", "here", ...(reference ? ["reference", "shift"] : [])]),
    run ? el("details", {}, el("summary", {}, "All settings"), table("", Object.entries(settingsOf(image)))) : null,
  ];
}

// The settings in which the two runs differ. An arm's base model is the one of its own base and
// sampling settings: there only what was trained differs.
function differences(image, reference) {
  if (!reference || image.isBase) return [];
  const mine = settingsOf(image);
  if (reference.isBase) {
    return Object.entries(DATA.arms[image.arm].levels).filter(([key]) => !/^(sample|model)\b/.test(key))
      .map(([key, value]) => [key, value, "no adapter"]);
  }
  const theirs = settingsOf(reference);
  return distinct([...Object.keys(mine), ...Object.keys(theirs)]).filter((key) => mine[key] !== theirs[key])
    .map((key) => [key, mine[key] ?? "–", theirs[key] ?? "–"]);
}
