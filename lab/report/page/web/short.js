// In short: what was trained, and claim by claim what each arm made of it, on the same noise.

// Pictures that nobody chose: all prompts of the claim with the first seeds, then with the next ones.
function examples({ arm, baseline }, prompts, count) {
  const seeds = (dimension("g") || { values: [] }).values;
  const picked = [];
  for (let turn = 0; turn < count; turn += 1) {
    const prompt = prompts[turn % prompts.length];
    const round = Math.floor(turn / prompts.length);
    const g = seeds[round % seeds.length];
    const at = (image) => image.prompt === prompt && String(image.g) === g;
    if (arm === undefined) picked.push(IMAGES.find((image) => image.role === "base" && image.baseline === baseline && at(image)));
    else {
      const drawn = SAMPLES.filter((image) => image.arm === arm && at(image) && image.last && String(image.weight) === DEFAULTS["is.weight"]);
      picked.push(drawn.find((image) => image.train_seed === TRAIN_SEEDS[round % TRAIN_SEEDS.length]) || drawn[0]);
    }
  }
  return picked.filter(Boolean);
}

// Arms in the order of the sweep. A placebo nobody asked about stays in the pictures below.
const shortArms = () => DATA.arms.map((_, arm) => arm)
  .filter((arm) => DATA.arms[arm].role !== "placebo" || DATA.verdicts.some((row) => row.arm === arm));

function renderShort() {
  const root = byId("short");
  const arms = shortArms();
  const bases = ascending(arms.map((arm) => DATA.arms[arm].baseline));
  const claims = distinct(DATA.verdicts.map((row) => row.claim));
  const groups = groupedByPrompts(claims);
  const count = arms.length > 8 ? 1 : arms.length > 5 ? 2 : 3;
  const title = el("h2", { id: "short-title" }, "In short");
  if (!claims.length) {
    const reason = Object.keys(DATA.claims).length
      ? "The claims of this experiment have not been judged; the pictures are below."
      : "This experiment makes no claims: the pictures are the result.";
    replace(root, title, el("p", { class: "lead" }, reason));
    return;
  }
  replace(
    root,
    el("div", { class: "section-head" }, title, el("div", { class: "tally" }, tally())),
    el("p", { class: "lead" }, "Columns are the base model and the adapters trained on it; rows are what was asked of them. Pictures in a row started from the same noise and were not chosen: they are the first ones. Percentages say how far an adapter went from the base model (0 %) to its training images (100 %), with an interval; where one stands alone, nobody asked, and it is there to compare with. An answer leads to all pictures behind it."),
    contrasts(claims),
    el("div", { class: "short-box" }, el("table", { class: arms.length > 2 ? "short" : "short roomy" },
      el("thead", {}, el("tr", {}, el("td", {}),
        bases.map((baseline) => el("th", { scope: "col", class: "of-base" }, sentence(DATA.baselines[baseline]), el("span", { class: "quiet" }, "no adapter"))),
        arms.map((arm) => el("th", { scope: "col" }, armName(arm), trainedOn(arm))))),
      groups.map(([prompts, own]) => shortGroup(prompts, own, { bases, arms }, count)))),
    openAnswers(),
    legend(),
  );
}

function groupedByPrompts(claims) {
  const groups = new Map();
  for (const claim of claims) {
    const prompts = promptsOf(DATA.claims[claim] || {});
    const key = prompts.join("\u0000");
    if (!groups.has(key)) groups.set(key, [prompts, []]);
    groups.get(key)[1].push(claim);
  }
  return [...groups.values()];
}

const armName = (arm) => el("span", { class: "arm" }, el("i", { style: `background:${armHue(arm)}` }), armLabel(arm));

function trainedOn(arm) {
  const { training, num_training: total } = DATA.arms[arm];
  const shown = training.slice(0, 3);
  const unseen = total > shown.length ? `, ${shown.length} of ${total}` : "";
  return shown.length ? el("span", { class: "trained" }, el("span", { class: "quiet" }, `trained on${unseen}`),
    el("span", { class: "trained-pictures" }, shown.map((item) => el("span", { class: "taught" },
      el("img", { src: SOURCES[item.picture], alt: `training image, captioned ${promptText(item.caption)}` }), el("q", { title: item.caption }, item.caption))))) : null;
}

// Claims that are read on the same prompts share their pictures: those come first, then the answers.
function shortGroup(prompts, claims, { bases, arms }, count) {
  const wall = (who) => el("span", { class: "wall-short" }, examples(who, prompts, count).map((image) => pictureElement(image, describe(image))));
  const headed = (label) => ({ "data-head": label.replaceAll("=", "=\u200b") });
  const head = (arm) => headed(armLabel(arm));
  return el("tbody", {},
    el("tr", { class: "short-pictures" }, el("th", { scope: "row" }, el("span", { class: "quiet" }, "asked for"), quoted(prompts, 4)),
      bases.map((baseline) => el("td", { ...headed(DATA.baselines[baseline]), class: "of-base" }, wall({ baseline }))),
      arms.map((arm) => el("td", head(arm), wall({ arm })))),
    claims.map((claim) => {
      const rows = DATA.verdicts.map((verdict, index) => ({ ...verdict, index })).filter((row) => row.claim === claim);
      return el("tr", { "data-claim": claim }, el("th", { scope: "row" }, sentence(rows[0].statement)), bases.map(() => el("td", { class: "of-base nothing" })),
        arms.map((arm) => {
          const row = rows.find((other) => other.arm === arm);
          const measured = row || effectOf(claim, arm);
          return el("td", { ...head(arm), class: measured ? null : "unasked" }, shortAnswer(row), row ? sized(row) : compared(measured));
        }));
    }));
}

