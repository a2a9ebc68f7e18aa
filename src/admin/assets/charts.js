// The charts of a job's last cycles. All of them may be missing: the figures stand in the text beside them and in the table below.
"use strict";

const HEIGHT = 132;

// How far apart two bars stand at least: few cycles fill no chart.
const LEAST = 12;

const short = (value) => (value >= 10 || Number.isInteger(value) ? `${Math.round(value)}` : `${Number(value.toFixed(3))}`);
const seconds = (value) => {
  if (value < 120) return `${short(value)} s`;
  return value < 7200 ? `${short(value / 60)} min` : `${short(value / 3600)} h`;
};

// What is drawn: the value of a cycle, and how it is written.
const KINDS = {
  duration: { of: (cycle) => cycle.duration_ms / 1000, as: seconds },
  operations: { of: (cycle) => cycle.operations, as: short },
  lag: { of: (cycle) => cycle.lag_seconds, as: seconds },
  drift: { of: (cycle) => cycle.drift, as: short },
};

// The marks of the outcomes, as the list below has them; of any other it is `bad`.
const MARKS = { converged: "good", planned: "good", withheld: "warn", partial: "warn" };

// A chart is drawn in the colours that the page has now.
const draw = (figure, cycles, group) => {
  const { of, as } = KINDS[figure.dataset.chart];
  const says = figure.querySelector("[data-says]");
  const resting = says.textContent;
  const values = cycles.map(of);
  if (values.every((value) => value === null)) return null;
  const colour = (mark) => getComputedStyle(document.querySelector(`.key.${mark}`)).backgroundColor;
  const { color: ink, borderTopColor: line, fontFamily } = getComputedStyle(figure);
  const marked = (mark) => cycles.map((cycle, at) => ((MARKS[cycle.outcome] ?? "bad") === mark ? values[at] : null));
  const bars = (mark) => ({ fill: colour(mark), stroke: colour(mark), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7, 22] }) });
  const axis = { stroke: ink, font: `11px ${fontFamily}`, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 } };
  const moment = (at) => (cycles[at] ? cycles[at].started.slice(5, 16).replace("T", " ") : "");
  const told = (at) => {
    const value = values[at] ?? null;
    return `${moment(at)}, ${cycles[at].outcome}: ${value === null ? "not known" : as(value)}`;
  };
  const chart = new uPlot({
    width: figure.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: group.key } },
    scales: {
      x: { time: false, range: [-0.6, Math.max(cycles.length, LEAST) - 0.4] },
      y: { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 24, space: 84, incrs: [1, 2, 5, 10, 20], values: (_, at) => at.map((one) => moment(one)) },
      { ...axis, size: 52, space: 28, values: (_, at) => at.map((one) => as(one)) },
    ],
    series: [{}, bars("good"), bars("warn"), bars("bad")],
    hooks: { setCursor: [({ cursor: { idx } }) => { says.textContent = cycles[idx ?? -1] ? told(idx) : resting; }] },
  }, [
    cycles.map((_, at) => at),
    ...["good", "warn", "bad"].map(marked),
  ], figure);
  group.sub(chart);
  chart.root.setAttribute("role", "img");
  chart.root.setAttribute("aria-label", `${figure.querySelector("b").textContent} of the last cycles; the table below has each`);
  chart.over.addEventListener("click", () => {
    const cycle = cycles[chart.cursor.idx ?? -1];
    if (cycle) location.href = `${location.pathname}/cycles/${encodeURIComponent(cycle.cycle)}`;
  });
  return chart;
};

const charts = async () => {
  const box = document.querySelector("[data-charts]");
  if (!box || !globalThis.uPlot) return;
  const answer = await fetch(box.dataset.charts, { credentials: "same-origin", redirect: "error" });
  if (!answer.ok) return;
  const { cycles } = await answer.json();
  let drawn = [];
  const again = () => {
    for (const chart of drawn) chart.destroy();
    const group = uPlot.sync("cycles");
    drawn = [...box.querySelectorAll("[data-chart]")].map((figure) => draw(figure, cycles, group)).filter(Boolean);
  };
  again();
  box.dataset.drawn = drawn.length;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("resize", () => {
    for (const chart of drawn) chart.setSize({ width: chart.root.parentElement.clientWidth, height: HEIGHT });
  });
};

charts();
