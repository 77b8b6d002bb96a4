"use strict";
// The numbers of /stats, and what they mean for the film. The page works without this.

const POLL_MS = 500;
// Over so long it is measured whether the download keeps up.
const PACE_MS = 20_000;
let latest = null;
let isConnected = true;

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
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// "185 of 376 KiB/s"
function rates(rate, needed) {
  const [unit, name] = needed < 1_024_000 ? [1024, "KiB/s"] : [1024 * 1024, "MiB/s"];
  const number = (bytes) => {
    const amount = Math.floor((bytes * 10) / unit) / 10;
    return amount < 10 ? amount.toFixed(1) : String(Math.floor(amount));
  };
  return `${number(rate)} of ${number(needed)} ${name}`;
}

function put(id, text, small) {
  const element = byId(id);
  element.textContent = text;
  if (small) {
    const more = document.createElement("small");
    more.textContent = ` ${small}`;
    element.append(more);
  }
}

// What lies around the place that is watched. Where the page plays, that is the place of the video, and what the player
// holds comes before what is held here; else it is the place of the reader, which may be ahead of what is seen.
function around(reader) {
  const rate = neededRate();
  if (!isWatched()) return reader ? { ahead: reader.ahead, behind: reader.behind, rate: 0 } : null;
  const own = reader && reader.program === "page" && reader.file === current ? reader : null;
  const held = secondsHeld() * rate;
  return {
    ahead: held + (own ? own.ahead : 0),
    behind: own ? Math.max(0, own.behind - held) : 0,
    rate,
    held: secondsHeld(),
  };
}

function amounts(place) {
  const say = (id, bytes, more) => {
    if (place.rate > 0) put(id, time(bytes / place.rate), more ?? size(bytes));
    else put(id, size(bytes));
  };
  if (!place) {
    put("ahead", "–");
    put("behind", "–");
    return;
  }
  say("ahead", place.ahead, place.held === undefined ? undefined : `${time(place.held)} in the player`);
  say("behind", place.behind);
}

// Whether the download keeps up with the film.

let samples = [];
for (const event of ["seeking", "loadstart", "pause"]) player.addEventListener(event, () => { samples = []; });

function tooSlow(stats, place) {
  const state = filmState();
  const needed = neededRate();
  if ((state !== "playing" && state !== "waiting") || !film.began || needed === 0) return stats.too_slow;
  const now = { at: performance.now(), downloaded: stats.transfer.downloaded, ahead: place.ahead };
  samples.push(now);
  while (samples.length > 1 && now.at - samples[1].at >= PACE_MS) samples.shift();
  const [then] = samples;
  const span = (now.at - then.at) / 1000;
  if (now.at - then.at < PACE_MS) return null;
  const rate = (now.downloaded - then.downloaded) / span;
  const rest = rows.get(current).length - player.currentTime * needed;
  const shrinks = state === "waiting" || now.ahead < then.ahead;
  // What is lacking until the end is more than what lies ahead.
  const runsOut = (needed - rate) * rest > now.ahead * needed;
  return shrinks && now.ahead < rest && rate < needed && runsOut ? { rate, needed } : null;
}

function warn(slow) {
  byId("slow").hidden = !slow;
  byId("slow-rates").textContent = slow ? `(${rates(slow.rate, slow.needed)})` : "";
}

// The badge.

const WORDS = { playing: "playing", waiting: "waiting for bytes", paused: "paused", ended: "ended" };

function badge(readers) {
  const state = filmState();
  const others = readers.filter((reader) => reader.program !== "page");
  const names = [...new Set(others.map((reader) => reader.program))].join(", ");
  if (isWatched() && (state !== "paused" && state !== "ended" || others.length === 0)) return [state, WORDS[state]];
  if (others.length > 0) {
    return others.some((reader) => reader.is_waiting)
      ? ["waiting", `${names}: waiting for bytes`]
      : ["playing", `streaming to ${names}`];
  }
  return ["idle", state === "ready" ? "ready to play" : "no player reads"];
}

