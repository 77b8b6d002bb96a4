// The frame around every view: head, filters, what is said, dialogs.

import { classes, html, useEffect, useMemo, useState } from "./lib.js";
import { useDrops } from "./add.js";
import { Details } from "./details.js";
import { Dialogs } from "./dialogs.js";
import { duration, size, whole } from "./format.js";
import { Icon } from "./icons.js";
import { NO_LABEL, STATES, tally } from "./list.js";
import { Login } from "./login.js";
import { at, parse } from "./router.js";
import { leave } from "./session.js";
import { Settings } from "./settings.js";
import { openDialog, store, sync, useCanChange, useStore } from "./state.js";
import { Table, Tools } from "./table.js";
import { setTheme, theme } from "./theme.js";
import { Guard, Menu, Notices } from "./ui.js";

function useRoute() {
  const [route, setRoute] = useState(parse(location.hash));
  useEffect(() => {
    const change = () => setRoute(parse(location.hash));
    addEventListener("hashchange", change);
    return () => removeEventListener("hashchange", change);
  }, []);
  return route;
}

export function App() {
  const login = useStore((now) => now.login);
  const route = useRoute();
  if (login === "out") return html`<${Login} /><${Notices} />`;
  if (login === "unknown") return html`<${Lost} /><p class="wait center">Connecting…</p>`;
  return html`<${Frame} route=${route} /><${Notices} /><${Dialogs} />`;
}

function Frame({ route }) {
  const torrents = useStore((now) => now.torrents);
  const canChange = useCanChange();
  const counts = useMemo(() => tally(torrents), [torrents]);
  const isDropping = useDrops();
  useEffect(() => {
    if (route.page === "torrent") return;
    document.title = route.page === "settings" ? "Settings · tailwater" : "tailwater";
  }, [route.page]);
  useEffect(() => {
    if (route.link && canChange) {
      history.replaceState(null, "", at.list);
      openDialog({ kind: "add", text: route.link });
    }
  }, [route.link]);
  useKeys(route);
  return html`<a class="skip-link" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>Skip to the content</a>
    <${Head} route=${route} />
    <${Lost} />
    <div class=${classes("body", route.page)}>
      ${route.page === "list" && html`<${Side} counts=${counts} />`}
      <main id="main" tabindex="-1">
        <${Guard} of=${`${route.page} ${route.id} ${route.tab}`}>
          ${route.page === "list" && html`<${List} counts=${counts} />`}
          ${route.page === "torrent" && html`<${Details} key=${route.id} route=${route} />`}
          ${route.page === "settings" && html`<${Settings} />`}
        </${Guard}>
      </main>
    </div>
    ${isDropping && html`<div class="drop-zone"><p><${Icon} name="drop" size="32" />Drop .torrent files here</p></div>`}`;
}

/** Keys that work everywhere but where text is written. */
function useKeys(route) {
  useEffect(() => {
    const key = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || store.get().dialog) return;
      if (event.target.closest("input, textarea, select, dialog, video")) return;
      if (event.key === "/" && route.page === "list") document.getElementById("search")?.focus();
      else if (event.key === "n" && store.get().me?.is_read_only !== true) openDialog({ kind: "add", text: "" });
      else if (event.key === "?") openDialog({ kind: "keys" });
      else if (event.key === "Escape" && route.page !== "list") location.hash = at.list;
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, [route.page]);
}

function Head({ route }) {
  const stats = useStore((now) => now.stats);
  const me = useStore((now) => now.me);
  const canChange = useCanChange();
  const [name, setName] = useState(theme());
  const choose = (next) => {
    setTheme(next);
    setName(next);
  };
  const items = [
    { label: "Light", icon: "sun", isOn: name === "light", run: () => choose("light") },
    { label: "Dark", icon: "moon", isOn: name === "dark", run: () => choose("dark") },
    { label: "As the system", icon: "system", isOn: name === "system", run: () => choose("system") },
    null,
    { label: "Keys", icon: "menu", run: () => openDialog({ kind: "keys" }) },
    { label: "Log out", icon: "log_out", run: leave, hidden: !me?.token_name },
  ];
  return html`<header class="bar-top">
    <a class="brand" href=${at.list} aria-label="tailwater: all torrents"><img src="/icon.svg" alt="" width="28" height="28" /><span>tailwater</span></a>
    <p class="rates" aria-label="Rates of all torrents">${stats && html`<span class=${classes("down", stats.down_rate > 0 && "live")} title="Download"><span aria-hidden="true">↓</span> ${size(stats.down_rate)}<span class="per">/s</span></span>
      <span class=${classes("up", stats.up_rate > 0 && "live")} title="Upload"><span aria-hidden="true">↑</span> ${size(stats.up_rate)}<span class="per">/s</span></span>`}</p>
    ${stats?.are_limits_alternative && html`<a class="chip" href=${at.settings} title="The alternative limits hold">Slower hours</a>`}
    ${me?.is_read_only && html`<span class="chip" id="read-only">Read only</span>`}
    <nav aria-label="Daemon">
      ${canChange && html`<button type="button" class="first" id="add" aria-label="Add torrents" onClick=${() => openDialog({ kind: "add", text: "" })}><${Icon} name="plus" size="16" /><span>Add</span></button>`}
      <a class=${classes("button quiet square", route.page === "settings" && "on")} href=${route.page === "settings" ? at.list : at.settings} aria-label="Settings" title="Settings" aria-current=${route.page === "settings" ? "page" : null}><${Icon} name="gear" /></a>
      <${Menu} label="Appearance and more" className="quiet square" items=${items}><${Icon} name=${name === "dark" ? "moon" : name === "light" ? "sun" : "system"} /></${Menu}>
    </nav>
  </header>`;
}

