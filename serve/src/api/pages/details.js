// One torrent: its head, and a tab for each side of it.

import { classes, html, useEffect } from "./lib.js";
import { ago, brief, count, date, duration, percent, rate, ratio, size, whole } from "./format.js";
import { Files } from "./files.js";
import { Graph } from "./graph.js";
import { Icon } from "./icons.js";
import { doing, isStopped } from "./list.js";
import { Options } from "./options.js";
import { Peers } from "./peers.js";
import { Availability, Strip } from "./pieces.js";
import { at, go } from "./router.js";
import { get } from "./api.js";
import { act, api, openDialog, say, useCanChange, usePoll, useStore } from "./state.js";
import { Stream } from "./stream.js";
import { Trackers } from "./trackers.js";
import { Bar, Blank, Copy, Facts, Menu, Tabs, toClipboard } from "./ui.js";

const EVERY_MS = 1_000;

export function Details({ route }) {
  const { id, tab } = route;
  const known = useStore((now) => now.torrents.get(id));
  const [full, error, again] = usePoll(() => get(`/torrents/${id}`), EVERY_MS, id);
  const torrent = full ?? known;
  useEffect(() => {
    document.title = `${torrent?.name ?? "Torrent"} · tailwater`;
  }, [torrent?.name]);
  if (error?.status === 404) {
    return html`<div class="page"><${Blank} title="This torrent is not here">
      <p>It may have been removed. <a href=${at.list}>All torrents</a></p></${Blank}></div>`;
  }
  if (!torrent) return html`<div class="page">${error ? html`<${Blank} title="This torrent cannot be shown" isBad><p>${error.message}</p></${Blank}>` : html`<p class="wait">Loading…</p>`}</div>`;
  const hasFiles = torrent.file_count > 0;
  const tabs = [
    { key: "overview", label: "Overview" },
    { key: "files", label: "Files", badge: hasFiles ? whole(torrent.file_count) : null },
    { key: "peers", label: "Peers", badge: torrent.peers || null },
    { key: "trackers", label: "Trackers" },
    { key: "graph", label: "Graph" },
    { key: "stream", label: "Stream" },
    { key: "options", label: "Options" },
  ];
  return html`<div class="page details">
    <${Top} torrent=${torrent} again=${again} />
    <${Tabs} label="Sides of this torrent" tabs=${tabs} current=${tab} onChoose=${(next) => go(at.torrent(id, next))}>
      ${tab === "overview" && html`<${Overview} torrent=${torrent} />`}
      ${tab === "files" && html`<${Files} torrent=${torrent} />`}
      ${tab === "peers" && html`<${Peers} torrent=${torrent} />`}
      ${tab === "trackers" && html`<${Trackers} torrent=${torrent} />`}
      ${tab === "graph" && html`<${Graph} torrent=${torrent} />`}
      ${tab === "stream" && html`<${Stream} torrent=${torrent} index=${route.file} />`}
      ${tab === "options" && full && html`<${Options} key=${id} torrent=${full} again=${again} />`}
    </${Tabs}>
  </div>`;
}

/** A name that may be broken where its parts end. */
function broken(name) {
  return name.split(/(?<=[._-])/).flatMap((part, at_) => (at_ === 0 ? [part] : [html`<wbr />`, part]));
}

function Top({ torrent, again }) {
  const canChange = useCanChange();
  const { id, name } = torrent;
  const isStill = isStopped(torrent);
  const change = (patch, done) => act(() => api.change(id, patch), done).then(again);
  const copy = async () => say(await toClipboard(torrent.magnet) ? "The magnet link is in the clipboard." : "This browser does not let the page copy.");
  const items = [
    { label: "Recheck files", icon: "recheck", run: () => act(() => api.recheck(id), "The check has begun."), hidden: !canChange },
    { label: "Find more peers", icon: "announce", run: () => act(() => api.announce(id), "The trackers will be asked."), hidden: !canChange },
    { label: "Labels…", icon: "label", run: () => openDialog({ kind: "labels", ids: [id] }), hidden: !canChange },
    { label: "Move files…", icon: "folder", run: () => openDialog({ kind: "move", id }), hidden: !canChange || torrent.storage === "memory" },
    { label: "In order", isOn: torrent.sequential === true, run: () => change({ sequential: !torrent.sequential }), hidden: !canChange },
    { label: "Super-seeding", isOn: torrent.super_seeding === true, run: () => change({ super_seeding: !torrent.super_seeding }), hidden: !canChange },
    { label: "Copy magnet link", icon: "copy", run: copy, hidden: !torrent.magnet },
    canChange ? null : undefined,
    { label: "Remove…", icon: "trash", isBad: true, run: () => openDialog({ kind: "remove", ids: [id], leave: true }), hidden: !canChange },
  ].filter((it) => it !== undefined);
  return html`<div class="top">
    <a class="back" href=${at.list}><${Icon} name="back" size="16" />Torrents</a>
    <div class="line">
      <h1><bdi>${broken(name)}</bdi></h1>
      <div class="actions">
        ${canChange && html`<button type="button" id="toggle" onClick=${() => act(() => (isStill ? api.resume(id) : api.pause(id))).then(again)}>
          <${Icon} name=${isStill ? "play" : "pause"} size="16" /><span>${isStill ? "Resume" : "Pause"}</span></button>`}
        <${Menu} label="More actions" items=${items} className="square"><${Icon} name="more" /></${Menu}>
      </div>
    </div>
    <p class="state"><i class=${classes("dot", torrent.state, torrent.is_stalled && !torrent.on_demand && "stalled")}></i><span id="state" class=${torrent.state === "error" ? "bad" : null}>${doing(torrent)}</span>
      ${torrent.labels.map((label) => html`<span key=${label} class="chip">${label}</span>`)}</p>
    <div class="done"><${Bar} share=${torrent.state === "checking" ? torrent.state_progress : torrent.progress} state=${torrent.state} label="Done" />
      <strong>${torrent.size > 0 ? percent(torrent.progress) : "–"}</strong></div>
  </div>`;
}

