// The settings of the daemon, its tokens, and what this browser does.

import { html, useEffect, useRef, useState } from "./lib.js";
import { call, get } from "./api.js";
import { ago, date, duration, readNumber, readRate, size, whole, writeLimit, writeRate } from "./format.js";
import { Field, Switch } from "./fields.js";
import { DAY, Rates } from "./graph.js";
import { Icon } from "./icons.js";
import { LabelsCard } from "./labels.js";
import { check, Schedule } from "./schedule.js";
import { act, say, useCanChange, usePoll, useStore } from "./state.js";
import { Blank, Copy, Dialog, Facts } from "./ui.js";

const write = (number) => (number == null ? "" : String(number));

/** The settings as a person edits them. Pure. */
export function filled(it) {
  return {
    download: writeRate(it.download_limit), upload: writeRate(it.upload_limit), connections: write(it.max_connections), peers: write(it.max_peers),
    slots: write(it.upload_slots), ratio: write(it.ratio_limit), downloads: write(it.max_downloads), seeds: write(it.max_seeds),
    mode: it.alternative_mode, slowDownload: writeRate(it.alternative_download_limit), slowUpload: writeRate(it.alternative_upload_limit), schedule: it.schedule,
    idle: writeLimit(it.idle_limit, 60), time: writeLimit(it.seeding_time_limit, 3_600), completed: it.completed_folder ?? "",
  };
}

/** What a person wrote, as a change of settings. Throws words for a person. Pure. */
export function patchOf(form) {
  const number = (text, name) => {
    const read = readNumber(text, { isWhole: true });
    if (read === null) throw new Error(`${name} needs a number.`);
    return read;
  };
  const seconds = (text, unit) => {
    const read = readNumber(text);
    return read === null ? null : Math.max(1, Math.round(read * unit));
  };
  return {
    download_limit: readRate(form.download), upload_limit: readRate(form.upload), max_connections: number(form.connections, "Connections in all"),
    max_peers: number(form.peers, "Peers of a torrent"), upload_slots: number(form.slots, "Upload slots"), ratio_limit: readNumber(form.ratio),
    max_downloads: readNumber(form.downloads, { isWhole: true }), max_seeds: readNumber(form.seeds, { isWhole: true }),
    alternative_mode: form.mode, alternative_download_limit: readRate(form.slowDownload), alternative_upload_limit: readRate(form.slowUpload),
    schedule: check(form.schedule), idle_limit: seconds(form.idle, 60), seeding_time_limit: seconds(form.time, 3_600), completed_folder: form.completed.trim() || null,
  };
}

export function Settings() {
  const version = useStore((now) => now.settingsVersion);
  const [settings, error, again] = usePoll(() => get("/settings"), 0, "settings");
  const seen = useRef(version);
  useEffect(() => {
    if (seen.current !== version) again();
    seen.current = version;
  }, [version]);
  return html`<div class="page"><h1>Settings</h1>
    ${settings ? html`<${Form} settings=${settings} again=${again} />` : error ? html`<${Blank} title="The settings cannot be shown" isBad><p>${error.message}</p></${Blank}>` : html`<p class="wait">Loading…</p>`}
    <${LabelsCard} />
    <${Tokens} />
    <${Browser} />
    <h2>Rates of all torrents</h2><${Rates} path="/stats/rates" spans=${DAY} />
    <${About} />
  </div>`;
}

/** What a person is writing stays; the rest follows what was set elsewhere. Pure. */
export function followed(form, before, after) {
  return Object.fromEntries(Object.keys(after).map((key) => [key, JSON.stringify(form[key]) === JSON.stringify(before[key]) ? after[key] : form[key]]));
}

