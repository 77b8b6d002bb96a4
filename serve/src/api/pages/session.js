// Logged in or not.

import { call, get, setCsrf, whenRefused } from "./api.js";
import { say, store, sync } from "./state.js";

/** With what the daemon says of us: in, or to the login. */
export function enter(me) {
  setCsrf(me.csrf ?? null);
  if (me.is_admitted === false) {
    store.set({ login: "out", me: null });
    return;
  }
  store.set({ login: "in", me, refusal: null });
  sync.start();
}

export async function begin() {
  whenRefused(() => {
    if (store.get().login !== "in") return;
    sync.stop();
    setCsrf(null);
    store.set({ login: "out", me: null, refusal: "The login has ended.", torrents: new Map(), isLoaded: false, dialog: null });
  });
  for (let wait = 1_000; ; wait = Math.min(wait * 2, 15_000)) {
    try {
      enter(await get("/whoami"));
      return;
    } catch (error) {
      if (error.status === 401) {
        store.set({ login: "out" });
        return;
      }
      store.set({ link: { state: "lost", since: Date.now(), why: error.message } });
    }
    await new Promise((resolve) => { setTimeout(resolve, wait); });
  }
}

export async function leave() {
  try {
    await call("POST", "/logout");
  } catch (error) {
    say(error.message, true);
    return;
  }
  sync.stop();
  setCsrf(null);
  store.set({ login: "out", me: null, refusal: "You are logged out.", torrents: new Map(), stats: null, history: [], isLoaded: false, dialog: null });
}
