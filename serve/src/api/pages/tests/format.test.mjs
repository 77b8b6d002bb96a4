import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, brief, count, duration, percent, rate, ratio, readLimit, readNumber, readRate, size, whole, writeLimit, writeRate } from "../format.js";

test("sizes have three digits at most, in binary units", () => {
  const said = [0, 999, 1000, 1024, 10_240, 1_048_576, 1.5 * 2 ** 30, 5 * 2 ** 50].map(size);
  assert.deepEqual(said, ["0 B", "999 B", "0.98 KiB", "1.00 KiB", "10.0 KiB", "1.00 MiB", "1.50 GiB", "5.00 PiB"]);
  assert.equal(size(NaN), "–");
  assert.equal(rate(2048), "2.00 KiB/s");
});

test("only what is whole is 100 %", () => {
  assert.deepEqual([0, 0.0004, 0.055, 0.5, 0.9999, 1].map(percent), ["0.0 %", "0.0 %", "5.5 %", "50 %", "99.9 %", "100 %"]);
});

test("times have their two largest units", () => {
  assert.deepEqual([0, 59, 60, 3_725, 90_000, 40_000_000].map(duration), ["0 s", "59 s", "1 min", "1 h 2 min", "1 d 1 h", "1 y 97 d"]);
  assert.deepEqual([59, 3_725, 40_000_000].map(brief), ["59 s", "1 h", "> 1 y"]);
  assert.equal(ago(1_000, 1_002), "just now");
  assert.equal(ago(1_000, 1_000 + 7_300), "2 h ago");
  assert.equal(ago(null), "never");
});

test("numbers are counted and grouped", () => {
  assert.equal(count(1, "file"), "1 file");
  assert.equal(count(2, "file"), "2 files");
  assert.equal(whole(1_234_567), "1\u202f234\u202f567");
  assert.equal(ratio(1.234), "1.23");
  assert.equal(ratio(123.4), "123");
});

test("what a person types is read, or refused in words", () => {
  assert.equal(readRate("100"), 102_400);
  assert.equal(readRate(" 1,5 "), 1_536);
  assert.equal(readRate(""), null);
  assert.equal(writeRate(102_400), "100");
  assert.equal(readRate(writeRate(123_456)), 123_453);
  for (const wrong of ["x", "0", "-1", "1e999", "1 2"]) assert.throws(() => readNumber(wrong), /not a number above 0/);
  assert.throws(() => readNumber("1.5", { isWhole: true }), /not a whole number/);
});

test("a limit is a number, none, or inherited", () => {
  assert.deepEqual(["", "none", "Never", "2", "1,5"].map((it) => readLimit(it)), [null, "none", "none", 2, 1.5]);
  assert.equal(readLimit("1.5", 3_600), 5_400);
  assert.deepEqual([null, "none", 5_400].map((it) => writeLimit(it, 3_600)), ["", "none", "1.5"]);
  assert.throws(() => readLimit("x"), /not a number/);
});
