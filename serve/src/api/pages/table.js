// The list of torrents: only the rows that can be seen are in the page.

import { classes, Component, html, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./lib.js";
import { ago, brief, percent, ratio, rate, size } from "./format.js";
import { Icon } from "./icons.js";
import { arrange, COLUMNS, doing, isStopped, NO_LABEL, STATES } from "./list.js";
import { at, go } from "./router.js";
import { everything, kept, moved, NOTHING, only, ranged, toggled } from "./selection.js";
import { act, actOnAll, api, openDialog, store, useCanChange, useStore } from "./state.js";
import { remember } from "./theme.js";
import { Bar, Tick } from "./ui.js";

// Rows beside those that are seen, so that a fast finger meets no gap.
const BESIDE = 6;
const NARROW = 720;

function rowHeight() {
  return innerWidth < NARROW ? 76 : 56;
}

function select(change) {
  store.set((now) => ({ selection: typeof change === "function" ? change(now.selection) : change }));
}

function setSort(sort) {
  remember("sort", sort);
  store.set({ sort });
}

export function Table() {
  const torrents = useStore((now) => now.torrents);
  const filter = useStore((now) => now.filter);
  const sort = useStore((now) => now.sort);
  const selection = useStore((now) => now.selection);
  const canChange = useCanChange();
  const before = useRef([]);
  const listed = useMemo(() => arrange(torrents, filter, sort, before.current), [torrents, filter, sort]);
  before.current = listed;
  const order = useMemo(() => listed.map((it) => it.id), [listed]);
  const [view, setView] = useState({ first: 0, count: 30, height: rowHeight() });
  const scroller = useRef();

  const look = () => {
    const height = rowHeight();
    const { scrollTop, clientHeight } = scroller.current;
    const first = Math.max(0, Math.floor(scrollTop / height) - BESIDE);
    const count = Math.ceil(clientHeight / height) + 2 * BESIDE;
    setView((was) => (was.first === first && was.count === count && was.height === height ? was : { first, count, height }));
  };
  useLayoutEffect(() => {
    look();
    const observer = new ResizeObserver(look);
    observer.observe(scroller.current);
    return () => observer.disconnect();
  }, []);
  // Another filter or order begins at its top.
  useLayoutEffect(() => {
    scroller.current.scrollTop = 0;
    look();
  }, [filter, sort]);
  useEffect(() => { select((was) => kept(was, (id) => torrents.has(id))); }, [torrents]);

  const reveal = (id) => {
    const row = order.indexOf(id);
    if (row < 0) return;
    const head = scroller.current.querySelector(".head").offsetHeight;
    const [top, bottom] = [row * view.height, (row + 1) * view.height];
    if (top < scroller.current.scrollTop) scroller.current.scrollTop = top;
    else if (bottom + head > scroller.current.scrollTop + scroller.current.clientHeight) {
      scroller.current.scrollTop = bottom + head - scroller.current.clientHeight;
    }
    look();
  };

  const key = (event) => {
    if (event.target !== scroller.current) return;
    const page = Math.max(1, Math.floor(scroller.current.clientHeight / view.height) - 2);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -order.length, End: order.length }[event.key];
    const isCommand = event.ctrlKey || event.metaKey;
    const at_ = selection.at;
    if (step !== undefined) {
      const next = moved(selection, step, order, event.shiftKey);
      select(next);
      reveal(next.at);
    } else if (event.key === " " && at_) select(event.shiftKey ? ranged(selection, at_, order) : toggled(selection, at_));
    else if (event.key === "a" && isCommand) select(everything(selection, order));
    else if (event.key === "Escape") select({ ...NOTHING, at: at_ });
    else if (event.key === "Enter" && at_) go(at.torrent(at_));
    else if (event.key === "Delete" && canChange) askToRemove(chosen(selection));
    else if (event.key === "p" && !isCommand && canChange) pauseOrResume(chosen(selection));
    else return;
    event.preventDefault();
  };

  // The same function for good, so that rows that did not change are not drawn again.
  const live = useRef();
  live.current = order;
  const click = useCallback((event, id) => {
    if (event.target.closest("button, input")) return;
    const now = store.get().selection;
    const isLink = event.target.closest("a");
    if (event.shiftKey) {
      event.preventDefault();
      select(ranged(now, id, live.current));
    } else if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      select(toggled(now, id));
    } else if (!isLink && innerWidth < NARROW) go(at.torrent(id));
    else if (!isLink) select(only(id));
    if (!isLink) scroller.current.focus({ preventScroll: true });
  }, []);

  const shown = listed.slice(view.first, view.first + view.count);
  const isAll = selection.ids.size === 0 ? false : order.every((id) => selection.ids.has(id)) ? "all" : "some";
  const hasActive = shown.some((it) => it.id === selection.at);
  return html`<div class="grid" role="grid" aria-label="Torrents" aria-rowcount=${listed.length + 1} aria-multiselectable="true" tabindex="0"
      id="torrents" ref=${scroller} onScroll=${look} onKeyDown=${key} aria-activedescendant=${hasActive ? `row-${selection.at}` : null}>
    <div class="head" role="rowgroup"><div class="row" role="row" aria-rowindex="1">
      <div role="columnheader" class="tick"><span class="hidden">Selected</span><${Tick} state=${isAll} label="Select all torrents"
        onChange=${(isOn) => select(isOn ? everything(selection, order) : { ...NOTHING, at: selection.at })} /></div>
      ${COLUMNS.map((it) => html`<${Head} key=${it.key} column=${it} sort=${sort} />`)}
      <div role="columnheader" class="acts"><span class="hidden">Actions</span></div>
    </div></div>
    <div class="rows" role="rowgroup" style=${{ height: `${listed.length * view.height}px` }}>
      ${shown.map((it, index) => html`<${Row} key=${it.id} torrent=${it} index=${view.first + index} height=${view.height} canChange=${canChange}
        isSelected=${selection.ids.has(it.id)} isActive=${selection.at === it.id} onClick=${click} />`)}
    </div>
    ${listed.length === 0 && html`<${NothingFound} />`}
  </div>`;
}

