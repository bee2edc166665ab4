// What the reader chose, and how each augmentation looks.

// ---- how each augmentation looks -----------------------------------------------------------

const others = curves.colours;

function look(label) {
  const i = others.indexOf(label);
  if (i < 0) return { classes: "base", mark: 0 };
  return { classes: `c${i % 7} d${Math.floor(i / 7) % 4}`, mark: 1 + (i % 5) };
}

// Circle, square, diamond, triangle, hexagon, cross: points around the centre.
const MARKS = [
  null,
  [[-1, -1], [1, -1], [1, 1], [-1, 1]],
  [[0, -1.4], [1.2, 0], [0, 1.4], [-1.2, 0]],
  [[0, -1.4], [1.25, 1], [-1.25, 1]],
  [[-1.3, 0], [-0.65, -1.15], [0.65, -1.15], [1.3, 0], [0.65, 1.15], [-0.65, 1.15]],
  [[-0.5, -1.3], [0.5, -1.3], [0.5, -0.5], [1.3, -0.5], [1.3, 0.5], [0.5, 0.5], [0.5, 1.3],
   [-0.5, 1.3], [-0.5, 0.5], [-1.3, 0.5], [-1.3, -0.5], [-0.5, -0.5]],
];

function mark(parent, kind, x, y, r = 3.6) {
  if (!MARKS[kind]) return shape(parent, "circle", { class: "mark", cx: x, cy: y, r });
  const points = MARKS[kind].map(([dx, dy]) => `${x + r * dx},${y + r * dy}`).join(" ");
  return shape(parent, "polygon", { class: "mark", points });
}

// ---- state and controls --------------------------------------------------------------------

// Hidden arms are not read off; of these, the ones behind are drawn faint and have no button.
const state = {
  pair: 0, metric: 0, view: "arms", seeds: "mean", size: 0, hidden: new Set(), behind: new Set(),
};

function fill(select, entries) {
  for (const [value, text] of entries) select.appendChild(element("option", { value }, text));
}

function listen(id, key, number) {
  byId(id).addEventListener("change", (event) => {
    state[key] = number ? Number(event.target.value) : event.target.value;
    draw();
  });
}

function setUpControls() {
  fill(byId("pair"), curves.pairs.map((pair, i) => [i, `${pair.pretrain} → ${pair.finetune}`]));
  fill(byId("metric"), curves.metrics.map((metric, i) => [i, metric.title]));
  const seeds = [...Array(curves.seeds).keys()].map((i) => [i, `seed ${i} alone`]);
  fill(byId("seeds"), curves.seeds > 1
    ? [["mean", "mean and interval"], ["each", "mean and each seed"], ...seeds]
    : [["mean", "the only seed"]]);
  byId("pair").parentElement.hidden = curves.pairs.length < 2;
  listen("pair", "pair", true);
  listen("metric", "metric", true);
  listen("view", "view", false);
  listen("seeds", "seeds", false);
  byId("view").disabled = curves.baseline === null || !others.length;
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  for (const label of curves.augmentations) {
    const button = element("button", { type: "button", "aria-pressed": "true" });
    const { classes, mark: kind } = look(label);
    const sample = shape(button, "svg", { viewBox: "0 0 34 12", class: classes, "aria-hidden": "true" });
    shape(sample, "line", { class: "line", x1: 0, x2: 34, y1: 6, y2: 6 });
    mark(sample, kind, 17, 6);
    button.appendChild(document.createTextNode(label));
    button.addEventListener("click", () => {
      const hide = !state.hidden.has(label);
      if (hide) state.hidden.add(label);
      else state.hidden.delete(label);
      showChosen();
      draw();
    });
    byId("legend").appendChild(button);
  }
  byId("chart").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const end = { Home: 0, End: curves.sizes.length - 1 }[event.key];
    if (step === undefined && end === undefined) return;
    event.preventDefault();
    select(end === undefined ? state.size + step : end);
  });
}

// ---- what is shown -------------------------------------------------------------------------

function every() {
  const metric = curves.pairs[state.pair].metrics[state.metric];
  const arms = state.view === "differences" ? metric.differences : metric.arms;
  return curves.augmentations
    .map((label, i) => ({ label, arm: arms[i], ...look(label) }))
    .filter(({ arm }) => arm);
}

function shown() {
  return every().filter(({ label }) => !state.hidden.has(label));
}

function behind() {
  return every().filter(({ label }) => state.behind.has(label));
}

function showChosen() {
  for (const button of byId("legend").children) {
    const label = button.lastChild.textContent;
    button.setAttribute("aria-pressed", String(!state.hidden.has(label)));
    button.hidden = state.behind.has(label);
  }
}

function series(arm) {
  if (typeof state.seeds === "string" && isNaN(Number(state.seeds))) return arm.mean;
  return arm.seeds[Number(state.seeds)];
}

function oneSeed() {
  return !isNaN(Number(state.seeds));
}

function describe() {
  const metric = curves.metrics[state.metric];
  const pair = curves.pairs[state.pair];
  const place = metric.of === "pretraining" ? pair.pretrain : pair.finetune;
  const what = `${metric.title} on ${place}`;
  const better = metric.better === "lower" ? ", lower is better" : "";
  if (state.view === "arms") return `${what} (${metric.unit}${better})`;
  return `${what}: difference from ${curves.baseline} (${metric.unit_of_difference}${better})`;
}
