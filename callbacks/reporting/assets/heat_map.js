// Layers by time. The ramps run evenly from dark to bright.
const RAMPS = {
  order: ["#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"],
  share: ["#f3f3f0", "#fbd9a0", "#ee9440", "#bf4a16", "#7a1f0c", "#3d0a08"],
  shareDark: ["#29292d", "#4d3018", "#8f4a14", "#d57a1f", "#f7b955", "#fff2c4"],
  centre: ["#12407f", "#5b97d1", "#c4dcee", "#f2f2ee", "#f5cfa6", "#d8792a", "#8a3605"],
  centreDark: ["#8fc4ff", "#4a86c8", "#2a4a6e", "#2d2d31", "#6b4321", "#c57a2e", "#ffc27a"],
};
function stripes(pen, size) {
  const tile = document.createElement("canvas"), brush = tile.getContext("2d");
  tile.width = tile.height = size;
  const style = getComputedStyle(document.documentElement);
  brush.fillStyle = style.getPropertyValue("--empty");
  brush.fillRect(0, 0, size, size);
  brush.strokeStyle = style.getPropertyValue("--critical");
  brush.lineWidth = size / 4;
  for (const shift of [-size, 0, size]) {
    brush.moveTo(shift - 1, size + 1);
    brush.lineTo(shift + size + 1, -1);
  }
  brush.stroke();
  return pen.createPattern(tile, "repeat");
}
function paletteOf(map) {
  const isDark = dark.matches && !printing;
  const name = map.centred ? "centre" : map.logarithmic ? "order" : "share";
  const stops = RAMPS[name + (isDark && name !== "order" ? "Dark" : "")];
  const parts = stops.map((stop) => [1, 3, 5].map((at) => parseInt(stop.slice(at, at + 2), 16)));
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const left = Math.min(stops.length - 2, Math.floor(at));
    const mixed = parts[left].map((part, k) => Math.round(part + (parts[left + 1][k] - part) * (at - left)));
    return `rgb(${mixed})`;
  });
}
function shareOf(map, value) {
  const scale = map.logarithmic ? (v) => Math.log10(Math.max(v, 1e-300)) : (v) => v;
  return clamp((scale(value) - scale(map.low)) / (scale(map.high) - scale(map.low)), 0, 1);
}

// What differs of names that are too long: their ends, or what is different in names that end alike.
function shortened(names, most) {
  const cut = (name) => (name.length > most ? `…${name.slice(1 - most)}` : name);
  const alike = new Map();
  for (const name of names) alike.set(cut(name), [...(alike.get(cut(name)) ?? []), name]);
  return names.map((name) => {
    const others = [...new Set(alike.get(cut(name)))];
    return others.length > 1 ? aroundDifference(name, others, most) : cut(name);
  });
}
function aroundDifference(name, others, most) {
  const isSame = (at) => others.every((other) => other.at(at) === name.at(at));
  const isDigit = (at) => /\d/.test(name.at(at) ?? "");
  const shortest = Math.min(...others.map((other) => other.length));
  let from = 0, end = 0;
  while (from < shortest && isSame(from)) from++;
  while (end < shortest - from && isSame(-end - 1)) end++;
  // A number is different as a whole.
  while (from && isDigit(from - 1)) from--;
  while (end && isDigit(-end)) end--;
  const start = from ? "…" : "", tail = name.slice(name.length - end);
  const core = name.slice(from, name.length - end).slice(0, most - 2);
  const room = most - 1 - start.length - core.length;
  return `${start}${core}${tail.length > room ? "…" : ""}${room ? tail.slice(-room) : ""}`;
}

function dropOverlapping(labels) {
  const boxes = labels.map((label) => label.getBoundingClientRect());
  let kept = 0;
  for (let i = 1; i < labels.length; i++) {
    if (boxes[i].left > boxes[kept].right + 8) kept = i;
    else if (i === labels.length - 1 && kept) { labels[kept].remove(); kept = i; }
    else labels[i].remove();
  }
}

