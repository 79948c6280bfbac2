// Start, and what the keyboard does.

function render(quiet) {
  document.documentElement.dataset.theme = STATE.theme;
  if (quiet) {
    byId("grid").style.setProperty("--size", `${STATE.size}px`);
    for (const input of document.querySelectorAll("input[data-key]")) input.value = STATE[input.dataset.key];
    for (const root of [byId("grid"), byId("lightbox")]) applyCompare(root);
    return;
  }
  renderControls();
  renderBanner();
  renderGrid();
  followBlink();
  if (byId("lightbox").open) renderLightbox();
}

function moveFocus(event) {
  const here = document.activeElement;
  if (!here || !here.classList.contains("picture")) return false;
  const all = [...document.querySelectorAll("#grid .picture")];
  const box = here.getBoundingClientRect();
  const sideways = event.key === "ArrowLeft" || event.key === "ArrowRight";
  const sign = event.key === "ArrowLeft" || event.key === "ArrowUp" ? -1 : 1;
  let best = null;
  for (const other of all) {
    const to = other.getBoundingClientRect();
    const along = sign * (sideways ? to.left - box.left : to.top - box.top);
    const across = Math.abs(sideways ? to.top - box.top : to.left - box.left);
    if (along > 4 && (!best || along + 4 * across < best.cost)) best = { other, cost: along + 4 * across };
  }
  if (best) best.other.focus();
  return true;
}

function onKey(event) {
  const typing = event.target.closest && event.target.closest("input, select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const pressed = event.target.closest && event.target.closest("button:not(.picture), summary, a");
  const mode = MODES[Number(event.key) - 1];
  const arrow = event.key.startsWith("Arrow");
  if (mode) update({ mode: mode[0] });
  else if (event.key === " " && STATE.mode === "blink" && !pressed) flip();
  else if (event.key === "+" || event.key === "=") update({ size: Math.min(384, STATE.size + 16) }, true);
  else if (event.key === "-") update({ size: Math.max(32, STATE.size - 16) }, true);
  else if (arrow && byId("lightbox").open) {
    const next = ORDER[ORDER.indexOf(OPEN) + (event.key === "ArrowLeft" || event.key === "ArrowUp" ? -1 : 1)];
    if (next) openLightbox(next);
  } else if (!arrow || !moveFocus(event)) return;
  event.preventDefault();
}

// Pictures of very large sweeps lie beside the page, where a page that was moved alone, or is shown
// inside another one, cannot reach them.
function tellMissingPictures(event) {
  if (!event.target.matches || !event.target.matches("img")) return;
  removeEventListener("error", tellMissingPictures, true);
  byId("top").append(el("p", { class: "alert", role: "status" },
    "The pictures of this sweep lie beside the page, in the folder “pictures”, and cannot be loaded from here: download the whole folder “report” and open its index.html."));
}

addEventListener("error", tellMissingPictures, true);
renderTop();
renderShort();
renderEvidence();
renderDetails();
onUpdate(render);
applyPan();
for (const root of [byId("grid"), byId("lightbox")]) enablePointer(root);
byId("lightbox").addEventListener("close", () => {
  const cell = OPEN && document.querySelector(`#grid .picture[data-id="${OPEN.id}"]`);
  OPEN = null;
  if (cell) cell.focus();
});
byId("lightbox").addEventListener("click", (event) => { if (event.target === byId("lightbox")) byId("lightbox").close(); });
// The address belongs to the view: a leap inside the page must not replace it.
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); leapTo("pictures"); });
addEventListener("keydown", onKey);
addEventListener("hashchange", () => { STATE = readHash(); render(false); });
render(false);
