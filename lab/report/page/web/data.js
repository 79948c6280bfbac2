// The sweep's tables, and the dimensions along which its pictures can be laid out.

const DATA = JSON.parse(byId("content").textContent);
const SOURCES = JSON.parse(byId("sources").textContent);

const promptText = (prompt) => (prompt === "" ? "(empty prompt)" : prompt);
const armLabel = (arm) => DATA.arms[arm].label;
const probeIndex = (name) => DATA.probes.findIndex((probe) => probe.name === name);

function prepareImages() {
  const seen = new Set();
  return DATA.images.filter((image, index) => {
    image.id = index;
    image.isBase = image.role === "base" || image.role === "ceiling";
    if (!image.isBase) image.baseline = DATA.arms[image.arm].baseline;
    if (image.role === "ceiling") image.set = "ceiling control";
    const key = image.isBase && `${image.picture} ${image.set} ${image.prompt}`;
    if (key && seen.has(key)) return false;
    if (key) seen.add(key);
    return true;
  });
}

const IMAGES = prepareImages();
const distinct = (items) => [...new Set(items)];
const ascending = (items) => distinct(items).sort((a, b) => a - b);
const SAMPLES = IMAGES.filter((image) => !image.isBase);
const TRAIN_SEEDS = ascending(SAMPLES.map((image) => image.train_seed));

// Arms may be trained for different numbers of steps: the selector's first choice is each run's last.
const LAST = "last";

// A dimension says which value an image has along it. `own` marks those that tell adapters apart:
// the base model has no value there, and stands beside those that are compared with it.
function buildDimensions() {
  const dimensions = [];
  const add = (key, label, own, values, get, text = String) => {
    if (values.length) dimensions.push({ key, label, own, values, get, text });
  };
  const runKey = (image) => `${image.arm}:${image.train_seed}`;
  const runText = (key) => {
    const [arm, seed] = key.split(":");
    return `${armLabel(arm)} · training seed ${seed}`;
  };
  const arms = DATA.arms.map((_, index) => String(index))
    .filter((arm) => SAMPLES.some((image) => String(image.arm) === arm));
  const runs = arms.flatMap((arm) => TRAIN_SEEDS.map((seed) => `${arm}:${seed}`))
    .filter((key) => SAMPLES.some((image) => runKey(image) === key));
  add("arm", "Arm", true, arms, (image) => String(image.arm), armLabel);
  add("run", "Arm and training seed", true, runs, runKey, runText);
  for (const [key, levels] of Object.entries(DATA.factors)) {
    add(key, key, true, levels, (image) => (DATA.arms[image.arm] || { levels: {} }).levels[key]);
  }
  add("seed", "Training seed", true, TRAIN_SEEDS.map(String), (image) => String(image.train_seed));
  add("weight", "Adapter weight", true, ascending(SAMPLES.map((image) => image.weight)).map(String), (image) => String(image.weight));
  const steps = ascending(SAMPLES.map((image) => image.step));
  const early = SAMPLES.some((image) => !image.last);
  if (early) {
    add("step", "Training step", true, steps.map(String), (image) => String(image.step), (step) => (step === LAST ? "the last" : step));
    dimensions.at(-1).choices = [LAST];
  }
  add("set", "Prompt set", false, distinct(IMAGES.map((image) => image.set)), (image) => image.set);
  add("prompt", "Prompt", false, distinct(IMAGES.map((image) => promptText(image.prompt))), (image) => promptText(image.prompt));
  add("g", "Generation seed", false, ascending(IMAGES.map((image) => image.g)).map(String), (image) => String(image.g));
  // Training seeds with noises of their own: whose noise it is, and which of the block. The first
  // noises of block 0 are drawn for every training seed.
  if (DATA.noises_per_seed) {
    const block = (image) => Math.floor(image.g / DATA.noises_per_seed);
    const noise = (image) => image.g % DATA.noises_per_seed;
    add("block", "Noises of training seed", false, ascending(IMAGES.map(block)).map(String), (image) => String(block(image)));
    add("noise", "Noise", false, ascending(IMAGES.map(noise)).map(String), (image) => String(noise(image)));
  }
  return dimensions;
}

const DIMENSIONS = buildDimensions();

// The base models that adapters with a value along a dimension are compared with.
const BASELINES_AT = new Map();
function baselinesAt(item, value) {
  const key = `${item.key}\u0000${value}`;
  if (!BASELINES_AT.has(key)) {
    BASELINES_AT.set(key, new Set(SAMPLES.filter((image) => fits(item, image, value)).map((image) => image.baseline)));
  }
  return BASELINES_AT.get(key);
}

const fits = (item, image, value) => (value === LAST ? image.last : item.get(image) === value);
const dimension = (key) => DIMENSIONS.find((item) => item.key === key);

const doseKey = (image) => `${image.train_seed}:${image.weight}:${image.last ? LAST : image.step}:${image.set}`;
const pairKey = (image) => `${image.prompt}\u0000${image.g}`;
const BASE_BY_PAIR = new Map(
  IMAGES.filter((image) => image.isBase).map((image) => [`${image.baseline}:${pairKey(image)}`, image]),
);
const SAMPLE_BY_KEY = new Map(
  SAMPLES.map((image) => [`${image.arm}:${doseKey(image)}:${pairKey(image)}`, image]),
);

// The picture that the reference drew from the same noise: the base model's, drawn as the arm draws,
// or another arm's with the same training seed, adapter weight and training step.
function partner(image, reference) {
  if (reference === "base") return image.isBase ? null : BASE_BY_PAIR.get(`${image.baseline}:${pairKey(image)}`) || null;
  if (image.isBase || String(image.arm) === reference) return null;
  return SAMPLE_BY_KEY.get(`${reference}:${doseKey(image)}:${pairKey(image)}`) || null;
}

// Some probes compare with the training set, so the base model's value depends on the arm.
function probeValue(image, probe, besideArm) {
  const own = image.own && image.own[besideArm];
  return (own || image.values)[probe];
}

// The probe whose number stands below a picture. A claim may read another probe on each prompt: it is
// chosen as "@claim".
function probeShown(image) {
  if (!STATE.probe.startsWith("@")) return probeIndex(STATE.probe);
  const claim = DATA.claims[STATE.probe.slice(1)];
  return probeIndex(claim && claim.matched[image.prompt]);
}

// Who drew it; base models differ by what they are and how they draw.
function drawnBy(image) {
  if (!image.isBase) return armLabel(image.arm);
  return `${DATA.baselines[image.baseline]}${image.role === "ceiling" ? ", asked outright" : ""}`;
}

function settingsOf(image) {
  return image.isBase ? {} : { ...DATA.config, ...DATA.runs[image.run].config };
}
