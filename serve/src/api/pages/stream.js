// Plays a file of a torrent while it comes, and shows the buffer at work.

import { classes, html, useEffect, useMemo, useRef, useState } from "./lib.js";
import { get } from "./api.js";
import { rate, size, whole } from "./format.js";
import { Legend, Strip, total } from "./pieces.js";
import { at, go } from "./router.js";
import { usePoll } from "./state.js";
import { baseName, isForBrowsers, isPlayable, next, streamPath, subtitles } from "./tree.js";
import { Blank, Copy } from "./ui.js";

const EVERY_MS = 500;
// Pieces around the player.
const NEAR = 120;

/** The file to play if none is named: the largest one that plays. Pure. */
export function best(files) {
  const largest = (some) => some.reduce((most, it) => (most && most.size >= it.size ? most : it), null);
  return largest(files.filter((it) => isPlayable(it.path))) ?? largest(files);
}

export function Stream({ torrent, index }) {
  const { id } = torrent;
  const hasFiles = torrent.file_count > 0;
  const [files, error] = usePoll(() => (hasFiles ? get(`/torrents/${id}/files`) : null), 5_000, `${id} ${hasFiles}`);
  const [buffer] = usePoll(() => (hasFiles ? get(`/torrents/${id}/buffer`) : null), EVERY_MS, `${id} ${hasFiles}`);
  if (!hasFiles) return html`<${Blank} title="There is nothing to play yet"><p>Peers send the list of files first.</p></${Blank}>`;
  if (!files) return error ? html`<${Blank} title="The files cannot be read" isBad><p>${error.message}</p></${Blank}>` : html`<p class="wait">Loading…</p>`;
  const playable = files.filter((it) => isPlayable(it.path) && it.size > 0);
  const file = files.find((it) => String(it.index) === index) ?? best(files);
  const url = location.origin + streamPath(id, file);
  return html`<div class="stream">
    <section class="card stage" aria-label="Player">
      <${Player} key=${`${id} ${file.index}`} id=${id} file=${file} files=${files} />
      ${playable.length > 1 && html`<label class="choose"><span>File</span><select id="file" value=${file.index} onChange=${(event) => go(at.stream(id, event.currentTarget.value))}>
        ${playable.map((it) => html`<option key=${it.index} value=${it.index}>${baseName(it.path)} (${size(it.size)})</option>`)}</select></label>`}
      <div class="elsewhere"><p>In VLC, mpv or another player, open this address:</p><${Copy} text=${url} label="the address" />
        <p class="soft">All files: <a href=${`/stream/${id}/playlist.m3u`}>playlist</a></p></div>
    </section>
    ${buffer && html`<${Buffer} buffer=${buffer} torrent=${torrent} files=${files} file=${file} />`}
  </div>`;
}

function language(code) {
  try {
    return new Intl.DisplayNames(undefined, { type: "language" }).of(code);
  } catch {
    return code;
  }
}

function Player({ id, file, files }) {
  const following = next(files, file);
  const tracks = useMemo(() => subtitles(id, files, file, language), [id, file.index, files.length]);
  const video = useRef();
  const [failure, setFailure] = useState(null);
  const [hasEnded, setEnded] = useState(false);
  useEffect(() => () => {
    // What is not watched any more is not fetched any more.
    video.current?.removeAttribute("src");
    video.current?.load();
  }, []);
  const canTry = isForBrowsers(file.path);
  if (!canTry) {
    return html`<div class="no-player"><h3>Browsers do not play this file</h3><p><bdi>${baseName(file.path)}</bdi></p><p>Players do: open the address below in one.</p></div>`;
  }
  const wrong = () => {
    const code = video.current?.error?.code;
    if (code) setFailure(code === 2 ? "The connection broke." : "This browser cannot play it. Another player can: open the address below in one.");
  };
  return html`<video id="player" ref=${video} controls preload="metadata" playsinline src=${streamPath(id, file)} aria-label=${baseName(file.path)} onError=${wrong} onPlaying=${() => setFailure(null)} onEnded=${() => setEnded(true)}>
      ${tracks.map((it) => html`<track key=${it.src} kind="subtitles" src=${it.src} label=${it.label} srclang=${it.language} />`)}</video>
    ${hasEnded && following && html`<p class="next"><span>Next: <bdi>${baseName(following.path)}</bdi></span><a class="button" href=${at.stream(id, following.index)}>Play</a></p>`}
    ${failure && html`<p class="bad" role="alert">${failure}</p>`}`;
}

function Buffer({ buffer, torrent, files, file }) {
  const { pieces, readers, memory, transfer } = buffer;
  const starts = useMemo(() => {
    let offset = 0;
    const all = new Map();
    for (const it of [...files].sort((a, b) => a.index - b.index)) {
      // Padding is not listed: the first piece says where a file begins at the earliest.
      offset = Math.max(offset, it.first_piece * torrent.piece_length);
      all.set(it.index, offset);
      offset += it.size;
    }
    return all;
  }, [files]);
  const place = (reader) => ((starts.get(reader.file) ?? 0) + reader.cursor) / torrent.piece_length;
  const cursors = readers.map(place);
  const reader = readers.filter((it) => it.file === file.index).sort((a, b) => b.rate - a.rate)[0] ?? readers[0];
  const middle = reader ? place(reader) : file.first_piece;
  const near = Math.min(NEAR, pieces.count);
  const first = Math.max(0, Math.min(pieces.count - near, Math.floor(middle - near / 3)));
  const held = total(pieces.have);
  const tiles = [
    ["Ahead", reader ? size(reader.ahead) : "–"], ["Behind", reader ? size(reader.behind) : "–"],
    ["Download", rate(transfer.down_rate)], ["Peers", transfer.peers], ["Stalls", buffer.totals.stalls], ["Played", size(buffer.totals.served)],
  ];
  return html`<section class="card buffer"><h2>Buffer</h2>
    <dl class="tiles">${tiles.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    ${memory.budget > 0 && html`<p class="memory"><span>Memory</span><meter min="0" max=${memory.budget} value=${memory.used} aria-label="Memory used"></meter><span>${size(memory.used)} of ${size(memory.budget)}</span></p>`}
    <figure><figcaption><span>All pieces</span><small>${whole(held)} of ${whole(pieces.count)} here</small></figcaption>
      <${Strip} pieces=${pieces} cursors=${cursors} className="strip" label=${`${held} of ${pieces.count} pieces are here`} /></figure>
    <figure><figcaption><span>Around the player</span><small>pieces ${whole(first)} to ${whole(first + near - 1)}</small></figcaption>
      <${Strip} pieces=${pieces} first=${first} last=${first + near} cursors=${cursors} className="strip tall" label="The pieces around the player" /></figure>
    <${Legend} />
    ${readers.length > 0 && html`<table class="list" id="readers"><thead><tr><th scope="col">Player</th><th scope="col">File</th><th scope="col" class="number">At</th><th scope="col" class="number">Reads</th><th scope="col" class="number">Stalls</th></tr></thead>
      <tbody>${readers.map((it, row) => html`<tr key=${row}><th scope="row" class=${classes(it.is_waiting && "waiting")}>${it.program ?? "player"}</th><td>${baseName(files.find((one) => one.index === it.file)?.path ?? "")}</td>
        <td class="number">${size(it.cursor)}</td><td class="number">${rate(it.rate)}</td><td class="number">${it.stalls}</td></tr>`)}</tbody></table>`}
  </section>`;
}