function Form({ settings, again }) {
  const canChange = useCanChange();
  const [form, setForm] = useState(filled(settings));
  const [error, setError] = useState(null);
  const before = useRef(filled(settings));
  useEffect(() => {
    const after = filled(settings);
    setForm((now) => followed(now, before.current, after));
    before.current = after;
  }, [JSON.stringify(settings)]);
  const set = (key) => (value) => setForm((now) => ({ ...now, [key]: value }));
  const isChanged = JSON.stringify(form) !== JSON.stringify(filled(settings));
  const save = async (event) => {
    event.preventDefault();
    try {
      const saved = await call("PATCH", "/settings", patchOf(form));
      before.current = filled(saved);
      setForm(before.current);
      setError(null);
      again();
      say("Saved.");
    } catch (problem) {
      setError(problem.message);
    }
  };
  return html`<form class="settings" onSubmit=${save} noValidate><fieldset disabled=${!canChange}>
    <section class="card"><h2>Speed</h2><div class="fields">
      <${Field} id="download-limit" label="Download" unit="KiB/s" hint="no limit" value=${form.download} onChange=${set("download")} />
      <${Field} id="upload-limit" label="Upload" unit="KiB/s" hint="no limit" value=${form.upload} onChange=${set("upload")} />
    </div></section>
    <section class="card"><h2>Slower at some hours</h2>
      <label class="field mode" for="mode"><span>Use the limits below in place of those above</span><select id="mode" value=${form.mode} onChange=${(event) => set("mode")(event.currentTarget.value)}>
        <option value="off">never</option><option value="on">now, until this is changed</option><option value="schedule">at these hours</option></select></label>
      ${form.mode !== "off" && html`<div class="fields apart">
        <${Field} id="slow-download" label="Download" unit="KiB/s" hint="no limit" value=${form.slowDownload} onChange=${set("slowDownload")} />
        <${Field} id="slow-upload" label="Upload" unit="KiB/s" hint="no limit" value=${form.slowUpload} onChange=${set("slowUpload")} />
      </div>`}
      ${form.mode === "schedule" && html`<${Schedule} rules=${form.schedule} onChange=${set("schedule")} />`}
    </section>
    <section class="card"><h2>Queue</h2><div class="fields">
      <${Field} id="max-downloads" label="Downloads at once" hint="all" note="One that gets nothing for a minute does not count." value=${form.downloads} onChange=${set("downloads")} />
      <${Field} id="max-seeds" label="Seeds at once" hint="all" value=${form.seeds} onChange=${set("seeds")} />
    </div></section>
    <section class="card"><h2>When a torrent is complete</h2><div class="fields">
      <${Field} id="ratio-limit" label="Pause it at ratio" hint="never" value=${form.ratio} onChange=${set("ratio")} />
      <${Field} id="time-limit" label="Pause it after seeding" unit="h" hint="never" value=${form.time} onChange=${set("time")} />
      <${Field} id="idle-limit" label="Pause it when idle for" unit="min" hint="never" value=${form.idle} onChange=${set("idle")} />
      <${Field} id="completed-folder" label="Move its files to" hint="they stay" value=${form.completed} onChange=${set("completed")} isText />
    </div></section>
    <section class="card"><h2>Connections</h2><div class="fields">
      <${Field} id="max-connections" label="Connections in all" value=${form.connections} onChange=${set("connections")} />
      <${Field} id="max-peers" label="Peers of a torrent" value=${form.peers} onChange=${set("peers")} />
      <${Field} id="upload-slots" label="Upload slots of a torrent" value=${form.slots} onChange=${set("slots")} />
    </div></section>
    ${error && html`<p class="bad" role="alert" id="settings-error">${error}</p>`}
    ${canChange ? html`<p class="buttons"><button type="submit" class="first" id="save">Save</button>
      ${isChanged && html`<button type="button" onClick=${() => setForm(filled(settings))}>Undo</button>`}</p>` : html`<p class="soft">This login may only look.</p>`}
  </fieldset></form>`;
}

