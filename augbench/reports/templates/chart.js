// The chart, and the table that its values are read off.

// ---- the chart -----------------------------------------------------------------------------

function niceTicks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) ticks.push(i * step);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (String(step / power) === "2.5" ? 1 : 0));
  return { ticks, decimals };
}

function range(arms, back) {
  const values = back.flatMap(({ arm }) => series(arm));
  for (const { arm } of arms) {
    values.push(...series(arm));
    if (oneSeed()) continue;
    values.push(...arm.lower, ...arm.upper);
    if (state.seeds === "each") for (const seed of arm.seeds) values.push(...seed);
  }
  const there = values.filter((value) => value !== null);
  if (state.view === "differences") there.push(0);
  if (!there.length) return null;
  let low = Math.min(...there);
  let high = Math.max(...there);
  const room = 0.05 * (high - low) || 0.5;
  return [low - room, high + room];
}

function path(ys, x, y) {
  let text = "";
  let pen = false;
  ys.forEach((_, k) => {
    if (ys[k] === null) { pen = false; return; }
    text += `${pen ? "L" : "M"}${x(k).toFixed(1)},${y(ys[k]).toFixed(1)}`;
    pen = true;
  });
  return text;
}

function bandPath(arm, x, y) {
  const there = arm.mean.map((_, k) => k).filter((k) => arm.lower[k] !== null);
  if (there.length < 2) return "";
  const up = there.map((k) => `${x(k).toFixed(1)},${y(arm.upper[k]).toFixed(1)}`);
  const down = there.map((k) => `${x(k).toFixed(1)},${y(arm.lower[k]).toFixed(1)}`).reverse();
  return `M${up.join("L")}L${down.join("L")}Z`;
}

