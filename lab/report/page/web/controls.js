// The controls above the pictures: ready views, axes, selectors, comparison, filters.

function renderControls() {
  replace(byId("presets"), presets().map(([, text, view]) => el(
    "button",
    { type: "button", class: "chip", "aria-pressed": String(matchesView(view)), onclick: () => update(view) },
    text,
  )));
  const open = byId("more-controls") ? byId("more-controls").open : STATE.low !== "" || STATE.high !== "";
  replace(
    byId("controls"),
    el("div", { class: "bar" }, compareControls(), sizeControls()),
    el("details", { id: "more-controls", open }, el("summary", {}, "Axes, selectors and filters", activeText()),
      el("div", { class: "bar" }, axisControls()),
      el("div", { class: "bar" }, selectorControls()),
      el("div", { class: "bar" }, probeControls())),
  );
}

function compareControls() {
  const arms = dimension("arm") ? dimension("arm").values.map((arm) => [arm, armLabel(arm)]) : [];
  const parts = [
    choice("Compare with", STATE.ref, [["base", "base model"], ...arms], (ref) => update({ ref })),
    segmented("How to compare", STATE.mode, MODES, (mode) => update({ mode })),
  ];
  if (STATE.mode === "slider") parts.push(slider("Line", "split", 0, 100, 1));
  if (STATE.mode === "diff") parts.push(slider("Amplify", "amp", 1, 10, 1));
  if (STATE.mode === "blink" && CALM) parts.push(el("button", { type: "button", class: "chip", onclick: flip }, "Flip"));
  return parts;
}

function sizeControls() {
  const matched = Object.keys(DATA.claims).filter((name) => Object.keys(DATA.claims[name].matched || {}).length);
  const probes = [
    ...DATA.probes.map((probe) => [probe.name, probe.unit ? `${probe.name} (${probe.unit})` : probe.name]),
    ...matched.map((name) => [`@${name}`, `${name}: each prompt's own`]),
  ];
  return [
    slider("Size", "size", 32, 384, 8),
    slider("Zoom into all", "zoom", 1, 8, 0.25),
    choice("Pictures per cell", STATE.limit, [["1", "1"], ["4", "4"], ["16", "16"], ["all", "all"]], (limit) => update({ limit })),
    probes.length ? choice("Number below", STATE.probe, [["", "none"], ...probes], (probe) => update({ probe, low: "", high: "" })) : null,
    el("label", { class: "check" }, el("input", {
      type: "checkbox", checked: STATE.training !== "", onchange: (event) => update({ training: event.target.checked ? "1" : "" }),
    }), "Training images"),
  ];
}

function axisControls() {
  const options = [["", "none"], ...DIMENSIONS.map((item) => [item.key, item.label])];
  return AXES.map(([axis, label]) => choice(label, STATE[axis], options, (key) => setAxis(axis, key)));
}

function selectorControls() {
  const onAxis = AXES.map(([axis]) => STATE[axis]);
  return DIMENSIONS.filter((item) => item.values.length > 1 || onAxis.includes(item.key)).map((item) => choice(
    item.label,
    filterOf(item.key),
    [["", "all"], ...[...(item.choices || []), ...item.values].map((value) => [value, item.text(value)])],
    (value) => update({ [`is.${item.key}`]: value, claim: "" }),
  ));
}

function probeControls() {
  if (!STATE.probe) return el("p", { class: "quiet" }, "Choose a number below the pictures to filter by its range.");
  const values = SAMPLES.map((image) => image.values[probeShown(image)]).filter(Number.isFinite);
  const known = DATA.probes[probeIndex(STATE.probe)];
  const range = values.length ? `measured ${number(Math.min(...values))} to ${number(Math.max(...values))}` : "not measured";
  const field = (label, key) => el("label", { class: "field" }, el("span", {}, label), el("input", {
    type: "number", step: "any", value: STATE[key], onchange: (event) => update({ [key]: event.target.value }),
  }));
  return [
    field(`${STATE.probe} at least`, "low"),
    field("at most", "high"),
    el("p", { class: "quiet" }, range, el("br"), known ? known.description : "the probe that belongs to the prompt"),
  ];
}

function activeText() {
  const parts = DIMENSIONS.filter((item) => filterOf(item.key) && filterOf(item.key) !== (DEFAULTS[`is.${item.key}`] || ""))
    .map((item) => `${item.label}: ${item.text(filterOf(item.key))}`);
  if (STATE.low !== "" || STATE.high !== "") parts.push(`${STATE.probe} ${STATE.low || "…"} to ${STATE.high || "…"}`);
  return parts.length ? el("span", { class: "active" }, parts.join(" · ")) : null;
}

function renderBanner() {
  const verdict = STATE.claim ? DATA.verdicts[Number(STATE.claim)] : null;
  replace(byId("banner"), verdict ? el(
    "p",
    { class: "banner" },
    badge(verdict.verdict),
    el("span", {}, verdict.statement, el("small", {}, ` in ${armLabel(verdict.arm)}`)),
    el("button", { type: "button", class: "chip", onclick: () => update(presets()[0][2]) }, "Show everything again"),
  ) : null);
}