function Tokens() {
  const canChange = useCanChange();
  const [tokens, error, again] = usePoll(() => get("/tokens"), 0, "tokens");
  const [name, setName] = useState("");
  const [isReadOnly, setReadOnly] = useState(false);
  const [made, setMade] = useState(null);
  const [doomed, setDoomed] = useState(null);
  const make = async (event) => {
    event.preventDefault();
    if (!name.trim()) {
      say("A token needs a name.", true);
      return;
    }
    const isDone = await act(async () => setMade(await call("POST", "/tokens", { name: name.trim(), is_read_only: isReadOnly })));
    if (isDone) setName("");
    again();
  };
  const remove = () => {
    setDoomed(null);
    act(() => call("DELETE", `/tokens/${encodeURIComponent(doomed)}`), "The token is deleted.").then(again);
  };
  return html`<section class="card" id="tokens"><h2>Access tokens</h2>
    <p class="soft">Programs and other devices log in with a token. Only its name can be seen again.</p>
    ${error && html`<p class="bad">${error.message}</p>`}
    ${tokens?.length > 0 && html`<table class="list"><thead><tr><th scope="col">Name</th><th scope="col">May</th><th scope="col">Made</th><th scope="col"><span class="hidden">Delete</span></th></tr></thead>
      <tbody>${tokens.map((it) => html`<tr key=${it.name}><th scope="row"><bdi>${it.name}</bdi></th><td>${it.is_read_only ? "look" : "do everything"}</td><td title=${date(it.created)}>${ago(it.created)}</td>
        <td class="number">${canChange && html`<button type="button" class="quiet square" aria-label=${`Delete ${it.name}`} onClick=${() => setDoomed(it.name)}><${Icon} name="trash" size="16" /></button>`}</td></tr>`)}</tbody></table>`}
    ${made && html`<div class="secret" role="status"><p><strong>The token of ${made.name}.</strong> Copy it now: it is not shown again.</p><${Copy} text=${made.token} label="the token" /></div>`}
    ${canChange && html`<form class="inline" onSubmit=${make}><label for="token-name">New token</label><input id="token-name" value=${name} placeholder="phone" autocomplete="off" onInput=${(event) => setName(event.currentTarget.value)} />
      <${Switch} id="token-read" label="may only look" value=${isReadOnly} onChange=${setReadOnly} /><button type="submit">Make</button></form>`}
    ${doomed && html`<${Dialog} title="Delete this token?" className="small" onClose=${() => setDoomed(null)} onSubmit=${remove}
      foot=${html`<button type="button" onClick=${() => setDoomed(null)}>Keep</button><button type="submit" class="danger">Delete</button>`}>
      <p>Programs that use <strong><bdi>${doomed}</bdi></strong> lose access at once.</p></${Dialog}>`}
  </section>`;
}

function Browser() {
  const register = () => {
    try {
      navigator.registerProtocolHandler("magnet", `${location.origin}/#/add/%s`);
      say("The browser asks you now, or has asked before.");
    } catch {
      say("This browser allows it only on this machine, or over HTTPS.", true);
    }
  };
  return html`<section class="card"><h2>This browser</h2><p class="soft">A magnet link that you click on another page can open here.</p>
    <p class="buttons"><button type="button" onClick=${register}>Open magnet links here</button></p></section>`;
}

function About() {
  const stats = useStore((now) => now.stats);
  const [about] = usePoll(() => get("/"), 0, "about");
  return html`<section class="card"><h2>Daemon</h2><${Facts} facts=${[
    about && ["Version", about.version], stats && ["Running for", duration(Date.now() / 1000 - stats.started)], stats && ["Peers connect to", stats.listen_addr],
    stats && ["Connections", `${whole(stats.connections)} of ${whole(stats.max_connections)}`], stats && ["Memory for torrents", `${size(stats.memory_used)} of ${size(stats.memory_budget)}`],
    ["For programs", html`<a href="/api/v1/openapi.json">description of the API</a>, <a href="/metrics">figures for Prometheus</a>`],
  ]} /></section>`;
}