/** The connection is gone: since when, and that it is being mended. */
function Lost() {
  const link = useStore((now) => now.link);
  const [, draw] = useState(0);
  useEffect(() => {
    if (link.state !== "lost") return undefined;
    const timer = setInterval(() => draw((n) => n + 1), 1_000);
    return () => clearInterval(timer);
  }, [link.state]);
  return html`<div class="lost" role="alert" id="lost">${link.state === "lost" && html`<p><strong>No connection to the daemon</strong>
    <span>for ${duration((Date.now() - link.since) / 1000)}. It is tried again by itself; what you see may be old.</span>
    <button type="button" onClick=${() => sync.refresh()}>Try now</button></p>`}</div>`;
}

function List({ counts }) {
  const isLoaded = useStore((now) => now.isLoaded);
  const number = useStore((now) => now.torrents.size);
  if (!isLoaded) return html`<p class="wait center">Loading…</p>`;
  if (number === 0) return html`<${Empty} />`;
  return html`<${Tools} counts=${counts} /><${Table} />`;
}

function Empty() {
  const canChange = useCanChange();
  return html`<div class="empty" id="empty"><img src="/icon.svg" alt="" width="64" height="64" />
    <h1>No torrents yet</h1>
    ${canChange ? html`<ol>
      <li><strong>Drop</strong> a .torrent file anywhere on this page, or paste a magnet link.</li>
      <li><strong>Choose</strong> the files that you want, and where they go.</li>
      <li><strong>Watch</strong> at once: a film plays while it comes.</li>
    </ol>
    <button type="button" class="first large" onClick=${() => openDialog({ kind: "add", text: "" })}><${Icon} name="plus" size="18" /><span>Add a torrent</span></button>
    <p class="soft">Or from a shell: <code>tailwater ctl add FILE</code></p>` : html`<p>This login may only look. Another token can add torrents.</p>`}
  </div>`;
}

function Side({ counts }) {
  const filter = useStore((now) => now.filter);
  const stats = useStore((now) => now.stats);
  const torrents = useStore((now) => now.torrents);
  const set = (change) => store.set((now) => ({ filter: { ...now.filter, ...change } }));
  const noLabel = useMemo(() => [...torrents.values()].filter((it) => it.labels.length === 0).length, [torrents]);
  const entry = (key, words, number, isOn, run, dot) => html`<li key=${key}><button type="button" aria-pressed=${isOn ? "true" : "false"} onClick=${run}>
    ${dot}<span>${words}</span><span class="number">${whole(number)}</span></button></li>`;
  return html`<aside class="side" aria-label="Filters">
    <h2 class="hidden">States</h2>
    <ul>${STATES.filter((it) => !it.rare || counts.states[it.key] > 0 || filter.state === it.key).map((it) => entry(it.key, it.label, counts.states[it.key],
      filter.state === it.key && !filter.label, () => set({ state: it.key, label: "" }), html`<i class=${classes("dot", it.key)}></i>`))}</ul>
    ${counts.labels.length > 0 && html`<h2>Labels</h2><ul>
      ${counts.labels.map(([label, number]) => entry(label, html`<bdi>${label}</bdi>`, number, filter.label === label, () => set({ label, state: "all" }), html`<${Icon} name="label" size="14" />`))}
      ${noLabel > 0 && entry("none", "Without", noLabel, filter.label === NO_LABEL, () => set({ label: NO_LABEL, state: "all" }), html`<${Icon} name="none" size="14" />`)}
    </ul>`}
    ${stats && html`<${Spark} />
      <dl><div><dt>Peers</dt><dd>${whole(stats.peers)}</dd></div><div><dt>Received</dt><dd>${size(stats.downloaded)}</dd></div><div><dt>Sent</dt><dd>${size(stats.uploaded)}</dd></div>
      ${stats.memory_used > 0 && html`<div><dt>Memory</dt><dd>${size(stats.memory_used)}</dd></div>`}</dl>`}
  </aside>`;
}

/** The rates of the last two minutes, small. */
function Spark() {
  const history = useStore((now) => now.history);
  const most = history.reduce((top, it) => Math.max(top, it.down, it.up), 16 * 1024);
  const path = (key) => history.map((it, index) => `${index === 0 ? "M" : "L"}${(120 - history.length + index).toFixed(0)} ${(39 - (it[key] / most) * 38).toFixed(1)}`).join("");
  return html`<svg class="spark" viewBox="0 0 120 40" preserveAspectRatio="none" role="img" aria-label="Rates of the last two minutes"><path class="down" d=${path("down")} /><path class="up" d=${path("up")} /></svg>`;
}
