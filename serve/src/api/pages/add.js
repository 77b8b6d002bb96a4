// Adds torrents: from links, files, drops and pastes. What is in one is looked at first, so that files can be chosen.

import { html, useEffect, useMemo, useRef, useState } from "./lib.js";
import { call } from "./api.js";
import { count, size } from "./format.js";
import { Icon } from "./icons.js";
import { Field, Switch } from "./fields.js";
import { at, go } from "./router.js";
import { Rows } from "./rows.js";
import { closeDialog, openDialog, say, store, sync } from "./state.js";
import { recall, remember } from "./theme.js";
import { baseName, choice, grow, rows } from "./tree.js";
import { Dialog, Tick } from "./ui.js";

const ROW = 36;

/** The links of a text: magnet links, info-hashes, addresses of .torrent files. Pure. */
export function links(text) {
  const found = text.split(/\s+/).filter((it) => /^(magnet:\?|https?:|[0-9a-f]{40}$|[a-z2-7]{32}$)/i.test(it));
  return [...new Set(found)];
}

/** Drops and pastes on the whole page open the dialog. Whether something is over the page just now. */
export function useDrops() {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const canChange = () => store.get().me?.is_read_only !== true;
    const over = (event) => {
      if (!canChange() || ![...event.dataTransfer.types].some((it) => ["Files", "text/uri-list", "text/plain"].includes(it))) return;
      event.preventDefault();
      if (!store.get().dialog) setOver(true);
    };
    const leave = (event) => { if (!event.relatedTarget) setOver(false); };
    const drop = (event) => {
      setOver(false);
      if (!canChange() || event.target.closest?.("textarea")) return;
      event.preventDefault();
      offer([...event.dataTransfer.files], event.dataTransfer.getData("text/plain"));
    };
    const paste = (event) => {
      if (!canChange() || event.target.closest?.("input, textarea, dialog")) return;
      const files = [...event.clipboardData.files];
      const text = event.clipboardData.getData("text/plain");
      if (files.length === 0 && links(text).length === 0) return;
      event.preventDefault();
      offer(files, text);
    };
    const all = [["dragenter", over], ["dragover", over], ["dragleave", leave], ["drop", drop], ["paste", paste]];
    for (const [name, react] of all) addEventListener(name, react);
    return () => { for (const [name, react] of all) removeEventListener(name, react); };
  }, []);
  return isOver;
}

let dialogNumber = 0;

function offer(files, text) {
  if (files.length === 0 && links(text).length === 0) {
    say("That is neither a .torrent file nor a link to one.", true);
    return;
  }
  dialogNumber += 1;
  openDialog({ kind: "add", number: dialogNumber, files, text: files.length > 0 ? "" : text });
}

async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at_ = 0; at_ < bytes.length; at_ += 0x8000) text += String.fromCharCode(...bytes.subarray(at_, at_ + 0x8000));
  return btoa(text);
}

/** The sources that are asked for: { name, body } with `link` or `torrent` in the body. */
async function sourcesOf(text, files) {
  const fromFiles = await Promise.all(files.map(async (file) => ({ name: file.name, body: { torrent: await base64(file) } })));
  return [...links(text).map((link) => ({ name: link, body: { link } })), ...fromFiles];
}

