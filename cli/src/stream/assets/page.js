"use strict";
// The page works without this; what is here chooses files for the player and draws the buffer from /stats.

const POLL_MS = 500;
const NEAR_PIECES = 120;
const byId = (id) => document.getElementById(id);
const player = byId("player");
const pieceLength = Number(document.body.dataset.pieceLength);
const rows = new Map();
for (const row of document.querySelectorAll("#files tbody tr")) {
  const { file, offset, length } = row.dataset;
  rows.set(Number(file), {
    row,
    offset: Number(offset),
    length: Number(length),
    link: row.querySelector("a"),
    browser: "browser" in row.dataset,
  });
}

let current = Number(player.dataset.file);
let latest = null;

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1000 && unit + 1 < units.length) {
    bytes /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || bytes >= 100 ? 0 : bytes >= 10 ? 1 : 2;
  return `${bytes.toFixed(digits)} ${units[unit]}`;
}

function time(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// Bytes of the current file that one second of play needs, if that is known.
function playRate(reader) {
  const file = rows.get(reader.file);
  if (reader.file === current && file && Number.isFinite(player.duration) && player.duration > 0) {
    return file.length / player.duration;
  }
  return 0;
}

// The file in the player.

function elsewhere(show) {
  byId("elsewhere").hidden = !show;
  player.hidden = show;
}

function show(file, play) {
  const chosen = rows.get(file);
  if (!chosen) return;
  current = file;
  for (const { row } of rows.values()) row.removeAttribute("aria-current");
  chosen.row.setAttribute("aria-current", "true");
  const name = chosen.link.textContent;
  byId("now").textContent = name;
  byId("direct").href = chosen.link.href;
  for (const url of document.querySelectorAll("#elsewhere .url")) url.textContent = chosen.link.href;
  elsewhere(!chosen.browser);
  if (!play) return;
  if (chosen.browser) {
    player.src = chosen.link.getAttribute("href");
    // A browser may refuse to begin by itself; the controls are there.
    player.play().catch(() => {});
  } else {
    player.removeAttribute("src");
    player.load();
  }
  byId("player").closest("section").scrollIntoView({ block: "nearest" });
}

for (const [file, { row }] of rows) {
  const button = row.querySelector("button.play");
  if (button) button.addEventListener("click", () => show(file, true));
}
player.addEventListener("error", () => {
  const unsupported = 4;
  if (player.getAttribute("src") && player.error && player.error.code === unsupported) elsewhere(true);
});
byId("copy").addEventListener("click", async () => {
  const button = byId("copy");
  try {
    await navigator.clipboard.writeText(byId("direct").href);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => { button.textContent = "Copy URL"; }, 1500);
});
show(current, false);

// The picture.

const MISSING = 0, EVICTED = 1, WANTED = 2, FLIGHT = 3, HELD = 4;
const COLOURS = ["--missing", "--evicted", "--wanted", "--flight", "--held"];

// What each piece is, as one number, and which are protected.
function unfold(pieces) {
  const kinds = new Uint8Array(pieces.count);
  const paint = (runs, kind) => {
    for (const [first, count] of runs) kinds.fill(kind, first, first + count);
  };
  paint(pieces.evicted, EVICTED);
  paint(pieces.partial, FLIGHT);
  paint(pieces.wanted, WANTED);
  paint(pieces.in_flight, FLIGHT);
  paint(pieces.verifying, FLIGHT);
  paint(pieces.have, HELD);
  const guarded = new Uint8Array(pieces.count);
  for (const [first, count] of pieces.protected) guarded.fill(1, first, first + count);
  return { kinds, guarded };
}

function surface(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  return { context, width, height, ratio };
}

// Pieces `first` to `last` over the canvas's width. Where several share a column, each kind gets its share of the height.
function draw(canvas, { kinds, guarded }, first, last, cursors) {
  const { context, width, height, ratio } = surface(canvas);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const top = 12 * ratio;
  const bottom = height - 2 * ratio;
  const strip = bottom - top;
  const guard = 5 * ratio;
  const count = Math.max(1, last - first);
  const cell = width / count;
  const gap = cell >= 6 * ratio ? ratio : 0;
  const columns = cell >= 1 ? count : width;
  for (let column = 0; column < columns; column += 1) {
    const from = first + Math.floor((column * count) / columns);
    const to = Math.max(from + 1, first + Math.floor(((column + 1) * count) / columns));
    const shares = [0, 0, 0, 0, 0];
    let protectedHere = 0;
    for (let piece = from; piece < to; piece += 1) {
      shares[kinds[piece]] += 1;
      protectedHere += guarded[piece];
    }
    const left = Math.round((column * width) / columns);
    const right = Math.round(((column + 1) * width) / columns) - gap;
    let y = top;
    for (let kind = 0; kind < shares.length; kind += 1) {
      if (shares[kind] === 0) continue;
      const share = (strip * shares[kind]) / (to - from);
      context.fillStyle = colour(COLOURS[kind]);
      context.fillRect(left, y, right - left, share);
      y += share;
    }
    if (protectedHere > 0) {
      context.fillStyle = colour("--protected");
      context.fillRect(left, bottom - guard, right - left, guard);
    }
  }
  context.fillStyle = colour("--reader");
  for (const cursor of cursors) {
    const x = ((cursor - first) * width) / count;
    if (x < 0 || x > width) continue;
    const at = Math.min(width - ratio, Math.max(ratio, x));
    context.fillRect(at - ratio, top - 4 * ratio, 2 * ratio, bottom - top + 6 * ratio);
    context.beginPath();
    context.moveTo(at - 6 * ratio, 0);
    context.lineTo(at + 6 * ratio, 0);
    context.lineTo(at, 9 * ratio);
    context.fill();
  }
}

function total(runs) {
  return runs.reduce((sum, [, count]) => sum + count, 0);
}

// The reader to look at: of the file in the player, the one that reads fastest.
function foremost(readers) {
  const score = (reader) => (reader.file === current ? 1e15 : 0) + reader.rate;
  return readers.reduce((best, reader) => (best && score(best) >= score(reader) ? best : reader), null);
}

// Where in the torrent a reader stands, in pieces.
function place(reader) {
  const file = rows.get(reader.file);
  return ((file ? file.offset : 0) + reader.cursor) / pieceLength;
}

let centre = null;

function picture(stats) {
  const pieces = unfold(stats.pieces);
  const count = stats.pieces.count;
  const cursors = stats.readers.map(place);
  draw(byId("all"), pieces, 0, count, cursors);
  byId("all-note").textContent = `${total(stats.pieces.have)} of ${count} held`;
  byId("all").setAttribute("aria-label",
    `All ${count} pieces: ${total(stats.pieces.have)} held, ${total(stats.pieces.protected)} protected, ` +
    `${total(stats.pieces.in_flight)} in flight, ${total(stats.pieces.wanted)} wanted, ${total(stats.pieces.evicted)} evicted`);
  const reader = foremost(stats.readers);
  if (reader) centre = place(reader);
  const from = rows.get(current);
  const middle = centre ?? (from ? from.offset / pieceLength : 0);
  const shown = Math.min(NEAR_PIECES, count);
  const first = Math.max(0, Math.min(count - shown, Math.floor(middle - shown / 3)));
  draw(byId("near"), pieces, first, first + shown, cursors);
  byId("near-note").textContent = `pieces ${first} to ${first + shown - 1}`;
}

// The numbers.

function put(id, text, small) {
  const element = byId(id);
  element.textContent = text;
  if (small) {
    const more = document.createElement("small");
    more.textContent = ` ${small}`;
    element.append(more);
  }
}

function amount(id, reader, bytes) {
  const rate = reader ? playRate(reader) : 0;
  if (!reader) put(id, "–");
  else if (rate > 0) put(id, time(bytes / rate), size(bytes));
  else put(id, size(bytes));
}

function numbers(stats) {
  const { memory, readers, transfer } = stats;
  const reader = foremost(readers);
  amount("ahead", reader, reader ? reader.ahead : 0);
  amount("behind", reader, reader ? reader.behind : 0);
  put("rate", `${size(transfer.down_rate)}/s`, transfer.up_rate ? `↑ ${size(transfer.up_rate)}/s` : "");
  put("peers", `${transfer.peers}`, transfer.seeds ? (transfer.seeds === 1 ? "1 seed" : `${transfer.seeds} seeds`) : "");
  put("stalls", `${readers.reduce((sum, each) => sum + each.stalls, 0)}`);
  put("evicted", `${memory.evictions}`, memory.evictions === 1 ? "piece" : "pieces");
  byId("used").max = memory.budget || 1;
  byId("used").value = memory.budget ? memory.used : 0;
  byId("used").closest(".budget").hidden = memory.budget === null;
  byId("budget").textContent = memory.budget ? `${size(memory.used)} of ${size(memory.budget)}` : "";
  const state = byId("state");
  const waiting = readers.some((each) => each.is_waiting);
  state.dataset.state = waiting ? "waiting" : readers.length ? "playing" : "idle";
  const words = waiting ? "waiting for data" : readers.length ? "streaming" : "idle";
  if (state.textContent !== words) state.textContent = words;
}

function table(stats) {
  byId("reading").hidden = stats.readers.length === 0;
  const body = byId("readers").tBodies[0];
  body.replaceChildren(...stats.readers.map((reader) => {
    const row = document.createElement("tr");
    const cells = [reader.file, size(reader.cursor), size(reader.ahead), size(reader.behind), `${size(reader.rate)}/s`, reader.stalls];
    for (const text of cells) row.insertCell().textContent = text;
    return row;
  }));
}

function redraw() {
  if (latest) picture(latest);
}

async function poll() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/stats", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      latest = await answer.json();
      numbers(latest);
      table(latest);
      redraw();
    } catch {
      byId("state").dataset.state = "lost";
      byId("state").textContent = "no connection";
    }
  }
  setTimeout(poll, POLL_MS);
}

window.addEventListener("resize", redraw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
poll();
