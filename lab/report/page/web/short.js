// In short: what was trained, and claim by claim what each arm made of it, on the same noise.

// Pictures that nobody chose: all prompts of the claim with the first seeds, then with the next ones.
function examples(arm, prompts, count) {
  const seeds = (dimension("g") || { values: [] }).values;
  const picked = [];
  for (let turn = 0; turn < count; turn += 1) {
    const prompt = prompts[turn % prompts.length];
    const round = Math.floor(turn / prompts.length);
    const g = seeds[round % seeds.length];
    const at = (image) => image.prompt === prompt && String(image.g) === g;
    if (arm === null) picked.push(IMAGES.find((image) => image.role === "base" && at(image)));
    else {
      const drawn = SAMPLES.filter((image) => image.arm === arm && at(image) && image.last && String(image.weight) === DEFAULTS["is.weight"]);
      picked.push(drawn.find((image) => image.seed === TRAIN_SEEDS[round % TRAIN_SEEDS.length]) || drawn[0]);
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
    el("p", { class: "lead" }, "Columns are the base model and the adapters trained on it; rows are what was asked of them. Pictures in a row started from the same noise and were not chosen: they are the first ones. An answer leads to all pictures behind it."),
    el("div", { class: "short-box" }, el("table", { class: arms.length > 2 ? "short" : "short roomy" },
      el("thead", {}, el("tr", {}, el("td", {}),
        el("th", { scope: "col", class: "base-head" }, "Base model", el("span", { class: "quiet" }, "no adapter")),
        arms.map((arm) => el("th", { scope: "col" }, armName(arm), trainedOn(arm))))),
      groups.map(([prompts, own]) => shortGroup(prompts, own, arms, count)))),
    contrasts(claims),
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
function shortGroup(prompts, claims, arms, count) {
  const wall = (arm) => el("span", { class: "wall-short" }, examples(arm, prompts, count).map((image) => pictureElement(image, describe(image))));
  const head = (arm) => ({ "data-head": arm === null ? "base model" : armLabel(arm).replaceAll("=", "=\u200b") });
  return el("tbody", {},
    el("tr", { class: "short-pictures" }, el("th", { scope: "row" }, el("span", { class: "quiet" }, "asked for"), quoted(prompts, 4)),
      [null, ...arms].map((arm) => el("td", head(arm), wall(arm)))),
    claims.map((claim) => {
      const rows = DATA.verdicts.map((verdict, index) => ({ ...verdict, index })).filter((row) => row.claim === claim);
      return el("tr", { "data-claim": claim }, el("th", { scope: "row" }, sentence(rows[0].statement)), el("td", { class: "nothing" }),
        arms.map((arm) => {
          const row = rows.find((other) => other.arm === arm);
          return el("td", { ...head(arm), class: row ? null : "unasked" }, shortAnswer(row));
        }));
    }));
}

function shortAnswer(row) {
  if (!row) return el("span", { class: "quiet" }, "not asked");
  return el("button", {
    type: "button", class: "short-cell", "data-verdict": row.index, title: row.reason, onclick: () => jumpTo(row),
    "aria-label": `${armLabel(row.arm)}: ${row.verdict.toLowerCase()}. See the pictures behind: ${row.statement}`,
  }, badge(row.verdict));
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
    ])));
  }
  const open = DATA.verdicts.filter((row) => tone(row.verdict) === "open").length;
  return el("div", { class: "contrasts" },
    items.length ? [el("h3", {}, "Where the arms were given different answers"), el("ul", {}, items)] : null,
    open ? el("p", { class: "quiet" }, `${open} of ${DATA.verdicts.length} answers are open: the evidence below says why and what would decide them.`) : null);
}