export function AddDialog({ text: begun = "", files: dropped = [] }) {
  const [text, setText] = useState(begun);
  const [files, setFiles] = useState(dropped);
  const [options, setOptions] = useState({ folder: "", labels: "", paused: false, sequential: false, storage: "disk", ...recall("add", {}) });
  const [seen, setSeen] = useState(null);
  const [chosen, setChosen] = useState(new Set());
  const [isBusy, setBusy] = useState(false);
  const [isAdding, setAdding] = useState(false);
  const [error, setError] = useState(null);
  const abort = useRef(null);
  useEffect(() => () => abort.current?.abort(), []);

  const hasOne = links(text).length + files.length === 1;
  const source = `${text} ${files.map((it) => `${it.name} ${it.size}`).join()}`;
  // One source is looked into by itself; another source begins anew.
  useEffect(() => {
    setSeen(null);
    setError(null);
    if (!hasOne) return undefined;
    const controller = new AbortController();
    abort.current = controller;
    const timer = setTimeout(async () => {
      setBusy(true);
      try {
        const [one] = await sourcesOf(text, files);
        const found = await call("POST", "/torrents/inspect", one.body, { signal: controller.signal, isSlow: true });
        setSeen(found);
        setChosen(new Set(found.files.map((it) => it.index)));
      } catch (problem) {
        if (!controller.signal.aborted) setError(problem.message);
      } finally {
        if (!controller.signal.aborted) setBusy(false);
      }
    }, 150);
    return () => {
      clearTimeout(timer);
      controller.abort();
      setBusy(false);
    };
  }, [source]);

  const set = (key) => (value) => setOptions((now) => ({ ...now, [key]: value }));
  const add = async () => {
    const all = await sourcesOf(text, files);
    if (all.length === 0) {
      setError(text.trim() ? "This is neither a magnet link, nor an info-hash, nor an address of a .torrent file." : "Paste a link, or choose a file.");
      return;
    }
    const params = {
      paused: options.paused, sequential: options.sequential, storage: options.storage,
      labels: options.labels.split(",").map((it) => it.trim()).filter(Boolean),
    };
    if (options.folder.trim()) params.folder = options.folder.trim();
    if (seen && chosen.size < seen.files.length) params.files = [...chosen];
    remember("add", { storage: options.storage, labels: options.labels, folder: options.folder });
    setAdding(true);
    const failures = [];
    let added = null;
    for (const { name, body } of all) {
      try {
        // What was fetched to be looked at need not be fetched again.
        const known = all.length === 1 && seen?.torrent && body.link && !seen.is_known ? { torrent: seen.torrent } : body;
        added = await call("POST", "/torrents", { ...known, ...params }, { isSlow: true });
        sync.readSoon(added.id);
      } catch (problem) {
        failures.push(all.length > 1 ? `${shorten(name)}: ${problem.message}` : problem.message);
      }
    }
    setAdding(false);
    sync.refresh();
    if (failures.length > 0) {
      setError(failures.join(" "));
      return;
    }
    closeDialog();
    say(all.length === 1 ? `${added.name} was added.` : `${count(all.length, "torrent")} were added.`);
    if (all.length === 1 && options.storage === "memory") go(at.torrent(added.id, "stream"));
  };
  const pick = (event) => {
    setFiles([...event.currentTarget.files]);
    setText("");
    event.currentTarget.value = "";
  };
  const total = links(text).length + files.length;
  const isNothing = seen !== null && chosen.size === 0;
  const words = isAdding ? "Adding…" : total > 1 ? `Add ${total} torrents` : isBusy ? "Add without looking" : "Add";
  return html`<${Dialog} title="Add torrents" className="large" onClose=${closeDialog} onSubmit=${add}
    foot=${html`<button type="button" onClick=${closeDialog}>Cancel</button><button type="submit" class="first" id="add-now" disabled=${isAdding || isNothing || seen?.is_known}>${words}</button>`}>
    <div class="source">
      <label class="field" for="links"><span>Magnet link, info-hash, or address of a .torrent file</span>
        <textarea id="links" rows="2" spellcheck=${false} autofocus placeholder="magnet:?xt=urn:btih:…" value=${text} onInput=${(event) => setText(event.currentTarget.value)}></textarea></label>
      <label class="button file" for="files"><${Icon} name="file" size="16" /><span>${files.length > 0 ? "Other files…" : "Choose .torrent files…"}</span></label>
      <input id="files" type="file" class="hidden" accept=".torrent,application/x-bittorrent" multiple onChange=${pick} />
      ${files.length > 0 && html`<ul class="names">${files.map((it) => html`<li key=${it.name}><bdi>${it.name}</bdi><button type="button" class="quiet square" aria-label=${`Not ${it.name}`} onClick=${() => setFiles(files.filter((other) => other !== it))}><${Icon} name="close" size="14" /></button></li>`)}</ul>`}
    </div>
    <div role="status" class="look">${isBusy && html`<p class="wait">${links(text).some((it) => !/^https?:/i.test(it)) ? "Asks peers what is in it. This takes up to a minute; it can be added without waiting." : "Looks what is in it…"}</p>`}</div>
    ${error && html`<p class="bad" role="alert" id="add-error">${error}</p>`}
    ${seen && html`<${Seen} seen=${seen} chosen=${chosen} setChosen=${setChosen} />`}
    <details class="more" open=${seen !== null}><summary>Where and how</summary><div class="fields">
      <${Field} id="add-folder" label="Folder" hint="the data folder" value=${options.folder} onChange=${set("folder")} isText />
      <${Field} id="add-labels" label="Labels" hint="film, linux" value=${options.labels} onChange=${set("labels")} isText />
      <label class="field" for="add-storage"><span>Keep it</span><select id="add-storage" value=${options.storage} onChange=${(event) => set("storage")(event.currentTarget.value)}>
        <option value="disk">on the disk</option><option value="memory">in memory, only to watch</option></select></label>
      <div class="checks"><${Switch} id="add-paused" label="Add it paused" value=${options.paused} onChange=${set("paused")} />
      <${Switch} id="add-order" label="Fetch it in order" value=${options.sequential} onChange=${set("sequential")} /></div>
    </div></details>
  </${Dialog}>`;
}

