// One picture, alone or against its reference: side by side, A/B slider, blink, difference.

const MODES = [
  ["side", "Plain", "Each picture by itself (1)"],
  ["slider", "Slider", "Left of the line the reference, right of it the arm (2)"],
  ["blink", "Blink", "Switch between the reference and the arm (3; space flips)"],
  ["diff", "Difference", "Brighter means further from the reference (4)"],
];

function pictureElement(image, alt) {
  return el("img", { src: SOURCES[image.picture], alt, decoding: "async", loading: "lazy", draggable: "false" });
}

function describe(image) {
  const run = image.isBase ? "" : `, training seed ${image.train_seed}${image.last ? "" : `, step ${image.step}`}`;
  return `${promptText(image.prompt)}: ${drawnBy(image)}${run}, generation seed ${image.g}`;
}

// The frame that holds a picture and, unless pictures stand plain, its reference over it.
function frame(image, reference) {
  const over = STATE.mode === "side" || !reference ? null : el("span", { class: "reference" }, pictureElement(reference, ""));
  return el("span", { class: "frame" }, pictureElement(image, ""), over);
}

function applyCompare(root) {
  root.dataset.mode = STATE.mode;
  root.style.setProperty("--split", `${STATE.split}%`);
  root.style.setProperty("--amp", STATE.amp);
  root.style.setProperty("--zoom", STATE.zoom);
}

// All pictures share one zoom and one place: dragging any of them moves all.
const PAN = { x: 50, y: 50 };

function applyPan() {
  document.documentElement.style.setProperty("--pan-x", `${PAN.x}%`);
  document.documentElement.style.setProperty("--pan-y", `${PAN.y}%`);
}

function enablePointer(root) {
  let drag = null;
  root.addEventListener("pointerdown", (event) => {
    const target = event.target.closest(".frame");
    if (!target || event.button !== 0 || (STATE.mode !== "slider" && STATE.zoom <= 1)) return;
    drag = { target, x: event.clientX, y: event.clientY, moved: false };
  });
  root.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const dx = event.clientX - drag.x;
    const dy = event.clientY - drag.y;
    if (!drag.moved && Math.hypot(dx, dy) < 4) return;
    drag.moved = true;
    const box = drag.target.getBoundingClientRect();
    if (STATE.mode === "slider") {
      const split = Math.round(Math.min(100, Math.max(0, ((event.clientX - box.left) / box.width) * 100)));
      if (split !== STATE.split) update({ split }, true);
      return;
    }
    const reach = Math.max(1, STATE.zoom - 1);
    PAN.x = Math.min(100, Math.max(0, PAN.x - ((dx / box.width) * 100) / reach));
    PAN.y = Math.min(100, Math.max(0, PAN.y - ((dy / box.height) * 100) / reach));
    drag.x = event.clientX;
    drag.y = event.clientY;
    applyPan();
  });
  const stop = () => {
    if (drag && drag.moved) root.addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => root.removeEventListener("click", swallow, { capture: true }));
    drag = null;
  };
  addEventListener("pointerup", stop);
  addEventListener("pointercancel", () => { drag = null; });
  root.addEventListener("wheel", (event) => {
    if (!event.ctrlKey || !event.target.closest(".frame")) return;
    event.preventDefault();
    update({ zoom: Math.min(8, Math.max(1, STATE.zoom * (event.deltaY < 0 ? 1.25 : 0.8))) }, true);
  }, { passive: false });
}

function swallow(event) {
  event.stopPropagation();
  event.preventDefault();
}

// Blinking: one clock for all pictures. People who asked for less motion flip by hand.
const CALM = matchMedia("(prefers-reduced-motion: reduce)").matches;
let blinkClock = null;

function flip() {
  document.documentElement.classList.toggle("flipped");
}

function followBlink() {
  clearInterval(blinkClock);
  document.documentElement.classList.remove("flipped");
  blinkClock = STATE.mode === "blink" && !CALM ? setInterval(flip, 700) : null;
}
