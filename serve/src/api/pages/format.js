// Numbers and times in words. Pure: nothing here looks at the page.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** "1.42 GiB": three digits at most, so that columns stay narrow. */
export function size(bytes) {
  if (!Number.isFinite(bytes)) return "–";
  let unit = 0;
  let amount = Math.max(0, bytes);
  while (amount >= 1000 && unit + 1 < UNITS.length) {
    amount /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || amount >= 100 ? 0 : amount >= 10 ? 1 : 2;
  return `${amount.toFixed(digits)} ${UNITS[unit]}`;
}

/** "3.21 MiB/s". */
export function rate(bytes) {
  return `${size(bytes)}/s`;
}

/** "99.9 %": only what is whole is 100 %. */
export function percent(share) {
  if (!Number.isFinite(share)) return "–";
  if (share >= 1) return "100 %";
  const tenths = Math.floor(Math.max(0, share) * 1000) / 10;
  return `${tenths < 10 ? tenths.toFixed(1) : tenths >= 99 ? tenths.toFixed(1) : Math.floor(tenths)} %`;
}

/** "2 h 5 min": the two largest units. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 31_536_000), "y"],
    [Math.floor((whole % 31_536_000) / 86_400), "d"],
    [Math.floor((whole % 86_400) / 3_600), "h"],
    [Math.floor((whole % 3_600) / 60), "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`).join(" ");
}

/** The largest unit alone: "2 h". */
export function brief(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds > 31_536_000) return "> 1 y";
  return duration(seconds).split(" ").slice(0, 2).join(" ");
}

/** "1 file", "2 files". */
export function count(number, word) {
  return `${whole(number)} ${word}${number === 1 ? "" : "s"}`;
}

/** "12 345", with thin spaces. */
export function whole(number) {
  return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export function ratio(number) {
  if (!Number.isFinite(number)) return "–";
  return number >= 100 ? number.toFixed(0) : number.toFixed(2);
}

/** A Unix time in seconds, as the person's own calendar writes it. */
export function date(seconds) {
  if (seconds == null) return "–";
  return new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** "3 min ago". */
export function ago(seconds, now = Date.now() / 1000) {
  if (seconds == null) return "never";
  const past = now - seconds;
  return past < 5 ? "just now" : `${brief(past)} ago`;
}

/** What a person typed as a rate in KiB/s, in bytes; null for none. Throws words for a person. */
export function readRate(text) {
  const number = readNumber(text);
  return number === null ? null : Math.max(1, Math.round(number * 1024));
}

/** What a person typed as a number; null for nothing. */
export function readNumber(text, { isWhole = false } = {}) {
  const written = String(text).trim().replace(",", ".");
  if (written === "") return null;
  const number = Number(written);
  if (!Number.isFinite(number) || number <= 0) throw new Error(`“${written}” is not a number above 0`);
  if (isWhole && !Number.isInteger(number)) throw new Error(`“${written}” is not a whole number`);
  return number;
}

/** A rate in bytes, as a person types it. */
export function writeRate(bytes) {
  return bytes == null ? "" : String(Math.round((bytes / 1024) * 100) / 100);
}

/** A limit that may be inherited: "" for that (null), "none" for no limit, else a number of `unit`s. */
export function readLimit(text, unit = 1) {
  const written = String(text).trim();
  if (/^(none|never|no)$/i.test(written)) return "none";
  const number = readNumber(written);
  return number === null ? null : unit === 1 ? number : Math.max(1, Math.round(number * unit));
}

export function writeLimit(limit, unit = 1) {
  if (limit == null) return "";
  return limit === "none" ? "none" : String(Math.round((limit / unit) * 100) / 100);
}