class HeatMap extends Plot {
  constructor(figure, map) {
    super(figure.querySelector(".plot"));
    this.map = map;
    this.halo = true;
    this.steps = map.steps;
    this.row = 0;
    this.canvas = document.createElement("canvas");
    this.host.prepend(this.canvas);
    this.legend = figure.querySelector(".scale");
    const middles = map.steps.slice(1).map((step, i) => (step + map.steps[i]) / 2);
    const gap = map.steps.length > 1 ? map.steps[1] - map.steps[0] : Math.max(1, data.end / 50);
    const last = map.steps[map.steps.length - 1];
    const lastGap = map.steps.length > 1 ? last - map.steps[map.steps.length - 2] : gap;
    this.edges = [Math.max(0, map.steps[0] - gap / 2), ...middles, Math.min(data.end, last + lastGap / 2)];
    // A column at the very end has no room of its own otherwise.
    if (this.edges[this.edges.length - 1] <= last) this.edges[this.edges.length - 1] = Math.max(last, data.end);
  }
  measure(width) {
    const rows = this.map.layers.length;
    const letters = Math.max(...this.map.layers.map((layer) => layer.length));
    this.left = Math.min(letters * 6.3 + 12, this.narrow ? 96 : 190);
    this.left = Math.max(this.left, 40);
    this.width = width - this.left - 8;
    this.line = clamp(Math.floor(480 / rows), 2, 20);
    this.height = rows * this.line;
  }
  paint() {
    const ratio = window.devicePixelRatio || 1, canvas = this.canvas, map = this.map;
    canvas.width = Math.round(this.width * ratio);
    canvas.height = Math.round(this.height * ratio);
    canvas.style.left = `${this.left}px`;
    canvas.style.top = `${this.top}px`;
    canvas.style.width = `${this.width}px`;
    canvas.style.height = `${this.height}px`;
    const pen = canvas.getContext("2d"), palette = paletteOf(map);
    pen.fillStyle = printing ? "#efefec" : getComputedStyle(this.host).getPropertyValue("--empty");
    pen.fillRect(0, 0, canvas.width, canvas.height);
    const xs = this.edges.map((edge) => Math.round((this.xOf(edge) - this.left) * ratio));
    const notFinite = stripes(pen, Math.round(8 * ratio));
    const over = printing ? "#c2187a" : getComputedStyle(this.host).getPropertyValue("--over");
    let infinite = false, missing = false, beyond = false;
    map.values.forEach((row, i) => {
      const y = Math.round(i * this.line * ratio), height = Math.round((i + 1) * this.line * ratio) - y;
      row.forEach((value, k) => {
        const from = Math.max(0, xs[k]), to = Math.min(canvas.width, Math.max(xs[k + 1], xs[k] + 1));
        infinite ||= value !== null && !isNumber(value);
        missing ||= value === null;
        if (to <= from || value === null) return;
        beyond ||= isNumber(value) && value > map.high;
        const shade = value > map.high ? over : palette[Math.round(255 * shareOf(map, value))];
        pen.fillStyle = isNumber(value) ? shade : notFinite;
        pen.fillRect(from, y, to - from, height);
      });
    });
    this.paintNames();
    this.paintScale(palette, infinite, missing, beyond);
  }
  paintNames() {
    const every = Math.ceil(13 / this.line), most = Math.max(3, Math.floor((this.left - 12) / 6.3 + 0.01));
    shortened(this.map.layers, most).forEach((name, i) => {
      if (i % every) return;
      draw(this.svg, "text", { x: this.left - 6, y: this.top + (i + 0.5) * this.line + 4, "text-anchor": "end" }, name);
    });
  }
  paintScale(palette, infinite, missing, beyond) {
    this.legend.replaceChildren();
    const bar = put(this.legend, "canvas"), pen = bar.getContext("2d");
    bar.width = 256;
    bar.height = 1;
    palette.forEach((colour, i) => { pen.fillStyle = colour; pen.fillRect(i, 0, 1, 1); });
    const words = put(this.legend, "div");
    const ticks = this.map.ticks.length ? this.map.ticks : [[this.map.low, format(this.map.low)], [this.map.high, format(this.map.high)]];
    for (const [value, text] of ticks) {
      const share = shareOf(this.map, value), label = put(words, "span", text);
      label.style.left = `${100 * share}%`;
      label.className = share < 0.05 ? "first" : share > 0.95 ? "last" : "";
    }
    dropOverlapping([...words.children]);
    const above = `above ${format(this.map.high)}`;
    for (const [there, look, text] of [[beyond, "over", above], [infinite, "striped", "not finite"], [missing, "", "no record"]])
      if (there) {
        const entry = put(this.legend, "p");
        put(entry, "i", "", look);
        entry.append(text);
      }
  }
  pick(y) { this.row = clamp(Math.floor((y - this.top) / this.line), 0, this.map.layers.length - 1); }
  walk(key) {
    const keys = { ArrowUp: -1, ArrowDown: 1 };
    if (!(key in keys)) return false;
    this.row = clamp(this.row + keys[key], 0, this.map.layers.length - 1);
    return true;
  }
  read(step) {
    const at = nearest(this.map.steps, step);
    return [`step ${formatStep(this.map.steps[at])}`, this.map.layers[this.row], formatCell(this.map.values[this.row][at])];
  }
  point(step, active) {
    super.point(step);
    if (step === null || !active || !this.overlay) return;
    const at = nearest(this.map.steps, step);
    const x = clamp(this.xOf(this.edges[at]), this.left, this.left + this.width);
    const right = clamp(this.xOf(this.edges[at + 1]), this.left, this.left + this.width);
    const cell = { x, y: this.top + this.row * this.line, width: Math.max(1, right - x), height: this.line };
    draw(this.overlay, "rect", { class: "cell halo", ...cell });
    draw(this.overlay, "rect", { class: "cell", ...cell });
  }
}
