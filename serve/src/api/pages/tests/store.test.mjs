import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff, EventReader } from "../sse.js";
import { applyEvent, createStore, mergeChanges, mergeList, mergeTorrent, put, without } from "../store.js";

const all = () => new Map([["a", { id: "a", name: "A", rate: 1, labels: ["x"] }], ["b", { id: "b", name: "B", rate: 2, labels: [] }]]);

test("what did not change stays the very same object", () => {
  const known = all();
  const same = mergeList(known, [{ id: "a", rate: 1, labels: ["x"] }, { id: "b", rate: 2 }]);
  assert.equal(same, known);
  const torrents = mergeList(known, [{ id: "a", rate: 5 }, { id: "b", rate: 2 }]);
  assert.notEqual(torrents, known);
  assert.equal(torrents.get("b"), known.get("b"));
  assert.deepEqual(torrents.get("a"), { id: "a", name: "A", rate: 5, labels: ["x"] });
  assert.equal(mergeTorrent(known.get("a"), { labels: ["x"] }), known.get("a"));
  assert.notEqual(mergeTorrent(known.get("a"), { labels: ["y"] }), known.get("a"));
});

test("what a list lacks is gone", () => {
  const torrents = mergeList(all(), [{ id: "b", rate: 2 }, { id: "c", rate: 0 }]);
  assert.deepEqual([...torrents.keys()], ["b", "c"]);
});

test("changes leave the others alone, and what was removed and added again is there", () => {
  const known = all();
  assert.equal(mergeChanges(known, { torrents: [{ id: "b", rate: 2 }], removed: ["z"] }), known);
  const next = mergeChanges(known, { torrents: [{ id: "c", rate: 7 }, { id: "a", rate: 1, name: "new" }], removed: ["b", "a"] });
  assert.deepEqual([...next.keys()], ["c", "a"]);
  assert.deepEqual([next.get("a"), known.size], [{ id: "a", rate: 1, name: "new" }, 2]);
  assert.equal(mergeChanges(known, { torrents: [], removed: [] }).get("a"), known.get("a"));
});

test("one torrent is put and taken out", () => {
  const known = all();
  assert.equal(put(known, { id: "a", rate: 1 }), known);
  assert.equal(put(known, { id: "c", name: "C" }).size, 3);
  assert.equal(without(known, "z"), known);
  assert.equal(without(known, "a").size, 1);
});

test("events say what to do", () => {
  const known = all();
  assert.equal(applyEvent(known, { event: "removed", torrent: "a" }).torrents.size, 1);
  assert.equal(applyEvent(known, { event: "added", torrent: "c", name: "C" }).read, "c");
  assert.equal(applyEvent(known, { event: "reset" }).reload, true);
  assert.equal(applyEvent(known, { event: "settings_changed" }).settings, true);
  const failed = applyEvent(known, { event: "failed", torrent: "a", error: "no space" });
  assert.deepEqual([failed.torrents.get("a").state, failed.say.text, failed.say.isBad], ["error", "A: no space", true]);
  assert.equal(applyEvent(known, { event: "completed", torrent: "b" }).say.text, "B is complete.");
  // One that a later daemon may send.
  assert.deepEqual(applyEvent(known, { event: "sung", torrent: "a" }), { torrents: known, read: "a" });
});

test("readers of the store are told, until they leave", () => {
  const store = createStore({ a: 1 });
  let told = 0;
  const leave = store.subscribe(() => { told += 1; });
  store.set({ a: 2 });
  store.set((now) => ({ a: now.a + 1 }));
  leave();
  store.set({ a: 0 });
  assert.deepEqual([told, store.get().a], [2, 0]);
});

test("events are read wherever the text is cut", () => {
  const text = "retry: 2000\n\nid: 7\nevent: added\ndata: {\"a\":1}\n\n: still here\n\nid: 8\r\ndata: x\r\ndata: y\r\n\r\n";
  const expected = [{ id: "7", name: "added", data: "{\"a\":1}" }, { id: "8", name: "message", data: "x\ny" }];
  for (let cut = 0; cut <= text.length; cut += 1) {
    const reader = new EventReader();
    assert.deepEqual([...reader.push(text.slice(0, cut)), ...reader.push(text.slice(cut))], expected, `cut at ${cut}`);
    assert.deepEqual([reader.lastId, reader.retry], ["8", 2000]);
  }
});

test("an event that is not whole is none yet, and its number does not count", () => {
  const reader = new EventReader();
  assert.deepEqual(reader.push("id: 9\ndata: a\n"), []);
  assert.equal(reader.lastId, null);
  assert.equal(reader.push("\n").length, 1);
  assert.equal(reader.lastId, "9");
});

test("attempts come farther apart, half a minute at most", () => {
  assert.deepEqual([0, 1, 2, 3, 9, 99].map((it) => backoff(it)), [1_000, 2_000, 4_000, 8_000, 30_000, 30_000]);
});