function NothingFound() {
  const clear = () => store.set({ filter: { state: "all", label: "", search: "" } });
  return html`<div class="blank inside"><h3>No torrent passes this filter</h3><p><button type="button" onClick=${clear}>Show all torrents</button></p></div>`;
}

function Head({ column, sort }) {
  const isSorted = sort.key === column.key;
  const next = { key: column.key, isDown: isSorted ? !sort.isDown : column.down === true };
  return html`<div role="columnheader" class=${classes("cell", column.key)} aria-sort=${isSorted ? (sort.isDown ? "descending" : "ascending") : null}>
    <button type="button" class="sort" title=${column.title ?? null} aria-label=${column.title ? `${column.label}: ${column.title}` : null}
      onClick=${() => setSort(next)}>${column.label}<span class="arrow" aria-hidden="true">${isSorted ? (sort.isDown ? "↓" : "↑") : ""}</span></button>
  </div>`;
}

/** Drawn again only when what it shows is another. */
class Row extends Component {
  shouldComponentUpdate(next) {
    const now = this.props;
    return ["torrent", "index", "height", "isSelected", "isActive", "canChange"].some((key) => now[key] !== next[key]);
  }

  render({ torrent: it, index, height, isSelected, isActive, canChange, onClick }) {
    const isStill = isStopped(it);
    const words = doing(it);
    const isKnown = it.size > 0;
    const toggle = () => act(() => (isStill ? api.resume(it.id) : api.pause(it.id)));
    return html`<div class=${classes("row", isSelected && "selected", isActive && "active")} role="row" id=${`row-${it.id}`} aria-rowindex=${index + 2}
        aria-selected=${isSelected ? "true" : "false"} style=${{ transform: `translateY(${index * height}px)` }}
        onClick=${(event) => onClick(event, it.id)} onDblClick=${(event) => { if (!event.target.closest("button, input")) go(at.torrent(it.id)); }}>
      <div role="gridcell" class="tick"><${Tick} state=${isSelected} label=${`Select ${it.name}`} tabindex="-1" onChange=${() => select((was) => toggled(was, it.id))} /></div>
      <div role="gridcell" class="cell queue">${it.queue_position}</div>
      <div role="gridcell" class="cell name">
        <a href=${at.torrent(it.id)} tabindex="-1" title=${it.name} draggable=${false}><bdi>${it.name}</bdi></a>
        <small><i class=${classes("dot", it.state, it.is_stalled && !it.on_demand && "stalled")}></i><span class=${classes("words", it.state === "error" && "bad")}>${words}</span>
          <span class="short">${short(it)}</span>${it.labels.map((label) => html`<span key=${label} class="chip">${label}</span>`)}</small>
      </div>
      <div role="gridcell" class="cell progress"><span>${isKnown ? percent(it.progress) : "–"}</span><${Bar} share=${it.progress} state=${it.state} label=${`${it.name}: done`} /></div>
      <div role="gridcell" class="cell size">${isKnown ? size(it.size) : "–"}</div>
      <div role="gridcell" class=${classes("cell down", it.down_rate > 0 && "live")}>${it.down_rate > 0 ? rate(it.down_rate) : "–"}</div>
      <div role="gridcell" class=${classes("cell up", it.up_rate > 0 && "live")}>${it.up_rate > 0 ? rate(it.up_rate) : "–"}</div>
      <div role="gridcell" class="cell eta">${it.eta == null ? "–" : brief(it.eta)}</div>
      <div role="gridcell" class="cell peers">${it.peers}</div>
      <div role="gridcell" class="cell ratio">${ratio(it.ratio)}</div>
      <div role="gridcell" class="cell added">${ago(it.added)}</div>
      <div role="gridcell" class="acts">${canChange && html`<button type="button" class="quiet square" tabindex="-1" aria-label=${`${isStill ? "Resume" : "Pause"} ${it.name}`}
        title=${isStill ? "Resume" : "Pause"} onClick=${toggle}><${Icon} name=${isStill ? "play" : "pause"} /></button>`}</div>
    </div>`;
  }
}

