"use strict";
// The picture of the buffer: every piece, and those around the reader.

const NEAR_PIECES = 120;
const pieceLength = Number(document.body.dataset.pieceLength);

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
function draw(canvas, { kinds, guarded }, first, last, places) {
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
  // What can be read of pieces that are not whole, where the hashes of their blocks are known.
  context.fillStyle = colour("--held");
  for (const { since, until } of cell > 2 * ratio ? places : []) {
    for (let piece = Math.max(first, Math.floor(since)); piece < Math.min(last, until); piece += 1) {
      if (kinds[piece] === HELD) continue;
      const left = (Math.max(since, piece) - first) * cell;
      const right = (Math.min(until, piece + 1) - first) * cell - gap;
      if (right > left) context.fillRect(left, top, right - left, strip);
    }
  }
  context.fillStyle = colour("--reader");
  for (const { cursor } of places) {
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

// The reader to look at: the page's own if the page plays, else the one of the file in the player that reads fastest.
function foremost(readers) {
  const score = (reader) =>
    (isWatched() && reader.program === "page" ? 1e16 : 0) + (reader.file === current ? 1e15 : 0) + reader.rate;
  return readers.reduce((best, reader) => (best && score(best) >= score(reader) ? best : reader), null);
}

// Where in the torrent a reader stands, and between which places it can read without a wait, in pieces.
function place(reader) {
  const file = rows.get(reader.file);
  const at = (file ? file.offset : 0) + reader.cursor;
  return { cursor: at / pieceLength, since: (at - reader.behind) / pieceLength, until: (at + reader.ahead) / pieceLength };
}

let centre = null;

function picture(stats) {
  const pieces = unfold(stats.pieces);
  const count = stats.pieces.count;
  const places = stats.readers.map(place);
  draw(byId("all"), pieces, 0, count, places);
  byId("all-note").textContent = `${total(stats.pieces.have)} of ${count} held`;
  byId("all").setAttribute("aria-label",
    `All ${count} pieces: ${total(stats.pieces.have)} held, ${total(stats.pieces.protected)} protected, ` +
    `${total(stats.pieces.in_flight)} in flight, ${total(stats.pieces.wanted)} wanted, ${total(stats.pieces.evicted)} evicted`);
  const reader = foremost(stats.readers);
  if (reader) centre = place(reader).cursor;
  const from = rows.get(current);
  const middle = centre ?? (from ? from.offset / pieceLength : 0);
  const shown = Math.min(NEAR_PIECES, count);
  const first = Math.max(0, Math.min(count - shown, Math.floor(middle - shown / 3)));
  draw(byId("near"), pieces, first, first + shown, places);
  byId("near-note").textContent = `pieces ${first} to ${first + shown - 1}`;
}
