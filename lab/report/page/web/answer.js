// The question, and the evidence: every verdict with its effect plot.

const TONES = {
  "LEARNED": "yes", "GENERALISED": "yes", "INTERPOLATED": "yes", "EARLIER": "yes", "LATER": "against", "CHANGED": "against", "PARTLY": "partly", "WEAK": "partly", "CONTAINED": "kept",
  "NOT LEARNED": "no", "NOT EXPRESSIBLE": "no", "REVERSED": "against", "LEAKED": "against",
};
const SIGNS = { yes: "●", partly: "◐", kept: "■", no: "○", against: "▲", open: "?" };
const MEANINGS = {
  "LEARNED": "went at least half the way from the base model to the training images",
  "PARTLY": "went between a fifth and half of the way",
  "WEAK": "surely went some of the way, and surely less than a fifth of it",
  "REVERSED": "went away from the training images",
  "NOT LEARNED": "shown to be too small to matter at any adapter weight, though the base model can draw it",
  "NOT EXPRESSIBLE": "the base model cannot draw it even when asked outright",
  "LEAKED": "prompts without the trigger changed too, more than under a placebo",
  "CONTAINED": "prompts without the trigger stayed as they were",
  "CHANGED": "moved further than the bound that the claim states",
  "GENERALISED": "reaches beyond the training images",
  "INTERPOLATED": "fills a gap between the training images",
  "EARLIER": "is learned after fewer training steps than the other attribute",
  "LATER": "is learned after more training steps than the other attribute",
  "UNDER-TRAINED": "the adapter does not fit its own training images",
  "NOT MEASURABLE": "the base model already has it, or the training images do not show it",
  "NO VERDICT": "fewer than three training seeds, or pictures that could not be read leave it open",
  "INCONCLUSIVE": "these seeds cannot decide it",
};
const tone = (verdict) => TONES[verdict] || "open";

function badge(verdict) {
  return el("span", { class: `badge ${tone(verdict)}`, title: MEANINGS[verdict] },
    el("span", { "aria-hidden": "true" }, SIGNS[tone(verdict)]), ` ${verdict.toLowerCase()}`);
}

function renderTop() {
  const failed = DATA.runs.filter((run) => run.status === "FAILED");
  const facts = [
    `${DATA.arms.length} arm${DATA.arms.length === 1 ? "" : "s"}`,
    `${TRAIN_SEEDS.length} training seed${TRAIN_SEEDS.length === 1 ? "" : "s"}`,
    DATA.noises_per_seed ? `${DATA.noises_per_seed} noises for each training seed` : `${dimension("g") ? dimension("g").values.length : 0} generation seeds`,
    `${SAMPLES.length.toLocaleString("en")} pictures`,
  ];
  document.title = `${DATA.name} · LoRA lab`;
  replace(
    byId("top"),
    el("div", { class: "top-line" }, el("span", { class: "name" }, DATA.name), themeButton()),
    el("h1", {}, DATA.question || DATA.name),
    DATA.pilot ? el("p", { class: "alert", id: "pilot" }, `${sentence(DATA.pilot)}. Its verdicts are a first look.`) : null,
    DATA.looks ? el("p", { class: "quiet", id: "looks" }, `${sentence(DATA.looks)}.`) : null,
    el("p", { class: "quiet facts" }, facts.map((fact) => el("span", {}, fact))),
    failed.length ? el("p", { class: "alert" }, el("a", { href: "#details" , onclick: (event) => { event.preventDefault(); leapTo("details"); } },
      `${failed.length} run${failed.length === 1 ? "" : "s"} failed`), `: ${distinct(failed.map((run) => run.reason)).join("; ")}`) : null,
  );
}

function renderEvidence() {
  const root = byId("evidence");
  root.hidden = !DATA.verdicts.length;
  if (root.hidden) return;
  const claims = distinct(DATA.verdicts.map((verdict) => verdict.claim));
  replace(
    root,
    el("h2", { id: "evidence-title" }, "The evidence"),
    el("p", { class: "lead" }, "Each line is one arm, measured against the base model on the same noise. The large dot says how far it went from the base model to the training images, the bar how sure that is, the small dots what single training seeds say. Open a line for its numbers."),
    el("div", { class: "verdicts" },
      el("div", { class: "line head", "aria-hidden": "true" }, el("span"), el("span"), effectAxis(), el("span"), el("span")),
      claims.map(claimBlock)),
  );
}

function tally() {
  const counts = new Map();
  for (const { verdict } of DATA.verdicts) counts.set(verdict, (counts.get(verdict) || 0) + 1);
  return [...counts].map(([verdict, count]) => el("span", { class: "counted" }, `${count} ×`, badge(verdict)));
}

function legend() {
  const used = distinct(DATA.verdicts.map((row) => row.verdict));
  return el("details", { class: "legend-box" }, el("summary", {}, "What the verdicts mean"),
    el("dl", {}, used.map((verdict) => [el("dt", {}, badge(verdict)), el("dd", {}, MEANINGS[verdict] || "")])));
}