function Overview({ torrent: it }) {
  const tiles = [
    ["Download", rate(it.down_rate)], ["Upload", rate(it.up_rate)],
    ["Left", it.eta == null ? (it.left > 0 ? size(it.left) : "nothing") : brief(it.eta)],
    ["Peers", it.peers, it.seeds > 0 ? count(it.seeds, "seed") : null], ["Ratio", ratio(it.ratio)],
    ["Here", size(it.have), it.size > 0 ? `of ${size(it.size)}` : null],
  ];
  return html`<dl class="tiles">${tiles.map(([name, value, more]) => html`<div key=${name}><dt>${name}</dt><dd>${value}${more && html` <small>${more}</small>`}</dd></div>`)}</dl>
    <${Pieces} torrent=${it} />
    <div class="cards">
      <section class="card"><h2>Transfer</h2><${Facts} facts=${[
        ["Received", size(it.downloaded)], ["Sent", size(it.uploaded)], it.wasted > 0 && ["In vain", size(it.wasted)],
        ["Still wanted", size(it.left)], ["Time downloading", duration(it.downloading_seconds)], ["Time seeding", duration(it.seeding_seconds)],
        it.known_peers != null && ["Known peers", whole(it.known_peers)],
      ]} /></section>
      <section class="card"><h2>Dates</h2><${Facts} facts=${[
        ["Added", date(it.added)], ["Complete", it.completed ? date(it.completed) : "not yet"], ["Last transfer", ago(it.last_activity)],
        it.created && ["Torrent made", date(it.created)], it.created_by && ["Made by", it.created_by],
      ]} /></section>
      <section class="card wide"><h2>Torrent</h2><${Facts} facts=${[
        ["Kept", it.storage === "memory" ? "in memory" : it.folder], it.file_count > 0 && ["Contents", `${count(it.file_count, "file")}, ${size(it.size)}`],
        it.piece_count > 0 && ["Pieces", `${whole(it.piece_count)} of ${size(it.piece_length)}`], it.is_private && ["Private", "yes: peers come from its trackers alone"],
        ["Info-hash", html`<${Copy} text=${it.id} label="the info-hash" />`], it.comment && ["Comment", it.comment],
      ]} /></section>
    </div>`;
}

function Pieces({ torrent: it }) {
  const isThere = it.file_count > 0 && !["checking", "moving", "starting", "metadata", "error"].includes(it.state);
  const [pieces] = usePoll(() => (isThere ? get(`/torrents/${it.id}/pieces`).catch(() => null) : null), 2_000, `${it.id} ${isThere}`);
  if (!pieces?.count) return null;
  return html`<section class="card"><figure class="pieces"><figcaption><span>Pieces</span><small>${whole(it.pieces_have ?? 0)} of ${whole(pieces.count)} here</small></figcaption>
      <${Strip} pieces=${pieces} className="strip" label=${`${it.pieces_have} of ${pieces.count} pieces are here`} /></figure>
    ${it.peers > 0 && html`<figure class="pieces"><figcaption><span>What peers have</span><small>${pieces.copies.toFixed(2)} copies</small></figcaption>
      <${Availability} base64=${pieces.availability} className="strip low" label=${`The connected peers have ${pieces.copies.toFixed(2)} copies`} /></figure>`}</section>`;
}
