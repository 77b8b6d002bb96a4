// The files of a torrent: a tree with priorities, progress, and links to play them.

import { classes, html, useMemo, useState } from "./lib.js";
import { call, get } from "./api.js";
import { percent, size } from "./format.js";
import { Icon } from "./icons.js";
import { at } from "./router.js";
import { Rows } from "./rows.js";
import { act, useCanChange, usePoll } from "./state.js";
import { baseName, grow, isPlayable, rows, streamPath } from "./tree.js";
import { Bar, Blank } from "./ui.js";

const ROW = 44;
const PRIORITIES = [["skip", "Skip"], ["low", "Low"], ["normal", "Normal"], ["high", "High"]];

export function Files({ torrent }) {
  const { id } = torrent;
  const canChange = useCanChange();
  const hasFiles = torrent.file_count > 0;
  const [files, error, again] = usePoll(() => (hasFiles ? get(`/torrents/${id}/files`) : null), 1_500, `${id} ${hasFiles}`);
  const [closed, setClosed] = useState(new Set());
  const tree = useMemo(() => files && grow(files), [files]);
  const open = useMemo(() => tree && rows(tree, closed), [tree, closed]);
  if (!hasFiles) return html`<${Blank} title="The files are not known yet"><p>Peers send the list of files first. It takes seconds once some are found.</p></${Blank}>`;
  if (!files) return error ? html`<${Blank} title="The files cannot be shown" isBad><p>${error.message}</p></${Blank}>` : html`<p class="wait">Loading…</p>`;
  const set = (some, priority) => act(() => call("PATCH", `/torrents/${id}/files`, some.map(({ index }) => ({ index, priority })))).then(again);
  const toggle = (path) => {
    const next = new Set(closed);
    if (!next.delete(path)) next.add(path);
    setClosed(next);
  };
  const draw = (row, style) => (row.folder
    ? html`<${FolderRow} key=${row.key} row=${row} style=${style} isClosed=${closed.has(row.folder.path)} onToggle=${toggle} set=${set} canChange=${canChange} />`
    : html`<${FileRow} key=${row.key} row=${row} style=${style} id=${id} set=${set} canChange=${canChange} />`);
  const kept = files.filter((it) => it.priority !== "skip");
  return html`<p class="note">${kept.length === files.length ? `${files.length === 1 ? "1 file" : `All ${files.length} files`} wanted` : `${kept.length} of ${files.length} files wanted`},
      ${" "}${size(kept.reduce((sum, it) => sum + it.size, 0))}.${" "}
      <a href=${`/stream/${id}/playlist.m3u`}>Playlist for players</a></p>
    <${Rows} items=${open} height=${ROW} draw=${draw} label="Files" className="files-list" />`;
}

function indent(depth) {
  return { paddingInlineStart: `${0.75 + depth * 1.15}rem` };
}

export function share(files) {
  const all = files.reduce((sum, it) => sum + it.size, 0);
  return all === 0 ? 1 : files.reduce((sum, it) => sum + it.have, 0) / all;
}

function Priority({ value, label, onChange, canChange }) {
  return html`<select class=${classes("priority", value)} aria-label=${label} disabled=${!canChange} value=${value} onChange=${(event) => onChange(event.currentTarget.value)}>
    ${value === "" && html`<option value="">Mixed</option>`}
    ${PRIORITIES.map(([key, words]) => html`<option key=${key} value=${key}>${words}</option>`)}
  </select>`;
}

function FolderRow({ row, style, isClosed, onToggle, set, canChange }) {
  const { folder, depth } = row;
  const all = new Set(folder.all.map((it) => it.priority));
  const priority = all.size === 1 ? [...all][0] : "";
  const done = share(folder.all);
  return html`<div role="listitem" class="file-row folder" style=${style}>
    <div class="file-name" style=${indent(depth)}><button type="button" class="fold" aria-expanded=${isClosed ? "false" : "true"} onClick=${() => onToggle(folder.path)}>
      <${Icon} name="open" size="14" /><${Icon} name="folder" size="16" /><bdi>${folder.name}</bdi></button></div>
    <span class="number size">${size(folder.size)}</span>
    <span class="number done">${percent(done)}</span>
    <${Bar} share=${done} label=${`${folder.name}: done`} />
    <${Priority} value=${priority} label=${`Priority of everything in ${folder.name}`} canChange=${canChange} onChange=${(to) => set(folder.all, to)} />
    <span class="play"></span>
  </div>`;
}

function FileRow({ row, style, id, set, canChange }) {
  const { file, depth } = row;
  const name = baseName(file.path);
  const done = file.size > 0 ? file.have / file.size : 1;
  return html`<div role="listitem" class=${classes("file-row", file.priority === "skip" && "skipped")} style=${style}>
    <div class="file-name" style=${indent(depth)}><${Icon} name="file" size="16" /><a href=${streamPath(id, file)} title=${name} target="_blank" rel="noopener"><bdi>${name}</bdi></a></div>
    <span class="number size">${size(file.size)}</span>
    <span class="number done">${percent(done)}</span>
    <${Bar} share=${done} label=${`${name}: done`} />
    <${Priority} value=${file.priority} label=${`Priority of ${name}`} canChange=${canChange} onChange=${(to) => set([file], to)} />
    <span class="play">${isPlayable(name) && file.size > 0 && html`<a class="button square" href=${at.stream(id, file.index)} aria-label=${`Play ${name}`} title="Play"><${Icon} name="play" size="16" /></a>`}</span>
  </div>`;
}