function claimBlock(claim) {
  const rows = DATA.verdicts.map((verdict, index) => ({ ...verdict, index })).filter((row) => row.claim === claim);
  const asked = DATA.claims[claim] || {};
  const prompts = promptsOf(asked);
  return el("section", { class: "claim", "aria-label": rows[0].statement },
    el("h3", {}, sentence(rows[0].statement)),
    el("p", { class: "quiet" }, "read on ", quoted(prompts, 4),
      asked.article ? ` · the article read: ${asked.article}` : "", floorText(claim)),
    rows.map(verdictLine),
    DATA.unasked.filter((row) => row.claim === claim).map(comparisonLine));
}

// An arm that nobody asked about, by the same yardstick: no verdict.
function comparisonLine(row) {
  return el("div", { class: "line" }, armName(row.arm), el("span", { class: "quiet" }, "for comparison"),
    onWay(row.claim) ? effectPlot(row) : el("span", { class: "quiet no-plot" }, effectText(row)));
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const promptsOf = (claim) => DATA.prompts[claim.prompts] || [];

function verdictLine(row) {
  return el("details", { class: "verdict" },
    el("summary", { class: "line" },
      armName(row.arm),
      badge(row.verdict),
      effectPlot(row),
      el("span", { class: "quiet reason" }, row.reason),
      el("button", {
        type: "button", class: "chip jump", "data-verdict": row.index,
        "aria-label": `See the pictures behind: ${row.statement}, ${armLabel(row.arm)}`,
        onclick: (event) => { event.preventDefault(); jumpTo(row); },
      }, "See pictures")),
    verdictDetail(row));
}

function verdictDetail(row) {
  const claim = DATA.claims[row.claim] || {};
  const probe = claim.probe || distinct(Object.values(claim.matched || {})).join(", ");
  const facts = [
    ["Would decide it", row.decided_by],
    ["Decided at the look of", row.look ? `${row.look} training seeds` : row.look === 0 ? "still open" : null],
    ["Learning index", row.learning_index === null ? null : `${number(row.learning_index, 2)} (${number(row.li_low, 2)} to ${number(row.li_high, 2)})`],
    [`Raw effect${row.unit ? `, ${row.unit}` : ""}`, row.effect === null ? null : `${signed(row.effect)} (${number(row.effect_low)} to ${number(row.effect_high)})`],
    ["Probe", probe],
    ["Seeds", `${row.num_train_seeds} training × ${row.num_generation_seeds} generation`],
    ["Base asked outright", row.ceiling_effect === null ? null : number(row.ceiling_effect, 2)],
    ["Placebo", row.placebo_li === null ? null : number(row.placebo_li, 2)],
    ["Adjusted p", row.p_adjusted === null ? null : number(row.p_adjusted, 2)],
    ["Thresholds", row.thresholds],
    ["The article read", row.article],
  ];
  const ceiling = IMAGES.filter((image) => image.role === "ceiling" && image.baseline === DATA.arms[row.arm].baseline && (claim.ceiling || []).includes(image.prompt)).slice(0, 6);
  return el("div", { class: "verdict-detail" },
    el("dl", {}, facts.filter(([, text]) => text).map(([name, text]) => [el("dt", {}, name), el("dd", {}, text)])),
    el("div", { class: "controls-strip" },
      strip("Training images", DATA.arms[row.arm].training.map((item) => [item, item.caption])),
      strip("Base model, asked outright", ceiling.map((image) => [image, describe(image)]))));
}

function strip(title, items) {
  if (!items.length) return null;
  return el("figure", {}, el("figcaption", {}, title), items.slice(0, 8).map(([item, text]) => el("img", { src: SOURCES[item.picture], alt: text, title: text })));
}

// From a verdict to the pictures that carry it.
function jumpTo(row) {
  const claim = DATA.claims[row.claim] || {};
  const one = promptsOf(claim).length === 1;
  const probe = claim.probe || (Object.keys(claim.matched || {}).length ? `@${row.claim}` : "");
  update({
    ...cleared(), rows: "run", cols: noiseAxis(), limit: "all", low: "", high: "",
    ...(dimension("block") ? { srows: "block", scols: one ? "" : "prompt" } : { srows: one ? "" : "prompt", scols: "" }),
    "is.set": claim.prompts || "", "is.arm": String(row.arm), ref: "base", claim: String(row.index),
    probe: probe.startsWith("@") || probeIndex(probe) >= 0 ? probe : "",
  });
  leapTo("pictures");
}

function leapTo(section) {
  byId(section).scrollIntoView({ behavior: CALM ? "auto" : "smooth" });
  byId(section).focus({ preventScroll: true });
}

function themeButton() {
  const next = { "": "dark", dark: "light", light: "" };
  const names = { "": "Theme: automatic", dark: "Theme: dark", light: "Theme: light" };
  const button = el("button", { type: "button", class: "chip theme", onclick: () => update({ theme: next[STATE.theme] }, true) });
  onUpdate(() => { button.textContent = names[STATE.theme]; });
  button.textContent = names[STATE.theme];
  return button;
}
