import assert from "node:assert/strict";
import { test } from "node:test";
import { arrange, COLUMNS, doing, NO_LABEL, passes, STATES, tally } from "../list.js";
import { everything, kept, moved, NOTHING, only, ranged, toggled } from "../selection.js";

const torrent = (number, more = {}) => ({
  id: `t${number}`, number, name: `Torrent ${number}`, state: "seeding", labels: [], progress: 1, size: number, down_rate: 0, up_rate: 0, eta: null,
  peers: 0, ratio: 0, added: number, queue_position: number, file_count: 1, ...more,
});
const map = (...all) => new Map(all.map((it) => [it.id, it]));
const everyone = { state: "all", label: "", search: "" };
const numbers = (all) => all.map((it) => it.number);

test("every column sorts both ways, and equals keep the order of their numbers", () => {
  const all = map(torrent(2, { name: "b10" }), torrent(1, { name: "B9" }), torrent(3, { name: "a" }));
  for (const { key } of COLUMNS) {
    const up = numbers(arrange(all, everyone, { key, isDown: false }));
    const down = numbers(arrange(all, everyone, { key, isDown: true }));
    assert.equal(up.length, 3, key);
    if (new Set(["progress", "down", "up", "eta", "peers", "ratio"]).has(key)) assert.deepEqual([up, down], [[1, 2, 3], [1, 2, 3]], key);
    else assert.deepEqual(down, [...up].reverse(), key);
  }
  // Numbers in names count as numbers, and capitals do not count.
  assert.deepEqual(numbers(arrange(all, everyone, { key: "name", isDown: false })), [3, 1, 2]);
});

test("without an end comes after every end", () => {
  const all = map(torrent(1), torrent(2, { eta: 5 }), torrent(3, { eta: 1 }));
  assert.deepEqual(numbers(arrange(all, everyone, { key: "eta", isDown: false })), [3, 2, 1]);
});

test("the last order is a start, and what is gone or new is minded", () => {
  const before = [torrent(3), torrent(1), torrent(9)];
  const after = arrange(map(torrent(1), torrent(2), torrent(3)), everyone, { key: "added", isDown: true }, before);
  assert.deepEqual(numbers(after), [3, 2, 1]);
});

test("filters by state, label and all words of the search", () => {
  const film = torrent(1, { name: "Big Buck Bunny", labels: ["film"], state: "metadata" });
  assert.ok(passes(film, { state: "downloading", label: "film", search: "bunny big" }));
  assert.ok(!passes(film, { ...everyone, search: "bunny duck" }));
  assert.ok(!passes(film, { ...everyone, label: "linux" }));
  assert.ok(!passes(film, { ...everyone, label: NO_LABEL }));
  assert.ok(passes(torrent(2), { ...everyone, label: NO_LABEL }));
  assert.ok(!passes(torrent(2), { ...everyone, state: "paused" }));
});

test("states and labels are counted", () => {
  const { states, labels } = tally(map(torrent(1, { labels: ["b", "a"] }), torrent(2, { labels: ["a"], state: "error" }), torrent(3, { up_rate: 1 })));
  assert.deepEqual([states.all, states.seeding, states.error, states.active, states.paused], [3, 2, 1, 1, 0]);
  assert.deepEqual(labels, [["a", 2], ["b", 1]]);
});

test("every state has words, and is in a group", () => {
  for (const state of ["starting", "metadata", "checking", "downloading", "seeding", "paused", "queued", "moving", "error"]) {
    assert.match(doing(torrent(1, { state, state_progress: 0.314 })), /^[A-Z]/, state);
    assert.ok(STATES.some((it) => it.key !== "all" && it.has(torrent(1, { state }))), state);
  }
  assert.equal(doing(torrent(1, { state: "checking", state_progress: 0.314 })), "Checks its files 31 %");
  assert.equal(doing(torrent(1, { state: "error", error: "no space" })), "no space");
});

test("rows are selected one by one, in ranges and by the keyboard", () => {
  const order = ["a", "b", "c", "d"];
  let now = only("b");
  now = ranged(now, "d", order);
  assert.deepEqual([...now.ids], ["b", "c", "d"]);
  // The anchor stays, so a range can shrink and turn.
  now = ranged(now, "a", order);
  assert.deepEqual([...now.ids], ["a", "b"]);
  now = toggled(now, "d");
  assert.deepEqual([...now.ids], ["a", "b", "d"]);
  now = moved(now, -1, order, false);
  assert.deepEqual([now.at, [...now.ids]], ["c", ["a", "b", "d"]]);
  now = moved(now, -1, order, true);
  assert.deepEqual([...now.ids], ["b", "c"]);
  assert.equal(moved(now, -99, order, false).at, "a");
  assert.equal(moved(now, 99, order, false).at, "d");
  assert.equal(moved(NOTHING, 1, order, false).at, "a");
  assert.equal(moved(NOTHING, 1, [], false), NOTHING);
  assert.equal(everything(NOTHING, order).ids.size, 4);
});

test("what is gone is not selected any more", () => {
  const now = ranged(only("a"), "c", ["a", "b", "c"]);
  assert.equal(kept(now, () => true), now);
  const less = kept(now, (id) => id !== "c");
  assert.deepEqual([[...less.ids], less.at], [["a", "b"], null]);
});
