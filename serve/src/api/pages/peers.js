// The connected peers.

import { html, useState } from "./lib.js";
import { call, get } from "./api.js";
import { percent, rate, size } from "./format.js";
import { act, useCanChange, usePoll } from "./state.js";
import { Bar, Blank } from "./ui.js";

const COLUMNS = [
  { key: "addr", label: "Address", by: (a, b) => a.addr.localeCompare(b.addr, undefined, { numeric: true }) },
  { key: "client", label: "Client", by: (a, b) => (a.client ?? "").localeCompare(b.client ?? "") },
  { key: "over", label: "Over", by: (a, b) => over(a).localeCompare(over(b)) },
  { key: "progress", label: "Has", isNumber: true, by: (a, b) => a.progress - b.progress },
  { key: "down_rate", label: "Down", isNumber: true, by: (a, b) => a.down_rate - b.down_rate || a.downloaded - b.downloaded },
  { key: "up_rate", label: "Up", isNumber: true, by: (a, b) => a.up_rate - b.up_rate || a.uploaded - b.uploaded },
  { key: "downloaded", label: "Received", isNumber: true, by: (a, b) => a.downloaded - b.downloaded },
  { key: "uploaded", label: "Sent", isNumber: true, by: (a, b) => a.uploaded - b.uploaded },
  { key: "flags", label: "What happens" },
];

function over(peer) {
  const transport = peer.transport === "utp" ? "uTP" : "TCP";
  return peer.encryption === "none" ? transport : `${transport}, ${peer.encryption === "rc4" ? "encrypted" : "hidden handshake"}`;
}

/** What goes on with a peer, in words. */
export function flags(peer) {
  const words = [];
  if (peer.am_interested) words.push(peer.peer_choking ? "it lets us wait" : "we download");
  if (peer.peer_interested) words.push(peer.am_choking ? "we let it wait" : "we upload");
  if (words.length === 0) words.push("nothing to do");
  words.push(peer.is_incoming ? "it called" : "we called");
  return words.join(", ");
}

export function Peers({ torrent }) {
  const canChange = useCanChange();
  const [peers, error, again] = usePoll(() => get(`/torrents/${torrent.id}/peers`), 1_000, torrent.id);
  const [sort, setSort] = useState({ key: "down_rate", isDown: true });
  const [address, setAddress] = useState("");
  if (!peers) return error ? html`<${Blank} title="The peers cannot be shown" isBad><p>${error.message}</p></${Blank}>` : html`<p class="wait">Loading…</p>`;
  const column = COLUMNS.find((it) => it.key === sort.key);
  const sorted = [...peers].sort((a, b) => (sort.isDown ? -1 : 1) * column.by(a, b) || a.addr.localeCompare(b.addr));
  const add = (event) => {
    event.preventDefault();
    const addresses = address.split(/[\s,]+/).filter(Boolean);
    if (addresses.length === 0) return;
    act(() => call("POST", `/torrents/${torrent.id}/peers`, { peers: addresses }), "It will be tried.").then((isDone) => {
      if (isDone) setAddress("");
      again();
    });
  };
  const head = (it) => html`<th key=${it.key} scope="col" class=${it.isNumber && "number"} aria-sort=${sort.key === it.key ? (sort.isDown ? "descending" : "ascending") : null}>
    ${it.by ? html`<button type="button" class="sort" onClick=${() => setSort({ key: it.key, isDown: sort.key === it.key ? !sort.isDown : Boolean(it.isNumber) })}>${it.label}<span class="arrow" aria-hidden="true">${sort.key === it.key ? (sort.isDown ? "↓" : "↑") : ""}</span></button>` : it.label}</th>`;
  return html`
    ${peers.length === 0 ? html`<${Blank} title="No peers are connected"><p>${torrent.state === "paused" ? "It is paused." : "They are looked for at its trackers, in the DHT and in this network."}</p></${Blank}>`
    : html`<div class="scroll" tabindex="0" role="region" aria-label="Peers"><table class="list" id="peers">
      <thead><tr>${COLUMNS.map(head)}</tr></thead>
      <tbody>${sorted.map((it) => html`<tr key=${it.addr}>
        <th scope="row"><code>${it.addr}</code></th><td>${it.client ?? "–"}</td><td>${over(it)}</td>
        <td class="number"><span class="with-bar">${percent(it.progress)}<${Bar} share=${it.progress} label=${`${it.addr}: has`} /></span></td>
        <td class="number">${it.down_rate > 0 ? rate(it.down_rate) : "–"}</td><td class="number">${it.up_rate > 0 ? rate(it.up_rate) : "–"}</td>
        <td class="number">${size(it.downloaded)}</td><td class="number">${size(it.uploaded)}</td><td class="soft">${flags(it)}</td>
      </tr>`)}</tbody></table></div>`}
    ${canChange && html`<form class="inline" onSubmit=${add}><label for="peer">Connect to a peer</label>
      <input id="peer" value=${address} placeholder="192.0.2.1:6881" autocomplete="off" spellcheck=${false} onInput=${(event) => setAddress(event.currentTarget.value)} />
      <button type="submit">Connect</button></form>`}`;
}
