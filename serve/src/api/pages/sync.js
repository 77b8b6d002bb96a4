// Keeps the store as the daemon is: events as they come, every second what has changed of the torrents, and both again when
// a connection was lost.

import { ApiError, get, stream } from "./api.js";
import { applyEvent, mergeChanges, mergeList, put } from "./store.js";
import { backoff, EventReader } from "./sse.js";

// What a row shows.
const FIELDS = "id,number,name,state,state_progress,error,labels,queue_position,added,completed,size,have,left,progress," +
  "ratio,down_rate,up_rate,eta,is_stalled,peers,seeds,storage,on_demand,file_count";
/** The most torrents of one answer. */
const PAGE = 5_000;
const EVERY_MS = 1_000;
const HIDDEN_MS = 15_000;
// Between two looks at the figures there is so many times the time that one took, so that a large list leaves time to scroll.
const REST = 6;
// A connection that says nothing for so long is dead: the daemon sends a comment every 15 seconds.
const SILENCE_MS = 40_000;
// A page that was not looked at for so long stops to listen; it goes on where it was when it is looked at again.
const RESTS_AFTER_MS = 30_000;
// More changes than these at once are read as a list.
const MANY = 20;
const HISTORY = 120;

export function createSync(store, say) {
  let isRunning = false;
  let timer = null;
  let isReading = false;
  let lastId = null;
  let attempt = 0;
  let abort = null;
  let retryTimer = null;
  let restTimer = null;
  let isListening = false;
  let isResting = false;
  const waiting = new Set();
  let readTimer = null;
  // What the daemon is asked with for what has changed; 0 for everything.
  let revision = 0;

  function lost(error) {
    if (store.get().link.state !== "lost") store.set({ link: { state: "lost", since: Date.now(), why: error.message } });
  }

  function found() {
    if (store.get().link.state !== "open") store.set({ link: { state: "open" } });
  }

  async function readChanges() {
    let whole = null;
    for (;;) {
      const asked = revision;
      let page;
      try {
        page = await get(`/torrents?since=${asked}&limit=${PAGE}&fields=${FIELDS}`);
      } catch (error) {
        // A part of the whole list is nothing.
        if (whole) revision = 0;
        throw error;
      }
      if (!isRunning) return;
      // It is to begin anew since.
      if (revision !== asked) {
        whole = null;
        continue;
      }
      revision = page.revision;
      if (page.is_whole) whole = new Map();
      if (whole) whole = mergeChanges(whole, page);
      else change(mergeChanges(store.get().torrents, page));
      if (!page.has_more) break;
    }
    if (whole) change(mergeList(store.get().torrents, [...whole.values()]));
    if (!store.get().isLoaded) store.set({ isLoaded: true });
  }

  function change(torrents) {
    if (torrents !== store.get().torrents) store.set({ torrents });
  }

  function readAll() {
    revision = 0;
    return tick();
  }

  async function readStats() {
    const stats = await get("/stats");
    const now = store.get();
    const history = [...now.history, { at: Date.now() / 1000, down: stats.down_rate, up: stats.up_rate }].slice(-HISTORY);
    store.set({ stats, history });
  }

  async function tick() {
    if (!isRunning || isReading) return;
    isReading = true;
    clearTimeout(timer);
    const begun = performance.now();
    try {
      await Promise.all([readStats(), readChanges()]);
      found();
    } catch (error) {
      if (error instanceof ApiError && error.status !== 401) lost(error);
      else if (!(error instanceof ApiError)) throw error;
    } finally {
      isReading = false;
      const rest = document.hidden ? HIDDEN_MS : Math.max(EVERY_MS, (performance.now() - begun) * REST);
      if (isRunning) timer = setTimeout(tick, rest);
    }
  }

  function readSoon(id) {
    if (id) waiting.add(id);
    readTimer ??= setTimeout(async () => {
      readTimer = null;
      const ids = [...waiting];
      waiting.clear();
      try {
        if (ids.length > MANY) await tick();
        else {
          const read = await Promise.all(ids.map((id) => get(`/torrents/${id}`).catch((error) => {
            // It was removed meanwhile, and its event comes.
            if (error.status === 404) return null;
            throw error;
          })));
          for (const torrent of read) if (torrent) store.set((now) => ({ torrents: put(now.torrents, torrent) }));
        }
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
      }
    }, 60);
  }

  function take(event) {
    const change = { event: event.name, ...JSON.parse(event.data) };
    const effect = applyEvent(store.get().torrents, change);
    if (effect.torrents !== store.get().torrents) store.set({ torrents: effect.torrents });
    if (effect.say) say(effect.say.text, effect.say.isBad);
    if (effect.settings) store.set((now) => ({ settingsVersion: now.settingsVersion + 1 }));
    if (effect.labels) store.set((now) => ({ labelsVersion: now.labelsVersion + 1 }));
    if (effect.reload) readAll();
    if (effect.read) readSoon(effect.read);
    store.set({ lastChange: change });
  }

  async function listen() {
    if (isListening) return;
    isListening = true;
    clearTimeout(retryTimer);
    const reader = new EventReader();
    const controller = new AbortController();
    abort = controller;
    let silence = null;
    const listenOn = () => {
      clearTimeout(silence);
      silence = setTimeout(() => controller.abort(), SILENCE_MS);
    };
    let isRefused = false;
    try {
      listenOn();
      const chunks = await stream("/events", lastId, controller.signal);
      attempt = 0;
      for (;;) {
        const { value, done } = await chunks.read();
        if (done) break;
        listenOn();
        for (const event of reader.push(value)) {
          lastId = event.id ?? lastId;
          take(event);
        }
      }
    } catch (error) {
      isRefused = error.status === 401;
    } finally {
      clearTimeout(silence);
      isListening = false;
    }
    if (!isRunning || isRefused || isResting) return;
    retryTimer = setTimeout(listen, backoff(attempt));
    attempt += 1;
  }

  /** A browser has six connections to a server for all its tabs: one that is not looked at gives its own back. */
  function rest() {
    isResting = true;
    clearTimeout(retryTimer);
    abort?.abort();
  }

  return {
    start() {
      if (isRunning) return;
      isRunning = true;
      store.set({ link: { state: "connecting" } });
      // The daemon remembers more than this page has seen.
      get("/stats/rates").then(({ at, down, up }) => {
        const past = down.map((rate, index) => ({ at: at - (down.length - 1 - index), down: rate, up: up[index] }));
        store.set((now) => ({ history: [...past, ...now.history].slice(-HISTORY) }));
      }).catch(() => {});
      // What happens between this list and the first event is told by the number that the figures carry.
      get("/stats").then((stats) => {
        lastId = lastId ?? stats.newest_event;
        return tick();
      }).catch(() => tick()).finally(() => { if (isRunning) listen(); });
    },
    stop() {
      isRunning = false;
      clearTimeout(timer);
      clearTimeout(retryTimer);
      clearTimeout(restTimer);
      abort?.abort();
      lastId = null;
      revision = 0;
    },
    /** Looks now: something was changed here, or the page is looked at again. */
    refresh() {
      if (!isRunning) return;
      tick();
      clearTimeout(restTimer);
      isResting = false;
      if (!isListening) {
        attempt = 0;
        listen();
      }
    },
    /** The page is not looked at any more. */
    hide() {
      clearTimeout(restTimer);
      if (isRunning) restTimer = setTimeout(rest, RESTS_AFTER_MS);
    },
    readSoon,
  };
}
