// The picture of the pieces: what each one is, drawn over the width of a canvas.

import { html, useEffect, useMemo, useRef } from "./lib.js";
import { colour } from "./theme.js";

export const MISSING = 0, EVICTED = 1, WANTED = 2, FLIGHT = 3, HELD = 4;
const COLOURS = ["--missing", "--evicted", "--wanted", "--flight", "--held"];

/** What each piece is, from runs of [first, count], and which ones are protected. Pure. */
export function unfold(pieces) {
  const kinds = new Uint8Array(pieces.count);
  const paint = (runs, kind) => {
    for (const [first, count] of runs ?? []) kinds.fill(kind, first, first + count);
  };
  paint(pieces.evicted, EVICTED);
  paint(pieces.partial, FLIGHT);
  paint(pieces.wanted, WANTED);
  paint(pieces.in_flight, FLIGHT);
  paint(pieces.verifying, FLIGHT);
  paint(pieces.have, HELD);
  const guarded = new Uint8Array(pieces.count);
  for (const [first, count] of pieces.protected ?? []) guarded.fill(1, first, first + count);
  return { kinds, guarded };
}

/** The bytes of base64. Pure. */
export function bytes(base64) {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

/** The same from bitfields, whose first piece is the highest bit of the first byte. Pure. */
export function unfoldBits({ count, have, partial }) {
  const [held, begun] = [bytes(have), bytes(partial)];
  const bit = (field, piece) => (field[piece >> 3] >> (7 - (piece & 7))) & 1;
  const kinds = new Uint8Array(count);
  for (let piece = 0; piece < count; piece += 1) {
    kinds[piece] = bit(held, piece) ? HELD : bit(begun, piece) ? FLIGHT : MISSING;
  }
  return { kinds, guarded: new Uint8Array(count) };
}

/** How many peers have the pieces of each column, on average, as a share of the most. Pure. */
export function availability(base64, width) {
  const peers = bytes(base64);
  const number = Math.min(peers.length, Math.max(1, Math.floor(width)));
  const means = [];
  let most = 1;
  for (let column = 0; column < number; column += 1) {
    const from = Math.floor((column * peers.length) / number);
    const to = Math.max(from + 1, Math.floor(((column + 1) * peers.length) / number));
    let sum = 0;
    for (let piece = from; piece < to; piece += 1) sum += peers[piece];
    means.push(sum / (to - from));
    most = Math.max(most, sum / (to - from));
  }
  return means.map((it) => it / most);
}

/** The columns of a strip: where several pieces share one, each kind gets its share of the height. Pure. */
export function columns({ kinds, guarded }, first, last, width) {
  const count = Math.max(1, last - first);
  const number = Math.min(count, Math.max(1, Math.floor(width)));
  const made = [];
  for (let column = 0; column < number; column += 1) {
    const from = first + Math.floor((column * count) / number);
    const to = Math.max(from + 1, first + Math.floor(((column + 1) * count) / number));
    const shares = [0, 0, 0, 0, 0];
    let isGuarded = false;
    for (let piece = from; piece < to; piece += 1) {
      shares[kinds[piece]] += 1;
      isGuarded ||= guarded[piece] === 1;
    }
    made.push({ shares, of: to - from, isGuarded });
  }
  return made;
}

function draw(canvas, picture, first, last, cursors) {
  const scale = devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * scale));
  const height = Math.max(1, Math.round(canvas.clientHeight * scale));
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const paints = COLOURS.map(colour);
  const [guard, reader] = [colour("--protected"), colour("--reader")];
  const top = cursors ? 11 * scale : 0;
  const all = columns(picture, first, last, width);
  const cell = width / all.length;
  const gap = cell >= 6 * scale ? scale : 0;
  all.forEach(({ shares, of, isGuarded }, at) => {
    const left = Math.round(at * cell);
    const right = Math.round((at + 1) * cell) - gap;
    let y = top;
    shares.forEach((share, kind) => {
      const tall = ((height - top) * share) / of;
      context.fillStyle = paints[kind];
      context.fillRect(left, y, right - left, tall);
      y += tall;
    });
    if (isGuarded && cursors) {
      context.fillStyle = guard;
      context.fillRect(left, height - 4 * scale, right - left, 4 * scale);
    }
  });
  context.fillStyle = reader;
  for (const cursor of cursors ?? []) {
    const x = ((cursor - first) * width) / Math.max(1, last - first);
    if (x < 0 || x > width) continue;
    const place = Math.min(width - scale, Math.max(scale, x));
    context.fillRect(place - scale, 4 * scale, 2 * scale, height);
    context.beginPath();
    context.moveTo(place - 5 * scale, 0);
    context.lineTo(place + 5 * scale, 0);
    context.lineTo(place, 8 * scale);
    context.fill();
  }
}

function drawAvailability(canvas, base64) {
  const scale = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * scale));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * scale));
  const context = canvas.getContext("2d");
  const all = availability(base64, canvas.width);
  context.fillStyle = colour("--wanted");
  all.forEach((share, at) => {
    const [left, right] = [Math.round((at * canvas.width) / all.length), Math.round(((at + 1) * canvas.width) / all.length)];
    const tall = Math.round(share * canvas.height);
    context.fillRect(left, canvas.height - tall, right - left, tall);
  });
}

/** A canvas that is painted again when it or the theme changes. */
function Canvas({ paint, label, className, of }) {
  const canvas = useRef();
  useEffect(() => {
    const again = () => paint(canvas.current);
    again();
    const observer = new ResizeObserver(again);
    observer.observe(canvas.current);
    addEventListener("themechange", again);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", again);
    return () => {
      observer.disconnect();
      removeEventListener("themechange", again);
      dark.removeEventListener("change", again);
    };
  }, of);
  return html`<canvas class=${className} ref=${canvas} role="img" aria-label=${label}></canvas>`;
}

/** A strip of pieces, from runs or bitfields. `cursors`: where readers are, in pieces. */
export function Strip({ pieces, first = 0, last, cursors, label, className }) {
  const picture = useMemo(() => (typeof pieces.have === "string" ? unfoldBits(pieces) : unfold(pieces)), [pieces]);
  const paint = (canvas) => draw(canvas, picture, first, last ?? pieces.count, cursors);
  return html`<${Canvas} paint=${paint} of=${[picture, first, last, cursors]} label=${label} className=${className} />`;
}

/** How many peers have each piece. */
export function Availability({ base64, label, className }) {
  return html`<${Canvas} paint=${(canvas) => drawAvailability(canvas, base64)} of=${[base64]} label=${label} className=${className} />`;
}

const LEGEND = [["held", "here"], ["protected", "protected"], ["flight", "on its way"], ["wanted", "wanted"], ["evicted", "given up"], ["missing", "not here"], ["reader", "player"]];

export function Legend({ kinds = LEGEND.map(([kind]) => kind) }) {
  return html`<ul class="legend" aria-label="Legend">${LEGEND.filter(([kind]) => kinds.includes(kind)).map(([kind, words]) => html`<li key=${kind} class=${kind}>${words}</li>`)}</ul>`;
}

/** How many pieces some runs have. */
export function total(runs) {
  return (runs ?? []).reduce((sum, [, count]) => sum + count, 0);
}
