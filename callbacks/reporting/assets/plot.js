// What all plots have: a frame, steps, marks of the findings, and a cursor.
class Plot {
  constructor(host) {
    this.host = host;
    this.svg = draw(host, "svg", { "aria-hidden": "true" });
    this.step = null;
    host.addEventListener("pointermove", (event) => { if (!rests(event)) this.onMove(event); });
    host.addEventListener("pointerdown", (event) => this.onDown(event));
    host.addEventListener("pointerup", (event) => this.onUp(event));
    // A finger that is lifted leaves, too, and what it pointed at should stay.
    host.addEventListener("pointerleave", (event) => { if (!this.from && event.pointerType !== "touch" && !rests(event)) point(null); });
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
    draw(this.svg, "rect", { class: "frame", x: this.left, y: this.top, width: this.width, height: this.height });
    this.paint();
    this.paintSteps();
    this.paintMarks();
    this.overlay = draw(this.svg, "g", {});
  }
  paintSteps() {
    draw(this.svg, "text", { class: "unit", x: this.left - 12, y: this.top + this.height + 15, "text-anchor": "end" }, "step");
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
    if (event.altKey || event.ctrlKey || event.metaKey) return; // The browser's own, such as Back.
    const keys = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.key === "Escape") { zoom(all); point(null); return; }
    const steps = this.steps, first = steps.find((step) => step >= shown[0]) ?? steps[0];
    if (event.key in keys) {
      this.step = this.step === null ? first : steps[clamp(nearest(steps, this.step) + keys[event.key], 0, steps.length - 1)];
      if (this.step < shown[0] || this.step > shown[1]) zoom(all);
    } else if (!this.walk(event.key)) return;
    event.preventDefault();
    keyed = true;
    this.step ??= first;
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
