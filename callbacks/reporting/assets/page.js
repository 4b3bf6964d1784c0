// All plots together, and code to paste.
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
document.addEventListener("pointermove", (event) => { if (!event.target.closest(".plot")) rests(event); });
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
