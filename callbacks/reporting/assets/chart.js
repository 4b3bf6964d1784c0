// Curves.
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
    const fromZero = !this.logarithmic && low >= 0 && (this.chart.fromZero || low <= high / 3);
    return [fromZero ? 0 : low - slack, high + slack];
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
    // A line along the frame is seen in its whole width.
    draw(draw(this.svg, "clipPath", { id }), "rect", { x: this.left, y: this.top - 1, width: this.width, height: this.height + 2 });
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
        const [anchor, away] = from > this.left + this.width / 2 ? ["end", -6] : ["start", 6];
        draw(group, "text", { class: "not-finite", x: from + away, y: this.top + 17, "text-anchor": anchor }, "not finite");
      }
    }
    draw(group, "path", { class: `curve ${curve.style} tone-${tone}`, d: path });
    this.paintDots(curve, tone);
  }
  // What is measured now and then, and what no line leads to.
  paintDots(curve, tone) {
    if (curve.style === "faint") return;
    const isShown = (value) => isNumber(value) && isFinite(this.scale(value));
    const all = curve.style === "dots" && curve.values.filter(isNumber).length <= 60;
    curve.values.forEach((value, i) => {
      const isAlone = !isShown(curve.values[i - 1]) && !isShown(curve.values[i + 1]);
      if (!isShown(value) || !(all || isAlone)) return;
      const x = this.xOf(curve.steps[i]), y = this.yOf(value);
      // Not clipped, for half a dot on the frame is a speck: a dot is in the frame or is not drawn.
      if (x >= this.left && x <= this.left + this.width && y >= this.top && y <= this.top + this.height)
        draw(this.svg, "circle", { class: `dot tone-${tone}`, cx: x, cy: y, r: 3.5 });
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
