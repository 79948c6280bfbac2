// Below the pictures: runs with what failed and why, loss curves, and what reproduces the sweep.

function renderDetails() {
  const failed = DATA.runs.filter((run) => run.status === "FAILED");
  replace(
    byId("details"),
    el("h2", {}, "The runs"),
    failed.length ? el("div", { class: "failures" }, el("h3", {}, "Failed"), el("ul", {}, failed.map((run) => el(
      "li", {}, el("b", {}, `${armLabel(run.arm)}, training seed ${run.train_seed}`), `: ${run.reason || "no reason was recorded"}`,
    )))) : null,
    dosePlots(),
    lossPlot() ? [el("h3", {}, "Training loss"), lossPlot()] : null,
    instrumentTables(),
    el("details", {}, el("summary", {}, "All runs"), runTable()),
    el("details", {}, el("summary", {}, "Settings shared by all runs"), settingsTable()),
    el("h3", {}, "Make it again"),
    el("pre", { tabindex: "0" }, el("code", {}, DATA.record.command || "")),
    DATA.record.git_commit ? el("p", { class: "quiet" }, `commit ${String(DATA.record.git_commit).slice(0, 12)}`) : null,
    el("p", { class: "quiet" }, "Keys: 1 to 4 choose how to compare, space flips while blinking, + and − change the size, arrow keys move through the pictures, Enter opens one, Escape closes it."),
  );
}

function runTable() {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All runs" }, el("table", { class: "runs" },
    el("thead", {}, el("tr", {}, ["Arm", "Training seed", "Status", "Loss: adapter", "base", "Run"].map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, DATA.runs.map((run) => el("tr", {},
      el("td", {}, armLabel(run.arm)), el("td", {}, run.train_seed), el("td", {}, run.status.toLowerCase()),
      el("td", {}, run.check ? number(run.check.loss_adapter) : "–"), el("td", {}, run.check ? number(run.check.loss_base) : "–"),
      el("td", {}, el("code", {}, run.id)))))));
}

function settingsTable() {
  return el("div", { class: "scroll" }, el("table", { class: "runs" }, el("tbody", {}, Object.entries(DATA.config).map(
    ([key, value]) => el("tr", {}, el("th", { scope: "row" }, key), el("td", {}, value)),
  ))));
}
