"use strict";
(() => {
  const data = JSON.parse(document.getElementById("figures").textContent);
  const tip = document.getElementById("tip");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const all = [0, data.end];
  let shown = all;
  let printing = false;
  const plots = [];

  // ---- small tools ----
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
    if (!isNumber(value)) return value === "NaN" ? "not a number" : value === "Infinity" ? "infinite" : "minus infinite";
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

  // ---- colours of the heat maps; each runs evenly from dark to bright ----
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

  function dropOverlapping(labels) {
    const boxes = labels.map((label) => label.getBoundingClientRect());
    let kept = 0;
    for (let i = 1; i < labels.length; i++) {
      if (boxes[i].left > boxes[kept].right + 8) kept = i;
      else if (i === labels.length - 1 && kept) { labels[kept].remove(); kept = i; }
      else labels[i].remove();
    }
  }

  // ---- what all plots have: a frame, steps, marks of the findings, a cursor ----
  class Plot {
    constructor(host) {
      this.host = host;
      this.svg = draw(host, "svg", { "aria-hidden": "true" });
      this.step = null;
      host.addEventListener("pointermove", (event) => this.onMove(event));
      host.addEventListener("pointerdown", (event) => this.onDown(event));
      host.addEventListener("pointerup", (event) => this.onUp(event));
      // A finger that is lifted leaves, too, and what it pointed at should stay.
      host.addEventListener("pointerleave", (event) => { if (!this.from && event.pointerType !== "touch") point(null); });
      host.addEventListener("dblclick", () => zoom(all));
      host.addEventListener("keydown", (event) => this.onKey(event));
      host.addEventListener("blur", () => point(null));
      plots.push(this);
    }
    xOf(step) { return this.left + ((step - shown[0]) / (shown[1] - shown[0])) * this.width; }
    stepAt(x) { return clamp(shown[0] + ((x - this.left) / this.width) * (shown[1] - shown[0]), ...shown); }
    render() {
      const width = this.host.clientWidth;
      if (!width) return;
      this.narrow = width < 480;
      this.svg.replaceChildren();
      this.top = data.marks.length ? 18 : 6;
      this.measure(width);
      const height = this.top + this.height + 22;
      this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      this.svg.setAttribute("height", height);
      this.paint();
      draw(this.svg, "rect", { class: "frame", x: this.left, y: this.top, width: this.width, height: this.height });
      this.paintSteps();
      this.paintMarks();
      this.overlay = draw(this.svg, "g", {});
    }
    paintSteps() {
      for (const step of ticksBetween(shown[0], shown[1], this.narrow ? 4 : 8)) {
        if (step % 1) continue;
        const x = this.xOf(step), anchor = x > this.left + this.width - 16 ? "end" : "middle";
        draw(this.svg, "text", { x, y: this.top + this.height + 15, "text-anchor": anchor }, formatStep(step));
      }
    }
    paintMarks() {
      let free = -Infinity;
      // One veil for all, so that what overlaps is not darker; the worst lies on top.
      const veil = draw(this.svg, "g", { class: "veil" });
      const bottom = this.top + this.height;
      for (const mark of [...data.marks].sort((a, b) => a.since - b.since)) {
        if (mark.since < shown[0] || mark.since > shown[1]) continue;
        const x = this.xOf(mark.since), group = draw(this.svg, "g", { class: `${mark.severity}-mark` });
        if (this.halo) draw(group, "line", { class: "halo", x1: x, x2: x, y1: this.top, y2: bottom });
        draw(group, "line", { class: "mark", x1: x, x2: x, y1: this.top, y2: bottom });
        const at = Math.max(x, free + 17), link = draw(group, "a", { class: "badge", href: `#finding-${mark.number}`, tabindex: "-1" });
        draw(link, "title", {}, `${mark.title}, since step ${formatStep(mark.since)}`);
        draw(link, "rect", { x: at - 7.5, y: this.top - 16, width: 15, height: 14, rx: 7 });
        draw(link, "text", { x: at, y: this.top - 5.5 }, mark.number);
        free = at;
      }
      if (!this.veiled) return;
      const order = { info: 0, warning: 1, critical: 2 };
      for (const mark of [...data.marks].sort((a, b) => order[a.severity] - order[b.severity])) {
        const from = this.xOf(clamp(mark.since, ...shown)), until = this.xOf(clamp(mark.withdrawn ?? shown[1], ...shown));
        draw(veil, "rect", { class: `${mark.severity}-mark`, x: from, y: this.top, width: Math.max(0, until - from), height: this.height });
      }
    }
    place(event) {
      const box = this.host.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    }
    onMove(event) {
      const [x, y] = this.place(event);
      this.pick(y);
      point(this, this.stepAt(x), event.pageX, event.pageY, event.pointerType === "touch");
      if (this.from) {
        const edges = [this.from, clamp(x, this.left, this.left + this.width)].sort((a, b) => a - b);
        draw(this.overlay, "rect", { class: "brush", x: edges[0], y: this.top, width: edges[1] - edges[0], height: this.height });
      }
    }
    onDown(event) {
      if (event.pointerType === "mouse" && event.button === 0 && !event.target.closest("a")) {
        this.from = clamp(this.place(event)[0], this.left, this.left + this.width);
        this.host.setPointerCapture(event.pointerId);
      } else this.onMove(event);
    }
    onUp(event) {
      const from = this.from, to = this.place(event)[0];
      this.from = null;
      if (from && Math.abs(to - from) > 8) {
        const steps = [this.stepAt(from), this.stepAt(to)].sort((a, b) => a - b);
        if (steps[1] - steps[0] >= 2) zoom(steps);
      }
    }
    onKey(event) {
      const keys = { ArrowLeft: -1, ArrowRight: 1 };
      if (event.key === "Escape") { zoom(all); point(null); return; }
      if (event.key in keys) {
        const steps = this.steps, at = nearest(steps, this.step ?? shown[0]);
        this.step = this.step === null ? steps[at] : steps[clamp(at + keys[event.key], 0, steps.length - 1)];
        if (this.step < shown[0] || this.step > shown[1]) zoom(all);
      } else if (!this.walk(event.key)) return;
      event.preventDefault();
      this.step ??= this.steps[0];
      const box = this.host.getBoundingClientRect();
      point(this, this.step, box.left + scrollX + this.xOf(this.step), box.top + scrollY + this.top + 10);
    }
    pick() {}
    walk() { return false; }
    point(step) {
      if (!this.overlay) return;
      this.overlay.replaceChildren();
      if (step === null || step < shown[0] || step > shown[1]) return;
      const x = this.xOf(step);
      if (this.halo) draw(this.overlay, "line", { class: "halo", x1: x, x2: x, y1: this.top, y2: this.top + this.height });
      draw(this.overlay, "line", { class: "cursor", x1: x, x2: x, y1: this.top, y2: this.top + this.height });
    }
  }

  class Chart extends Plot {
    constructor(figure, chart) {
      super(figure.querySelector(".plot"));
      this.chart = chart;
      this.veiled = true;
      this.logarithmic = chart.logarithmic;
      const steps = chart.curves.flatMap((curve) => curve.steps);
      this.steps = [...new Set(steps)].sort((a, b) => a - b);
      const legend = figure.querySelector(".legend");
      chart.curves.forEach((curve, i) => put(legend, "span", curve.name, `${curve.style} tone-${this.toneOf(i)}`));
      if (chart.reference) put(legend, "span", `${chart.reference.label}: ${format(chart.reference.value)}`, "reference");
      const button = figure.querySelector(".axis");
      const values = chart.curves.flatMap((curve) => curve.values).filter(isNumber);
      button.hidden = !values.some((value) => value > 0);
      const label = () => { button.textContent = this.logarithmic ? "Linear axis" : "Log axis"; };
      button.addEventListener("click", () => { this.logarithmic = !this.logarithmic; label(); this.render(); });
      label();
    }
    // A faint curve has the colour of the line that it is the noise of, which comes after it.
    toneOf(i) {
      const earlier = this.chart.curves.slice(0, i).filter((curve) => curve.style !== "faint");
      return earlier.length % 4;
    }
    measure(width) { this.left = 52; this.width = width - this.left - 8; this.height = this.narrow ? 150 : 180; }
    scale(value) { return this.logarithmic ? (value > 0 ? Math.log10(value) : NaN) : value; }
    range() {
      const values = [];
      const take = (value) => { const at = this.scale(value); if (isFinite(at)) values.push(at); };
      for (const curve of this.chart.curves)
        curve.values.forEach((value, i) => { if (isNumber(value) && curve.steps[i] >= shown[0] && curve.steps[i] <= shown[1]) take(value); });
      if (this.chart.reference && shown === all) take(this.chart.reference.value);
      if (!values.length) values.push(0, 1);
      values.sort((a, b) => a - b);
      let [low, high] = [values[0], values[values.length - 1]];
      // What blows up leaves the frame, so that what was before is more than a flat line.
      const most = values[Math.floor(0.9 * (values.length - 1))];
      if (this.logarithmic && high > most + 3) high = most + 1.5;
      const slack = (high - low) * 0.05 || Math.abs(high) * 0.1 || 1;
      return [!this.logarithmic && low >= 0 && low < high / 3 ? 0 : low - slack, high + slack];
    }
    yOf(value) { return this.top + this.height * (1 - (this.scale(value) - this.low) / (this.high - this.low)); }
    paint() {
      [this.low, this.high] = this.range();
      this.saysNotFinite = false;
      const ticks = this.logarithmic ? powersBetween(this.low, this.high).map((power) => 10 ** power) : ticksBetween(this.low, this.high, 4);
      for (const tick of ticks) {
        const y = this.yOf(tick);
        draw(this.svg, "line", { class: "grid", x1: this.left, x2: this.left + this.width, y1: y, y2: y });
        const text = Math.abs(tick) < 1e-12 && !this.logarithmic ? "0" : Math.abs(tick) >= 1e5 || Math.abs(tick) < 1e-3 ? tick.toExponential(Number.isInteger(Math.log10(Math.abs(tick))) ? 0 : 1) : format(tick);
        draw(this.svg, "text", { x: this.left - 6, y: y + 4, "text-anchor": "end" }, text);
      }
      const id = `clip-${plots.indexOf(this)}`;
      draw(draw(this.svg, "clipPath", { id }), "rect", { x: this.left, y: this.top, width: this.width, height: this.height });
      const group = draw(this.svg, "g", { "clip-path": `url(#${id})` });
      const reference = this.chart.reference;
      if (reference && isFinite(this.scale(reference.value))) {
        const y = this.yOf(reference.value);
        draw(group, "line", { class: "reference", x1: this.left, x2: this.left + this.width, y1: y, y2: y });
      }
      this.chart.curves.forEach((curve, i) => this.paintCurve(group, curve, this.toneOf(i)));
    }
    paintCurve(group, curve, tone) {
      let path = "", pen = "M";
      const broken = [];
      curve.values.forEach((value, i) => {
        const x = this.xOf(curve.steps[i]);
        if (!isNumber(value) || !isFinite(this.scale(value))) {
          pen = "M";
          if (!isNumber(value)) broken.push(x);
          return;
        }
        path += `${pen}${x.toFixed(1)} ${this.yOf(value).toFixed(1)}`;
        pen = "L";
      });
      if (broken.length) {
        const from = broken[0], to = broken[broken.length - 1];
        draw(group, "rect", { class: "not-finite", x: from, y: this.top, width: Math.max(3, to - from), height: 4 });
        if (!this.saysNotFinite) {
          this.saysNotFinite = true;
          const anchor = from > this.left + this.width / 2 ? "end" : "start";
          draw(group, "text", { class: "not-finite", x: from, y: this.top + 17, "text-anchor": anchor }, "not finite");
        }
      }
      draw(group, "path", { class: `curve ${curve.style} tone-${tone}`, d: path });
      const known = curve.values.filter(isNumber).length;
      if (known < 2 || (curve.style === "dots" && known <= 60))
        curve.values.forEach((value, i) => {
          if (isNumber(value) && isFinite(this.scale(value)))
            draw(group, "circle", { class: `dot tone-${tone}`, cx: this.xOf(curve.steps[i]), cy: this.yOf(value), r: 3 });
        });
    }
    read(step) {
      const lines = this.chart.curves.filter((curve) => curve.steps.length).map((curve) => {
        const at = nearest(curve.steps, step), away = Math.abs(curve.steps[at] - step) > (shown[1] - shown[0]) / 50;
        return `${curve.name}: ${format(curve.values[at])}${away ? ` (step ${formatStep(curve.steps[at])})` : ""}`;
      });
      return [`step ${formatStep(step)}`, ...lines];
    }
    point(step) {
      super.point(step);
      if (step === null || !this.overlay) return;
      this.chart.curves.forEach((curve, i) => {
        if (curve.style === "faint" || !curve.steps.length) return;
        const at = nearest(curve.steps, step), value = curve.values[at], x = this.xOf(curve.steps[at]);
        if (isNumber(value) && isFinite(this.scale(value)) && x >= this.left && x <= this.left + this.width)
          draw(this.overlay, "circle", { class: `dot tone-${this.toneOf(i)}`, cx: x, cy: this.yOf(value), r: 4 });
      });
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
      this.left = Math.max(this.left, 24);
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
      let infinite = false, missing = false;
      map.values.forEach((row, i) => {
        const y = Math.round(i * this.line * ratio), height = Math.round((i + 1) * this.line * ratio) - y;
        row.forEach((value, k) => {
          const from = Math.max(0, xs[k]), to = Math.min(canvas.width, Math.max(xs[k + 1], xs[k] + 1));
          infinite ||= value !== null && !isNumber(value);
          missing ||= value === null;
          if (to <= from || value === null) return;
          pen.fillStyle = isNumber(value) ? palette[Math.round(255 * shareOf(map, value))] : notFinite;
          pen.fillRect(from, y, to - from, height);
        });
      });
      this.paintNames();
      this.paintScale(palette, infinite, missing);
    }
    paintNames() {
      const every = Math.ceil(13 / this.line), most = Math.max(3, Math.floor((this.left - 12) / 6.3 + 0.01));
      this.map.layers.forEach((layer, i) => {
        if (i % every) return;
        const name = layer.length > most ? `…${layer.slice(1 - most)}` : layer;
        draw(this.svg, "text", { x: this.left - 6, y: this.top + (i + 0.5) * this.line + 4, "text-anchor": "end" }, name);
      });
    }
    paintScale(palette, infinite, missing) {
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
      for (const [there, look, text] of [[infinite, "striped", "not finite"], [missing, "", "no record"]])
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

  // ---- all plots together ----
  function point(active, step = null, x = 0, y = 0, above = false) {
    for (const plot of plots) plot.point(step, plot === active);
    tip.hidden = !active;
    if (!active) return;
    active.step = step;
    tip.replaceChildren();
    for (const line of active.read(step)) put(tip, "div", line);
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(x + 14, room < x + 14 ? x - tip.offsetWidth - 14 : room))}px`;
    tip.style.top = `${above ? Math.max(0, y - tip.offsetHeight - 28) : y + 14}px`;
  }
  const zoomed = document.querySelector(".zoom");
  function zoom(steps) {
    shown = steps;
    if (zoomed) {
      zoomed.hidden = shown === all;
      zoomed.querySelector("span").textContent = `Steps ${formatStep(shown[0])} to ${formatStep(shown[1])}.`;
    }
    point(null);
    render();
  }
  function render() { for (const plot of plots) plot.render(); }

  document.querySelectorAll("figure.chart").forEach((figure, i) => new Chart(figure, data.charts[i]));
  document.querySelectorAll("figure.map").forEach((figure, i) => new HeatMap(figure, data.maps[i]));
  zoomed?.querySelector("button").addEventListener("click", () => zoom(all));
  let width = 0;
  new ResizeObserver(() => {
    const now = document.querySelector("main").clientWidth;
    if (now !== width) { width = now; render(); }
  }).observe(document.querySelector("main"));
  dark.addEventListener("change", render);
  addEventListener("beforeprint", () => { printing = true; render(); });
  addEventListener("afterprint", () => { printing = false; render(); });
  document.addEventListener("pointerdown", (event) => { if (!event.target.closest(".plot")) point(null); });

  // ---- code to paste ----
  function select(element) { getSelection().selectAllChildren(element); }
  async function copy(element) {
    // Pages that are opened as files have no clipboard in some browsers: what is selected can be copied.
    try { await navigator.clipboard.writeText(element.textContent); return true; } catch { select(element); }
    return document.execCommand("copy");
  }
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copy(button.parentElement.querySelector("code"));
      button.textContent = done ? "Copied" : "Selected";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
})();
