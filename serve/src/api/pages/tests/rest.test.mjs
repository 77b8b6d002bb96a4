import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { availability, columns, unfold, unfoldBits } from "../pieces.js";
import { at, parse } from "../router.js";
import { choice, grow, isForBrowsers, next, rows, streamPath, subtitles } from "../tree.js";

const files = ["a/10.mkv", "a/9.mkv", "a/b/c.srt", "z.txt"].map((path, index) => ({ index, path, size: 10 + index }));

test("files grow into folders, in the order that people count", () => {
  const tree = grow(files);
  const shown = rows(tree, new Set()).map(({ depth, folder, file }) => `${depth} ${folder?.name ?? file.path}`);
  assert.deepEqual(shown, ["0 a", "1 b", "2 a/b/c.srt", "1 a/9.mkv", "1 a/10.mkv", "0 z.txt"]);
  assert.equal(tree.size, 46);
  assert.deepEqual(rows(tree, new Set(["a"])).map(({ key }) => key), ["da", "f3"]);
  assert.deepEqual([[], [0], [0, 1, 2]].map((it) => choice(tree.folders[0].all, new Set(it))), ["none", "some", "all"]);
});

test("addresses of files are escaped as the server does", () => {
  assert.equal(streamPath("ab", { index: 3, path: "x/a b(1)'é!.mp4" }), "/stream/ab/3/a%20b%281%29%27%C3%A9%21.mp4");
  assert.ok(isForBrowsers("A.MP4") && !isForBrowsers("a.avi"));
});

test("a film has the subtitles that are named after it, and a file that comes next", () => {
  const paths = ["s/e1.mkv", "s/e1.en.srt", "s/Subs/e1 - pt (2).srt", "s/e2.srt", "s/x/e1.srt", "s/e1.srt", "s/e2.mkv", "s/e10.mkv", "s/e1.txt"];
  const all = paths.map((path, index) => ({ index, path, size: 5 }));
  const found = subtitles("ab", all, all[0], (code) => code.toUpperCase());
  assert.deepEqual(found.map(({ src, label, language }) => [src, label, language]), [
    ["/stream/ab/subtitles/1/e1.en.vtt", "EN", "en"], ["/stream/ab/subtitles/2/e1%20-%20pt%20%282%29.vtt", "PT", "pt"], ["/stream/ab/subtitles/5/e1.vtt", "Subtitles", null],
  ]);
  assert.deepEqual([all[0], all[6], all[7]].map((it) => next(all, it)?.path), ["s/e2.mkv", "s/e10.mkv", undefined]);
});

test("addresses of the page are read, whatever they hold", () => {
  const id = "0123456789abcdef0123456789abcdef01234567";
  assert.deepEqual(parse(at.torrent(id, "peers")), { page: "torrent", id, tab: "peers", file: undefined });
  assert.deepEqual(parse(at.stream(id, 4)), { page: "torrent", id, tab: "stream", file: "4" });
  assert.equal(parse(`#/torrent/${id}/nonsense`).tab, "overview");
  assert.equal(parse("#/torrent/../x").page, "list");
  assert.equal(parse("#/add/magnet%3A%3Fxt%3Durn").link, "magnet:?xt=urn");
  assert.equal(parse("#/add/%E0%A4%A").link, "%E0%A4%A");
  assert.equal(parse("").page, "list");
});

test("pieces are unfolded from runs and from bits", () => {
  const runs = unfold({ count: 6, have: [[0, 2]], in_flight: [[2, 1]], wanted: [[2, 3]], evicted: [[5, 1]], protected: [[1, 1]] });
  assert.deepEqual([...runs.kinds], [4, 4, 3, 2, 2, 1]);
  assert.deepEqual([...runs.guarded], [0, 1, 0, 0, 0, 0]);
  const bits = unfoldBits({ count: 10, have: Buffer.from([0b10000001, 0b01000000]).toString("base64"), partial: Buffer.from([0b01000000, 0]).toString("base64") });
  assert.deepEqual([...bits.kinds], [4, 3, 0, 0, 0, 0, 0, 4, 0, 4]);
});

test("pieces that share a column share its height", () => {
  const [one, two] = columns({ kinds: Uint8Array.of(4, 4, 0, 4), guarded: Uint8Array.of(0, 0, 0, 1) }, 0, 4, 2);
  assert.deepEqual([one.shares, one.of, one.isGuarded], [[0, 0, 0, 0, 2], 2, false]);
  assert.deepEqual([two.shares, two.isGuarded], [[1, 0, 0, 0, 1], true]);
  assert.equal(columns({ kinds: new Uint8Array(3), guarded: new Uint8Array(3) }, 0, 3, 100).length, 3);
  assert.deepEqual(availability(Buffer.from([2, 4, 0, 0]).toString("base64"), 2), [1, 0]);
});

test("all that is sent is at most 150 kB, compressed", () => {
  const folder = new URL("../", import.meta.url);
  const names = readdirSync(folder, { recursive: true }).filter((name) => /\.(js|css|html|svg|webmanifest)$/.test(name));
  assert.ok(names.length > 30, names.join());
  const total = names.reduce((sum, name) => sum + gzipSync(readFileSync(new URL(name, folder))).length, 0);
  console.log(`${names.length} files, ${total} bytes compressed`);
  assert.ok(total <= 150_000, `${total}`);
});