function shortAnswer(row) {
  if (!row) return null;
  return el("button", {
    type: "button", class: "short-cell", "data-verdict": row.index, title: row.reason, onclick: () => jumpTo(row),
    "aria-label": `${armLabel(row.arm)}: ${row.verdict.toLowerCase()}. See the pictures behind: ${row.statement}`,
  }, badge(row.verdict));
}

// What was measured of a claim in an arm, asked or not.
const effectOf = (claim, arm) => [...DATA.verdicts, ...DATA.unasked].find((row) => row.claim === claim && row.arm === arm);

const percent = (value) => `${Math.round(100 * value) + 0}`.replace("-", "−");

const rowsOf = (claim) => shortArms().map((arm) => effectOf(claim, arm)).filter(Boolean);

// One scale for a claim in all arms: how far on the way, or where an arm has no way, the raw shift.
const onWay = (claim) => rowsOf(claim).every((row) => scaleOf(row).name === "learning index" && scaleOf(row).value !== null);

function effectText(row) {
  const on = scaleOf(row);
  const way = onWay(row.claim);
  const [value, low, high] = way ? [on.value, on.low, on.high] : [row.effect, row.effect_low, row.effect_high];
  if (value === null) return null;
  const largest = Math.max(...[value, low, high].filter(Number.isFinite).map(Math.abs));
  const decimals = largest > 0 ? Math.max(0, 1 - Math.floor(Math.log10(largest))) : 0;
  const words = way ? percent : (shift) => (shift > 0 ? "+" : "") + (Number(shift.toFixed(decimals)) + 0).toFixed(decimals).replace("-", "−");
  const interval = low === null || high === null ? "" : ` (${words(low)} to ${words(high)})`;
  return way ? `${words(value)} %${interval}` : `${words(value)}${interval} ${row.unit || ""}`.trim();
}

const sized = (row) => el("span", { class: "sized" }, effectText(row));

function compared(row) {
  if (!row) return el("span", { class: "quiet" }, "not asked");
  return el("span", { class: "quiet compared", title: "for comparison: the claim does not speak of this arm" }, effectText(row) || "not measurable");
}

const quoted = (prompts, limit) => [
  prompts.slice(0, limit).map((prompt, index) => [index ? ", " : "", el("q", {}, promptText(prompt))]),
  prompts.length > limit ? ` and ${prompts.length - limit} more` : "",
];

// Claims on which arms were given different answers, undecided ones left out, in one sentence each.
function contrasts(claims) {
  const items = [];
  for (const claim of claims) {
    const rows = DATA.verdicts.filter((row) => row.claim === claim && tone(row.verdict) !== "open");
    const answers = distinct(rows.map((row) => row.verdict));
    if (answers.length < 2) continue;
    items.push(el("li", {}, el("b", {}, sentence(rows[0].statement)), ": ", answers.map((verdict, index) => [
      index ? "; " : "", el("span", { class: `word ${tone(verdict)}` }, verdict.toLowerCase()), " with ",
      rows.filter((row) => row.verdict === verdict).map((row, place) => [place ? ", " : "", armLabel(row.arm)]),
    ]), floorText(claim)));
  }
  const apart = claims.map(apartOn).filter(Boolean);
  if (!items.length && !apart.length) return null;
  return el("div", { class: "contrasts" },
    items.length ? [el("h3", {}, "Where the arms were given different answers"), el("ul", {}, items)] : null,
    apart.length ? [el("h3", {}, "Where the arms clearly differ"),
      el("p", { class: "quiet" }, "Measured alike in every arm; the intervals of two arms do not overlap."), el("ul", {}, apart)] : null);
}

function openAnswers() {
  const open = DATA.verdicts.filter((row) => tone(row.verdict) === "open").length;
  return open ? el("p", { class: "quiet" }, `${open} of ${DATA.verdicts.length} answers are open: the evidence below says why and what would decide them.`) : null;
}

// A claim whose measure differs between arms, as a sentence; null where two intervals overlap always.
function apartOn(claim) {
  const bounds = (row) => (onWay(claim) ? [row.li_low, row.li_high] : [row.effect_low, row.effect_high]);
  const known = rowsOf(claim).filter((row) => bounds(row).every((bound) => bound !== null));
  const differ = known.some((row) => known.some((other) => bounds(row)[0] > bounds(other)[1]));
  if (!differ) return null;
  const { statement } = DATA.verdicts.find((row) => row.claim === claim);
  return el("li", {}, el("b", {}, sentence(statement)), ": ", known.map((row, index) => [
    index ? "; " : "", armLabel(row.arm), " ", el("span", { class: "figures" }, effectText(row))]), floorText(claim));
}

// How much two runs of the same settings differ, on the scale on which the claim is judged.
function floorText(claim) {
  const floors = DATA.floors.filter((row) => row.claim === claim);
  if (!floors.length) return null;
  const spelt = (row) => {
    const index = row.scale === "learning index";
    const words = index ? percent : (value) => number(value, 2);
    const interval = row.low === null ? "" : ` (${words(row.low)} to ${words(row.high)})`;
    return index ? `${words(row.floor)} % of the way${interval}` : `${words(row.floor)} ${row.scale}${interval}`;
  };
  const whose = (row) => (row.source === DATA.name ? `on ${row.num_runs} runs of this sweep` : `in ${row.source}`);
  return el("small", { class: "quiet floor" }, " In 95 of 100 pairs, two runs of the same settings differ by less than ",
    floors.map((row, index) => [index ? "; " : "", spelt(row), ", measured ", whose(row), row.own_noises ? " with noises of their own" : ""]), ".");
}