function draw() {
  const area = byId("chart");
  const arms = shown();
  area.replaceChildren();
  fillReadout(arms);
  byId("chart-note").textContent = note();
  const back = behind();
  const limits = arms.length ? range(arms, back) : null;
  if (!limits) {
    area.appendChild(element("p", { class: "note" }, "Nothing to draw for this choice."));
    return;
  }
  const width = Math.max(300, Math.min(1100, area.clientWidth || 720));
  const height = Math.round(Math.max(260, Math.min(460, 0.55 * width)));
  const metric = curves.pairs[state.pair].metrics[state.metric];
  const references = state.view === "arms" ? Object.entries(metric.references) : [];
  let [low, high] = limits;
  const reach = 0.6 * (high - low);
  const drawn = [];
  for (const [name, arm] of references) {
    const value = oneSeed() ? arm.seeds[Number(state.seeds)][0] : arm.mean[0];
    if (value === null || value < limits[0] - reach || value > limits[1] + reach) continue;
    drawn.push([name, value]);
    low = Math.min(low, value - 0.03 * reach);
    high = Math.max(high, value + 0.03 * reach);
  }
  const { ticks, decimals } = niceTicks(low, high, height / 55);
  const left = 14 + 8 * Math.max(...ticks.map((tick) => format(tick, decimals).length));
  const [right, top, bottom] = [14, 26, 46];
  const logs = curves.sizes.map(Math.log2);
  const used = logs.map((_, k) => k).filter((k) => arms.some(({ arm }) => arm.n[k]));
  const spread = logs[used[used.length - 1]] - logs[used[0]];
  const x = (k) => spread
    ? left + 12 + ((logs[k] - logs[used[0]]) / spread) * (width - left - right - 24)
    : (left + width - right) / 2;
  const y = (value) => top + ((high - value) / (high - low)) * (height - top - bottom);

  const svg = shape(area, "svg", {
    viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": describe(),
    class: arms.length > 5 ? "many" : "few",
  });
  shape(svg, "text", { class: "axis-title", x: 0, y: 14 }, describe());
  for (const tick of ticks) {
    const zero = state.view === "differences" && Math.abs(tick) < 1e-9;
    shape(svg, "line", { class: zero ? "zero" : "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) });
    shape(svg, "text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, format(tick, decimals));
  }
  shape(svg, "line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom });
  for (const k of used) {
    shape(svg, "text", { x: x(k), y: height - bottom + 18, "text-anchor": "middle" }, String(curves.sizes[k]));
  }
  const title = `pretraining samples per class of ${curves.pairs[state.pair].pretrain} (log₂ scale)`;
  shape(svg, "text", { class: "axis-title", x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" },
    title.length * 6.6 > width - left ? "pretraining samples per class" : title);
  const guide = shape(svg, "line", { class: "guide", id: "guide", y1: top, y2: height - bottom });

  for (const [name, value] of drawn) {
    shape(svg, "line", { class: `reference ${name}`, x1: left, x2: width - right, y1: y(value), y2: y(value) });
    // The ceiling lies high above the left end of curves, the floor deep below their right end.
    const [at, anchor] = name === "ceiling" ? [left + 18, "start"] : [width - right, "end"];
    shape(svg, "text", { class: "reference-label", x: at, y: y(value) - 5, "text-anchor": anchor }, name);
  }
  for (const { label, arm } of back) {
    const group = shape(svg, "g", { class: "faint", "data-label": label });
    shape(group, "path", { class: "line", d: path(series(arm), x, y) });
  }
  for (const { label, arm, classes } of arms) {
    const group = shape(svg, "g", { class: classes, "data-label": label });
    if (!oneSeed()) shape(group, "path", { class: "band", d: bandPath(arm, x, y) });
    if (state.seeds === "each") {
      for (const seed of arm.seeds) shape(group, "path", { class: "seed", d: path(seed, x, y) });
    }
  }
  for (const { label, arm, classes, mark: kind } of arms) {
    const group = shape(svg, "g", { class: classes, "data-label": label });
    const values = series(arm);
    shape(group, "path", { class: "line", d: path(values, x, y) });
    values.forEach((value, k) => {
      if (value !== null) mark(group, kind, x(k), y(value));
    });
  }

  function nearest(event) {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * width;
    return used.reduce((best, k) => (Math.abs(x(k) - at) < Math.abs(x(best) - at) ? k : best));
  }
  svg.addEventListener("pointermove", (event) => select(nearest(event)));
  svg.addEventListener("pointerdown", (event) => select(nearest(event)));
  draw.move = () => {
    guide.toggleAttribute("hidden", !used.includes(state.size));
    guide.setAttribute("x1", x(state.size));
    guide.setAttribute("x2", x(state.size));
  };
  draw.move();
}

function select(k) {
  const next = Math.max(0, Math.min(curves.sizes.length - 1, k));
  if (next === state.size) return;
  state.size = next;
  if (draw.move) draw.move();
  fillReadout(shown());
}

function note() {
  const percent = `${+(100 * curves.confidence).toPrecision(6)} %`;
  const parts = [];
  if (behind().length) parts.push(`Grey: ${behind().length} other arms.`);
  if (oneSeed()) parts.push(`Seed ${state.seeds} alone.`);
  else if (curves.seeds > 1) parts.push(`Mean over seeds; the band is its ${percent} t interval.`);
  if (state.view === "differences") parts.push("Differences are paired by seed; intervals are pointwise and uncorrected.");
  const metric = curves.pairs[state.pair].metrics[state.metric];
  const decimals = curves.metrics[state.metric].decimals;
  if (state.view === "arms") {
    for (const [name, arm] of Object.entries(metric.references)) {
      if (arm.n[0]) parts.push(`The ${name} (${arm.words}): ${estimate(arm, 0, decimals)}.`);
    }
  }
  return parts.join(" ");
}

function fillReadout(arms) {
  const table = byId("readout");
  const decimals = curves.metrics[state.metric].decimals;
  const sign = state.view === "differences";
  const k = state.size;
  table.caption.textContent = `${describe()} at ${curves.sizes[k]} sample${curves.sizes[k] === 1 ? "" : "s"} per class`;
  const head = element("tr");
  const columns = ["augmentation", oneSeed() ? `seed ${state.seeds}` : "mean and interval", ...(oneSeed() ? [] : ["n"])];
  columns.forEach((text, i) => head.appendChild(element("th", { scope: "col", class: i ? "" : "words" }, text)));
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...arms.map(({ label, arm, classes }) => {
    const row = element("tr");
    const name = element("th", { scope: "row", class: classes });
    name.appendChild(element("span", { class: "swatch" }));
    name.appendChild(document.createTextNode(label));
    row.appendChild(name);
    const text = oneSeed() ? format(series(arm)[k], decimals, sign) : estimate(arm, k, decimals, sign);
    row.appendChild(element("td", {}, text));
    if (!oneSeed()) row.appendChild(element("td", {}, counted(arm, k)));
    return row;
  }));
}

function counted(arm, k) {
  const low = arm.collapsed[k];
  return low ? `${arm.n[k]} (${low} collapsed)` : String(arm.n[k]);
}

byId("chart-area").hidden = !curves.metrics.length; // nothing is computed yet
setUpControls();