function numbers(stats) {
  const { memory, readers, totals, transfer } = stats;
  const place = around(foremost(readers));
  amounts(place);
  warn(tooSlow(stats, place));
  put("rate", `${size(transfer.down_rate)}/s`, transfer.up_rate ? `↑ ${size(transfer.up_rate)}/s` : "");
  const kinds = [
    transfer.seeds ? (transfer.seeds === 1 ? "1 seed" : `${transfer.seeds} seeds`) : "",
    transfer.utp_peers ? `${transfer.utp_peers} over uTP` : "",
    transfer.encrypted_peers ? `${transfer.encrypted_peers} encrypted` : "",
  ];
  put("peers", `${transfer.peers}`, kinds.filter((kind) => kind).join(", "));
  put("stalls", `${isWatched() ? film.stalls : totals.stalls}`);
  put("served", size(totals.served));
  const count = memory.evictions;
  const evicted = count === 0 ? "" : count === 1 ? ", 1 piece evicted" : `, ${count} pieces evicted`;
  byId("used").max = memory.budget || 1;
  byId("used").value = memory.budget ? memory.used : 0;
  byId("used").closest(".budget").hidden = memory.budget === null;
  byId("budget").textContent = memory.budget ? `${size(memory.used)} of ${size(memory.budget)}${evicted}` : "";
  say(...badge(readers));
}

// The server does not answer. What it said before is not so any more; what the player holds can still be seen.
function lost() {
  isConnected = false;
  say("lost", "no connection");
  amounts(around(null));
  warn(null);
  put("rate", "–");
  put("peers", "–");
  byId("reading").hidden = true;
}

function say(state, words) {
  const element = byId("state");
  element.dataset.state = state;
  if (element.textContent !== words) element.textContent = words;
}

function table(stats) {
  byId("reading").hidden = stats.readers.length === 0;
  const body = byId("readers").tBodies[0];
  body.replaceChildren(...stats.readers.map((reader) => {
    const row = document.createElement("tr");
    const cells = [
      reader.program === "page" ? "this page" : reader.program, reader.file, size(reader.cursor), size(reader.ahead),
      size(reader.behind), `${size(reader.rate)}/s`, reader.stalls,
    ];
    for (const text of cells) row.insertCell().textContent = text;
    return row;
  }));
}

const SEED_STATES = {
  idle: "not used", ready: "ready", downloading: "sends", waiting: "waits", failed: "given up", banned: "banned",
};

function webSeeds(stats) {
  byId("seeding").hidden = stats.web_seeds.length === 0;
  const body = byId("web-seeds").tBodies[0];
  body.replaceChildren(...stats.web_seeds.map((seed) => {
    const row = document.createElement("tr");
    const cells = [
      new URL(seed.url).host, SEED_STATES[seed.state] ?? seed.state, size(seed.downloaded), `${size(seed.down_rate)}/s`,
      seed.last_error ?? "",
    ];
    for (const text of cells) row.insertCell().textContent = text;
    return row;
  }));
}

function redraw() {
  if (latest) picture(latest);
}

// Whether the server is still the one that made this page: it may have been started again, for another torrent.
function isOurs(stats) {
  return stats.phase !== "metadata" && stats.info_hash === document.body.dataset.infoHash;
}

async function poll() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/stats", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      const stats = await answer.json();
      if (!isOurs(stats)) {
        location.reload();
        return;
      }
      latest = stats;
      isConnected = true;
      numbers(latest);
      table(latest);
      webSeeds(latest);
      redraw();
    } catch {
      lost();
    }
  }
  setTimeout(poll, POLL_MS);
}

// The badge follows the film at once, not at the next look.
for (const event of ["playing", "waiting", "pause", "ended", "seeking", "loadstart"]) {
  player.addEventListener(event, () => { if (latest && isConnected) say(...badge(latest.readers)); });
}
window.addEventListener("resize", redraw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
poll();