/** What a narrow row says besides its state. */
function short(it) {
  const rates = [it.down_rate > 0 && `↓ ${rate(it.down_rate)}`, it.up_rate > 0 && `↑ ${rate(it.up_rate)}`];
  const done = it.size > 0 ? (it.progress >= 1 ? size(it.size) : `${percent(it.progress)} of ${size(it.size)}`) : null;
  return [done, ...rates, it.eta != null && `${brief(it.eta)} left`].filter(Boolean).join(" · ");
}

function chosen(selection) {
  return selection.ids.size > 0 ? [...selection.ids] : selection.at ? [selection.at] : [];
}

function pauseOrResume(ids) {
  const { torrents } = store.get();
  const areStill = ids.every((id) => isStopped(torrents.get(id)));
  actOnAll(ids, areStill ? api.resume : api.pause);
}

export function askToRemove(ids) {
  if (ids.length > 0) openDialog({ kind: "remove", ids });
}

/** Above the list: search and filters, or what can be done with the selection. */
export function Tools({ counts }) {
  const selection = useStore((now) => now.selection);
  const filter = useStore((now) => now.filter);
  const sort = useStore((now) => now.sort);
  const total = useStore((now) => now.torrents.size);
  const set = (change) => store.set((now) => ({ filter: { ...now.filter, ...change } }));
  const state = STATES.find((it) => it.key === filter.state);
  const title = filter.label === NO_LABEL ? "Without a label" : filter.label || (filter.state === "all" ? "Torrents" : state.label);
  const hasSelection = selection.ids.size > 0;
  return html`<div class="tools">
    <h1 class=${classes("title", hasSelection && "hidden")}>${title}</h1>
    ${hasSelection ? html`<${Chosen} ids=${selection.ids} />` : html`
      <div class="search"><${Icon} name="search" size="16" /><input type="search" id="search" aria-label="Search by name" placeholder="Search" autocomplete="off" spellcheck=${false}
        value=${filter.search} onInput=${(event) => set({ search: event.currentTarget.value })} /></div>
      <select class="only-narrow" aria-label="State" value=${filter.state} onChange=${(event) => set({ state: event.currentTarget.value, label: "" })}>
        ${STATES.map((it) => html`<option key=${it.key} value=${it.key}>${it.label} (${counts.states[it.key]})</option>`)}
      </select>
      ${counts.labels.length > 0 && html`<select class="only-narrow" aria-label="Label" value=${filter.label} onChange=${(event) => set({ label: event.currentTarget.value })}>
        <option value="">All labels</option>${counts.labels.map(([label]) => html`<option key=${label} value=${label}>${label}</option>`)}
      </select>`}
      <select class="only-narrow" aria-label="Sort by" value=${`${sort.key} ${sort.isDown}`} onChange=${(event) => {
        const [sortKey, isDown] = event.currentTarget.value.split(" ");
        setSort({ key: sortKey, isDown: isDown === "true" });
      }}>
        ${COLUMNS.flatMap((it) => [it.down === true, it.down !== true].map((isDown) => html`<option key=${it.key + isDown} value=${`${it.key} ${isDown}`}>
          ${it.key === "queue" ? "Queue" : it.label} ${isDown ? "↓" : "↑"}</option>`))}
      </select>
      <p class="total" id="count">${total > 0 && count(filter, counts, total)}</p>`}
  </div>`;
}

