// The trackers and web seeds of a torrent, and a form to replace the trackers.

import { classes, html, useState } from "./lib.js";
import { call, get } from "./api.js";
import { brief, rate, size } from "./format.js";
import { act, useCanChange, usePoll } from "./state.js";
import { Blank, Dialog } from "./ui.js";

const STATES = { idle: "not asked yet", announcing: "is being asked", working: "works", failing: "fails", disabled: "not used" };

/** Trackers as a person writes them: one a line, an empty line between tiers. Pure. */
export function writeTiers(trackers) {
  const tiers = [];
  for (const { tier, url } of trackers) (tiers[tier] ??= []).push(url);
  return tiers.filter(Boolean).map((urls) => urls.join("\n")).join("\n\n");
}

export function readTiers(text) {
  return text.split(/\n\s*\n/).map((tier) => tier.split("\n").map((url) => url.trim()).filter(Boolean)).filter((tier) => tier.length > 0);
}

export function Trackers({ torrent }) {
  const { id } = torrent;
  const canChange = useCanChange();
  const [trackers, error, again] = usePoll(() => get(`/torrents/${id}/trackers`), 2_000, id);
  const [seeds] = usePoll(() => get(`/torrents/${id}/web-seeds`), 2_000, id);
  const [isEditing, setEditing] = useState(false);
  if (!trackers) return error ? html`<${Blank} title="The trackers cannot be shown" isBad><p>${error.message}</p></${Blank}>` : html`<p class="wait">Loading…</p>`;
  return html`
    ${trackers.length === 0 ? html`<${Blank} title="It has no trackers"><p>${torrent.is_private ? "Nothing else may be asked: it is private." : "Its peers come from the DHT, from this network and from each other."}</p></${Blank}>`
    : html`<div class="scroll" tabindex="0" role="region" aria-label="Trackers"><table class="list" id="trackers">
      <thead><tr><th scope="col">Tier</th><th scope="col">Tracker</th><th scope="col">State</th><th scope="col" class="number">Next</th><th scope="col" class="number">Seeds</th><th scope="col" class="number">Leeches</th><th scope="col" class="number">Named</th></tr></thead>
      <tbody>${trackers.map((it) => html`<tr key=${it.url}>
        <td class="soft">${it.tier + 1}</td>
        <th scope="row"><span class="url">${it.url}</span>${(it.error ?? it.warning) && html`<small class="bad">${it.error ?? it.warning}</small>`}</th>
        <td><i class=${classes("dot", it.state === "working" ? "seeding" : it.state === "failing" ? "error" : "")}></i>${STATES[it.state] ?? it.state}</td>
        <td class="number">${it.next_announce == null ? "–" : `in ${brief(it.next_announce)}`}</td>
        <td class="number">${it.seeders ?? "–"}</td><td class="number">${it.leechers ?? "–"}</td><td class="number">${it.peers ?? "–"}</td>
      </tr>`)}</tbody></table></div>`}
    ${canChange && html`<p class="buttons"><button type="button" onClick=${() => setEditing(true)}>Edit trackers</button>
      <button type="button" onClick=${() => act(() => call("POST", `/torrents/${id}/reannounce`), "The trackers will be asked as soon as they allow.").then(again)}>Ask them now</button></p>`}
    ${seeds?.length > 0 && html`<h2>Web seeds</h2><div class="scroll" tabindex="0" role="region" aria-label="Web seeds"><table class="list">
      <thead><tr><th scope="col">Server</th><th scope="col" class="number">Received</th><th scope="col" class="number">Down</th></tr></thead>
      <tbody>${seeds.map((it) => html`<tr key=${it.url}><th scope="row"><span class="url">${it.url}</span></th><td class="number">${size(it.downloaded)}</td><td class="number">${rate(it.down_rate)}</td></tr>`)}</tbody></table></div>`}
    ${isEditing && html`<${Edit} id=${id} trackers=${trackers} onClose=${() => { setEditing(false); again(); }} />`}`;
}

function Edit({ id, trackers, onClose }) {
  const [text, setText] = useState(writeTiers(trackers));
  const [error, setError] = useState(null);
  const save = async () => {
    try {
      await call("PUT", `/torrents/${id}/trackers`, { tiers: readTiers(text) });
      onClose();
    } catch (problem) {
      setError(problem.message);
    }
  };
  return html`<${Dialog} title="Trackers" onClose=${onClose} onSubmit=${save}
    foot=${html`<button type="button" onClick=${onClose}>Cancel</button><button type="submit" class="first">Save</button>`}>
    <label class="field"><span>One address a line. An empty line begins the next tier, which is asked when all before it fail.</span>
      <textarea id="tiers" rows="10" spellcheck=${false} value=${text} onInput=${(event) => setText(event.currentTarget.value)}></textarea></label>
    ${error && html`<p class="bad" role="alert">${error}</p>`}
  </${Dialog}>`;
}