function shorten(text) {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** What is in it, with a tick for each file. */
function Seen({ seen, chosen, setChosen }) {
  const [closed, setClosed] = useState(new Set());
  const tree = useMemo(() => grow(seen.files), [seen]);
  const open = useMemo(() => rows(tree, closed), [tree, closed]);
  const wanted = seen.files.filter((it) => chosen.has(it.index)).reduce((sum, it) => sum + it.size, 0);
  const set = (files, isOn) => {
    const next = new Set(chosen);
    for (const { index } of files) if (isOn) next.add(index); else next.delete(index);
    setChosen(next);
  };
  const fold = (path) => {
    const next = new Set(closed);
    if (!next.delete(path)) next.add(path);
    setClosed(next);
  };
  const draw = ({ folder, file, depth, key }, style) => html`<div key=${key} role="listitem" class="choice" style=${style}>
    <span class="choice-name" style=${{ paddingInlineStart: `${depth * 1.15}rem` }}>
      <${Tick} state=${folder ? choice(folder.all, chosen) : chosen.has(file.index)} label=${folder ? `All of ${folder.name}` : baseName(file.path)} onChange=${(isOn) => set(folder ? folder.all : [file], isOn)} />
      ${folder ? html`<button type="button" class="fold" aria-expanded=${closed.has(folder.path) ? "false" : "true"} onClick=${() => fold(folder.path)}><${Icon} name="open" size="14" /><bdi>${folder.name}</bdi></button>`
    : html`<bdi title=${baseName(file.path)}>${baseName(file.path)}</bdi>`}</span>
    <span class="number">${size((folder ?? file).size)}</span></div>`;
  return html`<section class="seen" aria-label="What is in it">
    <h3><bdi>${seen.name}</bdi></h3>
    ${seen.is_known ? html`<p class="warn">It is here already: <a href=${at.torrent(seen.id)} onClick=${closeDialog}>show it</a>.</p>` : html`<div class="seen-head">
      <${Tick} state=${choice(seen.files, chosen)} label="All files" onChange=${(isOn) => set(seen.files, isOn)} />
      <span id="wanted">${chosen.size === seen.files.length ? count(seen.files.length, "file") : `${chosen.size} of ${count(seen.files.length, "file")}`}, ${size(wanted)}${seen.is_private ? ", private" : ""}</span></div>
    <${Rows} items=${open} height=${ROW} draw=${draw} label="Files" className="choices" />`}
  </section>`;
}
