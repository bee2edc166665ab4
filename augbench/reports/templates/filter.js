// The choice of arms, for the table of the answer and for the curves.

const MANY = 7; // more arms than this are not all shown at first

function choices() {
  const { order, established } = data.ranking[0];
  const found = [["all", `all ${order.length}`]];
  if (established.length) found.push(["established", "established anywhere"]);
  for (const k of [3, 5, 10, 20]) if (k < order.length) found.push([String(k), `the best ${k}`]);
  return found;
}

function chosen(pair) {
  const { order, established } = data.ranking[pair];
  const choice = byId("arms").value;
  if (choice === "all") return new Set(order);
  return new Set(choice === "established" ? established : order.slice(0, Number(choice)));
}

function choose() {
  const kept = chosen(state.pair);
  state.behind = new Set(others.filter((label) => !kept.has(label)));
  state.hidden = new Set(state.behind);
  showChosen();
  if (curves.metrics.length) draw();
}

function filterSummary() {
  const table = byId("summary");
  if (!table) return;
  const kept = chosen(0);
  let count = 0;
  for (const [label, row] of summaryRows) {
    row.hidden = !kept.has(label);
    count += !row.hidden;
  }
  const all = summaryRows.length;
  byId("shown-arms").textContent = count < all ? `${count} of ${all} arms` : "";
}

function unfold() {
  const part = document.getElementById(location.hash.slice(1));
  if (part && part.tagName === "DETAILS") part.open = true;
}

const summaryRows = byId("summary")
  ? [...byId("summary").tBodies[0].rows].map((row, i) => [data.summary[i], row])
  : [];
fill(byId("arms"), choices());
if (data.ranking[0].order.length > MANY) byId("arms").value = "5";
byId("arm-filter").hidden = data.ranking[0].order.length < 4;
byId("arm-filter").addEventListener("submit", (event) => event.preventDefault());
byId("arms").addEventListener("change", () => {
  choose();
  filterSummary();
});
byId("pair").addEventListener("change", choose);
for (const link of document.querySelectorAll("a.arm")) {
  link.addEventListener("click", () => {
    byId(link.getAttribute("href").slice(1)).open = true;
  });
}
addEventListener("hashchange", unfold);
unfold();
choose();
filterSummary();
let width = byId("chart").clientWidth;
new ResizeObserver(() => {
  if (byId("chart").clientWidth === width) return;
  width = byId("chart").clientWidth;
  draw();
}).observe(byId("chart"));
