"use strict";
// What the other parts share: the data of the page, elements, and numbers as text.

const data = JSON.parse(document.getElementById("data").textContent);
const curves = data.curves;
const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes = {}, text = null) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== null) node.textContent = text;
  return node;
}

function shape(parent, name, attributes = {}, text = null) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== null) node.textContent = text;
  parent.appendChild(node);
  return node;
}

// ---- numbers -------------------------------------------------------------------------------

function format(value, decimals, sign = false) {
  if (value === null) return "–";
  const text = Math.abs(value).toFixed(decimals);
  const zero = Number(text) === 0;
  if (value < 0 && !zero) return "−" + text;
  return sign && !zero ? "+" + text : text;
}

function estimate(arm, k, decimals, sign) {
  if (!arm || !arm.n[k]) return "·";
  const mean = format(arm.mean[k], decimals, sign);
  if (arm.lower[k] === null) return mean;
  return `${mean} (${format(arm.lower[k], decimals, sign)} to ${format(arm.upper[k], decimals, sign)})`;
}
