// Three charts of the last 15 minutes. A gap is a gap: what is unknown is not drawn.
import uPlot from "./vendor/uPlot.esm.js";
import { element, setText } from "./dom.js";
import { clock, rate, seconds } from "./format.js";

const FORMATS = { throughput: rate, latency: seconds, lag: seconds };
const HEIGHT_REM = 9.5;
const plots = new Map();
let last = null;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

function size(card) {
  const style = getComputedStyle(card);
  return { width: Math.floor(card.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)), height: Math.round(HEIGHT_REM * rem()) };
}

function options(kind, lines, card) {
  const format = FORMATS[kind];
  const font = `${Math.round(0.75 * rem())}px ${colour("--font")}`;
  const axis = { stroke: colour("--soft"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  return {
    ...size(card),
    padding: [8, 8, 0, 0],
    cursor: { points: { size: 6 }, drag: { x: false, y: false } },
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, size: 2.1 * rem(), space: 5 * rem(), grid: { show: false }, values: (_, at) => at.map((value) => clock(value).slice(0, 5)) },
      { ...axis, size: 4.2 * rem(), space: 2.2 * rem(), values: (_, at) => at.map(format) },
    ],
    series: [
      { value: (_, at) => (at ? clock(at) : "now") },
      ...lines.map((line, place) => ({
        label: line.name,
        stroke: colour(`--line-${place + 1}`),
        width: 2,
        dash: place > 1 ? [6, 4] : undefined,
        points: { show: false },
        value: (plot, value, number, at) => format(at === null ? plot.data[number].at(-1) : value),
      })),
    ],
  };
}

function build(kind, card, lines, data) {
  plots.get(kind)?.plot?.destroy();
  const names = lines.map((line) => line.name).join();
  plots.set(kind, { plot: new uPlot(options(kind, lines, card), data, card), names });
}

// Says why there is nothing to see where there is nothing.
function explain(card, why) {
  let note = card.querySelector(".nothing");
  if (!note) {
    note = element("p", { class: "nothing" });
    card.append(note);
  }
  setText(note, why ? `– ${why}` : "");
  note.hidden = !why;
}

export function showCharts(content) {
  last = content;
  for (const card of document.querySelectorAll("[data-chart]")) {
    const kind = card.dataset.chart;
    const lines = content[kind];
    explain(card, lines ? "" : content.why || "not read yet");
    if (!lines) {
      plots.get(kind)?.plot.destroy();
      plots.delete(kind);
      continue;
    }
    const data = [content.times, ...lines.map((line) => line.values)];
    if (plots.get(kind)?.names === lines.map((line) => line.name).join()) plots.get(kind).plot.setData(data);
    else build(kind, card, lines, data);
    const now = lines.map((line) => `${line.name} ${FORMATS[kind](line.values.at(-1))}`).join(", ");
    card.setAttribute("aria-label", `${card.querySelector("h2").textContent}: now ${now}`);
  }
}

export function watchCharts() {
  const again = () => {
    for (const { plot } of plots.values()) plot.destroy();
    plots.clear();
    if (last) showCharts(last);
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  new ResizeObserver(() => {
    for (const card of document.querySelectorAll("[data-chart]")) plots.get(card.dataset.chart)?.plot.setSize(size(card));
  }).observe(document.querySelector(".charts"));
}
