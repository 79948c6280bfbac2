// Tables of what is measured beside single pictures: shaded by size, blue above zero, orange below.

function instrumentTables() {
  if (!DATA.instruments.length) return null;
  const kinds = distinct(DATA.instruments.map((item) => item.title.split(":")[0].toLowerCase()));
  return el("details", {}, el("summary", {}, sentence(kinds.join(", "))),
    DATA.instruments.map(instrumentTable));
}

function instrumentTable(item) {
  const largest = Math.max(0, ...item.rows.flatMap((row) => row.cells).filter(Number.isFinite).map(Math.abs));
  const shade = (value) => {
    if (!item.shaded || value === null || !largest) return null;
    return `background: rgba(${value < 0 ? "213, 94, 0" : "0, 114, 178"}, ${(0.5 * Math.abs(value) / largest).toFixed(3)})`;
  };
  return [
    el("h3", {}, item.title),
    el("p", { class: "quiet" }, item.note),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": item.title }, el("table", { class: "runs" },
      el("thead", {}, el("tr", {}, ["", ...item.columns].map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, item.rows.map((row) => el("tr", {}, el("th", { scope: "row" }, row.label),
        row.cells.map((value) => el("td", { style: shade(value) }, value === null ? "–" : number(value, 3)))))))),
  ];
}
