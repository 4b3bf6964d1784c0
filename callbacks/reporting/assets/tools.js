// What all files share; they are joined into one function.
const data = JSON.parse(document.getElementById("figures").textContent);
const tip = document.getElementById("tip");
const dark = matchMedia("(prefers-color-scheme: dark)");
const all = [0, data.end];
let shown = all;
let printing = false;
const plots = [];

// Focus scrolls the page beneath a mouse that rests: the browser tells a plot that it
// left or moved, but the keyboard points until the mouse itself does.
let keyed = false, rest = null;
function rests(event) {
  const at = `${event.screenX},${event.screenY}`, same = rest === null || at === rest;
  rest = at;
  keyed &&= same;
  return keyed;
}

const SVG = "http://www.w3.org/2000/svg";
function draw(parent, tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return parent.appendChild(element);
}
function put(parent, tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return parent.appendChild(element);
}
const isNumber = (value) => typeof value === "number";
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
function format(value) {
  if (value === null) return "no record";
  if (!isNumber(value)) return value === "NaN" ? "not a number" : value === "Infinity" ? "infinity" : "negative infinity";
  const size = Math.abs(value);
  if (size && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return value.toLocaleString("en", { maximumSignificantDigits: 4 });
}
const formatCell = (value) => (value === null || isNumber(value) ? format(value) : "not finite");
const formatStep = (step) => Math.round(step).toLocaleString("en");
function nearest(steps, step) {
  let low = 0, high = steps.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle; else high = middle;
  }
  return step - steps[low] <= steps[high] - step ? low : high;
}
function ticksBetween(low, high, most) {
  const raw = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const width = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999);
  const ticks = [];
  for (let i = Math.ceil(low / width - 1e-9); i * width <= high + width * 1e-9; i++) ticks.push(i * width + 0);
  return ticks;
}
function powersBetween(low, high) {
  const first = Math.ceil(low - 1e-9), last = Math.floor(high + 1e-9);
  const every = Math.max(1, Math.ceil((last - first) / 5));
  const powers = [];
  for (let power = first; power <= last; power += every) powers.push(power);
  return powers.length > 1 ? powers : ticksBetween(low, high, 4);
}