function count(filter, counts, total) {
  const isAll = filter.state === "all" && !filter.label && !filter.search;
  return isAll ? `${total} in all` : filter.search ? "" : `${filter.label ? "" : `${counts.states[filter.state]} of `}${total}`;
}

function Chosen({ ids }) {
  const torrents = useStore((now) => now.torrents);
  const canChange = useCanChange();
  const all = [...ids].map((id) => torrents.get(id)).filter(Boolean);
  const still = all.filter(isStopped).map((it) => it.id);
  const running = all.filter((it) => !isStopped(it)).map((it) => it.id);
  const clear = () => {
    select((was) => ({ ...NOTHING, at: was.at }));
    document.getElementById("torrents")?.focus();
  };
  const button = (icon, words, run, isOff = false, isBad = false) => html`<button type="button" class=${classes(isBad && "bad")} disabled=${isOff} onClick=${run}><${Icon} name=${icon} size="16" /><span>${words}</span></button>`;
  return html`<div class="chosen" role="toolbar" aria-label="Selected torrents">
    <button type="button" class="quiet square" aria-label="Clear the selection" onClick=${clear}><${Icon} name="close" size="16" /></button>
    <strong aria-live="polite">${ids.size} selected</strong>
    ${canChange && html`<span class="buttons">
      ${button("pause", "Pause", () => actOnAll(running, api.pause), running.length === 0)}
      ${button("play", "Resume", () => actOnAll(still, api.resume), still.length === 0)}
      ${button("label", "Labels", () => openDialog({ kind: "labels", ids: [...ids] }))}
      ${button("recheck", "Recheck", () => actOnAll([...ids], api.recheck, "The check has begun."))}
      ${button("announce", "Find peers", () => actOnAll([...ids], api.announce, "The trackers will be asked."))}
      ${button("up", "Top of the queue", () => toTop(all))}
      ${button("trash", "Remove", () => askToRemove([...ids]), false, true)}
    </span>`}
  </div>`;
}

/** In the order that they have, from place 1 on. */
function toTop(all) {
  const order = [...all].sort((a, b) => b.queue_position - a.queue_position).map((it) => it.id);
  return act(async () => {
    for (const id of order) await api.change(id, { queue_position: 1 });
  }, "They are first in the queue.");
}
