// Rates over time. uPlot draws; the daemon remembers, and what it does not remember this page has seen.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./lib.js";
import { get } from "./api.js";
import { duration, rate } from "./format.js";
import { usePoll } from "./state.js";
import { colour } from "./theme.js";
import { Blank } from "./ui.js";

const SPANS = [["5 min", 300, 1], ["1 h", 3_600, 10]];
/** The daemon has a day of all torrents together. */
export const DAY = [...SPANS, ["24 h", 86_400, 60]];

/** What the daemon says as uPlot wants it: times, download, upload. What it has no samples of was nothing. Pure. */
export function series(rates) {
  const { at, step, capacity, down, up } = rates;
  const padded = (samples) => [...Array(Math.max(0, capacity - samples.length)).fill(0), ...samples].slice(-capacity);
  const [downs, ups] = [padded(down), padded(up)];
  return [downs.map((_, index) => at - (downs.length - 1 - index) * step), downs, ups];
}

let library = null;

/** uPlot is the largest part of the page, and is fetched when it is first needed. */
function load() {
  library ??= import("./vendor/uplot.js").then((module) => module.default);
  return library;
}

export function Graph({ torrent }) {
  return html`<${Rates} path=${`/torrents/${torrent.id}/rates`} />`;
}

export function Rates({ path, spans = SPANS }) {
  const [span, setSpan] = useState(spans[0]);
  const [rates, error] = usePoll(() => get(`${path}?step=${span[2]}`), span[2] * 1_000, `${path} ${span[2]}`);
  if (error && !rates) return html`<${Blank} title="The rates cannot be shown" isBad><p>${error.message}</p></${Blank}>`;
  const most = (samples) => rate((samples ?? []).reduce((top, it) => Math.max(top, it), 0));
  return html`<section class="card"><div class="graph-head">
      <p class="key"><span class="down">Download <small>up to ${most(rates?.down)}</small></span><span class="up">Upload <small>up to ${most(rates?.up)}</small></span></p>
      <div class="segments" role="group" aria-label="How far back">${spans.map((it) => html`<button key=${it[0]} type="button" aria-pressed=${span === it ? "true" : "false"} onClick=${() => setSpan(it)}>${it[0]}</button>`)}</div>
    </div>
    ${rates && html`<${Chart} rates=${rates} span=${span[1]} />`}</section>`;
}

function Chart({ rates, span }) {
  const root = useRef();
  const plot = useRef(null);
  const [version, setVersion] = useState(0);
  const [failure, setFailure] = useState(null);
  const latest = useRef();
  latest.current = rates;
  useLayoutEffect(() => {
    let isOver = false;
    const resize = new ResizeObserver(() => plot.current?.setSize({ width: root.current.clientWidth, height: height() }));
    load().then((UPlot) => {
      if (isOver) return;
      plot.current = new UPlot(options(root.current.clientWidth), series(latest.current), root.current);
      resize.observe(root.current);
    }).catch(() => setFailure("The graph did not load. Reload the page: the daemon may be newer than it."));
    const repaint = () => setVersion((it) => it + 1);
    addEventListener("themechange", repaint);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", repaint);
    return () => {
      isOver = true;
      resize.disconnect();
      removeEventListener("themechange", repaint);
      dark.removeEventListener("change", repaint);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [span, version]);
  useEffect(() => { plot.current?.setData(series(rates)); }, [rates]);
  if (failure) return html`<p class="bad">${failure}</p>`;
  const now = (samples) => rate(samples[samples.length - 1] ?? 0);
  const words = `Rates of the last ${duration(span)}: now ${now(rates.down)} down, ${now(rates.up)} up`;
  return html`<div class="chart" ref=${root} role="img" aria-label=${words}></div>`;
}

function height() {
  return innerWidth < 720 ? 220 : 320;
}

function options(width) {
  const [ink, line] = [colour("--soft"), colour("--line")];
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  return {
    width, height: height(), legend: { show: false }, padding: [12, 4, 0, 0],
    cursor: { y: false, points: { size: 7 } },
    scales: {
      x: { time: true },
      y: { range: (_, __, most) => [0, Math.max(most || 0, 1024) * 1.1] },
    },
    axes: [
      { ...axis, space: 80, values: (_, ticks, __, ___, apart) => ticks.map((it) => clock(it, apart < 60)) },
      { ...axis, size: 84, values: (_, ticks) => ticks.map((it) => (it === 0 ? "0" : rate(it))), splits: (_, __, ___, most) => splits(most) },
    ],
    series: [
      {},
      { label: "Download", stroke: colour("--down"), width: 2, fill: colour("--down-fill"), points: { show: false } },
      { label: "Upload", stroke: colour("--up"), width: 2, points: { show: false } },
    ],
    plugins: [tooltip()],
  };
}

function clock(seconds, hasSeconds) {
  const time = { hour: "2-digit", minute: "2-digit", ...(hasSeconds ? { second: "2-digit" } : {}) };
  return new Date(seconds * 1000).toLocaleTimeString(undefined, time);
}

/** Where the lines of the axis are: round numbers in binary units. Pure. */
export function splits(most) {
  const least = Math.max(1, most / 5);
  const unit = 1024 ** Math.floor(Math.log(least) / Math.log(1024));
  const round = [1, 2, 5, 10, 20, 50, 100, 200, 250, 500, 1024].find((it) => it * unit >= least) * unit;
  const lines = [];
  for (let it = 0; it <= most; it += round) lines.push(it);
  return lines;
}

function tooltip() {
  let box = null;
  return {
    hooks: {
      init: (plot) => {
        box = document.createElement("div");
        box.className = "tip";
        box.hidden = true;
        plot.over.append(box);
      },
      setCursor: (plot) => {
        const { idx, left } = plot.cursor;
        box.hidden = idx == null || left < 0;
        if (box.hidden) return;
        const [times, down, up] = plot.data;
        const time = new Date(times[idx] * 1000).toLocaleTimeString();
        box.textContent = `${time}\n↓ ${rate(down[idx] ?? 0)}\n↑ ${rate(up[idx] ?? 0)}`;
        const isRight = left > plot.over.clientWidth / 2;
        box.style.transform = `translateX(${isRight ? left - box.offsetWidth - 12 : left + 12}px)`;
      },
    },
  };
}
