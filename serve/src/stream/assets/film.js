"use strict";
// The film in the page's own player: which file, with which subtitles, what comes next, and how far it is. What the page
// says of it comes from the video element, not from the connection that feeds it.

const NEXT_IN_SECONDS = 8;
// Of HTMLMediaElement: there is data for what comes next.
const HAVE_FUTURE_DATA = 3;
const NOT_SUPPORTED = 4;

const byId = (id) => document.getElementById(id);
const player = byId("player");
// By index, in the order of the page.
const rows = new Map();
for (const row of document.querySelectorAll("#files tr[data-file]")) {
  const { file, offset, length, kind, tracks } = row.dataset;
  rows.set(Number(file), {
    row,
    offset: Number(offset),
    length: Number(length),
    kind,
    link: row.querySelector("a"),
    browser: "browser" in row.dataset,
    tracks: tracks === undefined ? [] : JSON.parse(tracks),
  });
}
let current = Number(player.dataset.file);

// How it plays.

const film = {
  // It has played since its source was set.
  began: false,
  // The user has jumped, and it has not played since.
  jumped: false,
  waits: false,
  // How often it ran out of bytes while it played. It never falls, whichever file is played.
  stalls: 0,
};
// Another source: the "waiting" for its first bytes comes before "loadstart".
player.addEventListener("emptied", () => {
  film.began = false;
  film.jumped = false;
  film.waits = false;
});
player.addEventListener("seeking", () => { film.jumped = true; });
player.addEventListener("playing", () => {
  film.began = true;
  film.jumped = false;
  film.waits = false;
});
player.addEventListener("timeupdate", () => {
  // A jump to what is there is followed by no "playing".
  if (!player.seeking && player.readyState >= HAVE_FUTURE_DATA) film.jumped = false;
});
player.addEventListener("waiting", () => {
  if (film.began && !film.jumped && !film.waits && !player.ended) film.stalls += 1;
  film.waits = true;
});

// "ready", "playing", "waiting", "paused" or "ended"; null if there is nothing that the page plays.
function filmState() {
  if (player.hidden || !player.getAttribute("src") || player.error) return null;
  if (player.ended) return "ended";
  if (player.paused) return film.began ? "paused" : "ready";
  return player.readyState < HAVE_FUTURE_DATA ? "waiting" : "playing";
}

// Whether the page's player is what the user watches.
function isWatched() {
  const state = filmState();
  return state !== null && state !== "ready";
}

// Seconds that the player itself holds from where it is.
function secondsHeld() {
  const now = player.currentTime;
  for (let range = 0; range < player.buffered.length; range += 1) {
    const [start, end] = [player.buffered.start(range), player.buffered.end(range)];
    if (start <= now + 0.1 && now <= end) return Math.max(0, end - now);
  }
  return 0;
}

// Bytes of the file in the player that one second of play needs; 0 while that is not known.
function neededRate() {
  const file = rows.get(current);
  const known = file && Number.isFinite(player.duration) && player.duration > 0;
  return known ? file.length / player.duration : 0;
}

// Which file.

function elsewhere(is) {
  byId("elsewhere").hidden = !is;
  player.hidden = is;
  const playable = ["video", "audio"].includes(rows.get(current)?.kind);
  byId("for-players").hidden = !playable;
  byId("for-saving").hidden = playable;
}

// How to play a file elsewhere. Addresses of ours hold nothing that a shell reads, but for what joins them.
function commands({ link, tracks }) {
  const subtitles = tracks.map(({ src }) => new URL(src, location.href).href);
  byId("url").textContent = link.href;
  byId("mpv").textContent = ["mpv", ...subtitles.map((url) => `--sub-file=${url}`), link.href].join(" ");
  const slaves = subtitles.length ? [`'--input-slave=${subtitles.join("#")}'`] : [];
  byId("vlc").textContent = ["vlc", ...slaves, link.href].join(" ");
}

function setTracks(tracks) {
  for (const track of player.querySelectorAll("track")) track.remove();
  for (const { src, label, srclang } of tracks) {
    const track = document.createElement("track");
    track.kind = "subtitles";
    track.src = `${src}?page`;
    track.label = label;
    if (srclang) track.srclang = srclang;
    player.append(track);
  }
}

function show(file, play) {
  const chosen = rows.get(file);
  if (!chosen) return;
  current = file;
  cancelNext();
  for (const { row } of rows.values()) row.removeAttribute("aria-current");
  chosen.row.setAttribute("aria-current", "true");
  byId("now").textContent = chosen.link.textContent;
  byId("direct").href = chosen.link.href;
  commands(chosen);
  elsewhere(!chosen.browser);
  byId("skip").disabled = nextFile() === null;
  if (!play) return;
  setTracks(chosen.tracks);
  if (chosen.browser) {
    player.src = `${chosen.link.getAttribute("href")}?page`;
    // A browser may refuse to begin by itself; the controls are there.
    player.play().catch(() => {});
  } else {
    player.removeAttribute("src");
    player.load();
  }
  player.closest("section").scrollIntoView({ block: "nearest" });
}

for (const [file, { row }] of rows) {
  const button = row.querySelector("button.play");
  if (button) button.addEventListener("click", () => show(file, true));
}
player.addEventListener("error", () => {
  if (player.getAttribute("src") && player.error && player.error.code === NOT_SUPPORTED) elsewhere(true);
});

// What comes next.

function nextFile() {
  const files = [...rows.keys()];
  const later = files.slice(files.indexOf(current) + 1);
  return later.find((file) => rows.get(file).browser) ?? null;
}

let countdown = null;

function cancelNext() {
  clearInterval(countdown);
  countdown = null;
  byId("next").hidden = true;
}

function playNext() {
  const file = nextFile();
  if (file !== null) show(file, true);
}

player.addEventListener("ended", () => {
  const file = nextFile();
  if (file === null) return;
  cancelNext();
  let left = NEXT_IN_SECONDS;
  byId("next-name").textContent = rows.get(file).link.textContent;
  byId("next-in").textContent = left;
  byId("next").hidden = false;
  countdown = setInterval(() => {
    left -= 1;
    byId("next-in").textContent = left;
    if (left <= 0) playNext();
  }, 1000);
});
player.addEventListener("play", cancelNext);
byId("next-now").addEventListener("click", playNext);
byId("next-cancel").addEventListener("click", cancelNext);
byId("skip").addEventListener("click", playNext);

// How wide.

function toggleWide() {
  const wide = document.body.classList.toggle("wide");
  byId("wide").setAttribute("aria-pressed", String(wide));
  window.dispatchEvent(new Event("resize"));
}
byId("wide").addEventListener("click", toggleWide);
document.addEventListener("keydown", (event) => {
  const typing = event.target instanceof Element && event.target.closest("input, textarea, select");
  if (event.key !== "t" || event.ctrlKey || event.altKey || event.metaKey || typing) return;
  toggleWide();
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
