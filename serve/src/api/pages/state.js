// The one store of the page, and the hooks that read it.

import { call } from "./api.js";
import { useEffect, useRef, useState } from "./lib.js";
import { NOTHING } from "./selection.js";
import { createStore } from "./store.js";
import { createSync } from "./sync.js";
import { recall } from "./theme.js";

export const store = createStore({
  // "unknown", "in" or "out".
  login: "unknown",
  me: null,
  refusal: null,
  link: { state: "connecting" },
  isLoaded: false,
  torrents: new Map(),
  stats: null,
  history: [],
  settingsVersion: 0,
  labelsVersion: 0,
  lastChange: null,
  filter: { state: "all", label: "", search: "" },
  sort: recall("sort", { key: "added", isDown: true }),
  selection: NOTHING,
  notices: [],
  dialog: null,
});

let noticeNumber = 0;

/** Says something to the person, for a while; errors stay until they are dismissed, or newer ones push them out. */
export function say(text, isBad = false) {
  noticeNumber += 1;
  const notice = { key: noticeNumber, text, isBad };
  const others = store.get().notices.filter((it) => it.text !== text);
  store.set({ notices: [...others, notice].slice(-4) });
  setTimeout(() => dismiss(notice.key), isBad ? 20_000 : 5_000);
}

export function dismiss(key) {
  store.set((now) => ({ notices: now.notices.filter((it) => it.key !== key) }));
}

export const sync = createSync(store, say);

/** A part of the store; the view is drawn again when that part is another. */
export function useStore(select) {
  const [, draw] = useState(0);
  const latest = useRef();
  latest.current = { select, value: select(store.get()) };
  useEffect(() => {
    const look = (now) => {
      if (latest.current.select(now) !== latest.current.value) draw((n) => n + 1);
    };
    const leave = store.subscribe(look);
    // It may have changed since the view was drawn.
    look(store.get());
    return leave;
  }, []);
  return latest.current.value;
}

/** Whether this browser may change anything. */
export function useCanChange() {
  return useStore((now) => now.me?.is_read_only !== true);
}

/** Reads something now and every so often while the view is shown: [value, error, again]. */
export function usePoll(read, every, key) {
  const [state, setState] = useState({ key: null, value: null, error: null });
  const again = useRef(() => {});
  useEffect(() => {
    let isOver = false;
    let timer = null;
    const look = async () => {
      clearTimeout(timer);
      try {
        if (!document.hidden) {
          const value = await read();
          if (!isOver) setState({ key, value, error: null });
        }
      } catch (error) {
        if (!isOver) setState((before) => ({ key, value: before.key === key ? before.value : null, error }));
      }
      if (!isOver && every) timer = setTimeout(look, every);
    };
    again.current = look;
    look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [key]);
  const isOld = state.key !== key;
  return [isOld ? null : state.value, isOld ? null : state.error, () => again.current()];
}

/** Does something, and tells the person what went wrong. Whether it went well. */
export async function act(work, done) {
  try {
    await work();
    if (done) say(done);
    return true;
  } catch (error) {
    say(error.message, true);
    return false;
  } finally {
    sync.refresh();
  }
}

/** Does the same to several torrents, and sums up what went wrong. */
export async function actOnAll(ids, work, done) {
  const failures = [];
  const queue = [...ids];
  const worker = async () => {
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
      try {
        await work(id);
      } catch (error) {
        failures.push(error.message);
      }
    }
  };
  // A browser opens six connections to a server; some are left for the rest of the page.
  await Promise.all([worker(), worker(), worker()]);
  if (failures.length > 0) {
    const others = failures.length > 1 ? ` (and ${failures.length - 1} more like it)` : "";
    say(`${failures[0]}${others}`, true);
  } else if (done) say(done);
  for (const id of [...ids].slice(0, 50)) sync.readSoon(id);
  sync.refresh();
}

export function openDialog(dialog) {
  store.set({ dialog });
}

export function closeDialog() {
  store.set({ dialog: null });
}

export const api = {
  pause: (id) => call("POST", `/torrents/${id}/pause`),
  resume: (id) => call("POST", `/torrents/${id}/resume`),
  recheck: (id) => call("POST", `/torrents/${id}/recheck`),
  announce: (id) => call("POST", `/torrents/${id}/reannounce`),
  change: (id, patch) => call("PATCH", `/torrents/${id}`, patch),
  move: (id, folder) => call("POST", `/torrents/${id}/move`, { folder }),
  remove: (id, deleteFiles) => call("DELETE", `/torrents/${id}?delete_files=${deleteFiles}`),
};
