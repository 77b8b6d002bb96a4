// What the page knows, in one place; and pure functions that merge what the daemon says into it.

/** A value that tells its readers when it changes. */
export function createStore(initial) {
  let value = initial;
  const readers = new Set();
  return {
    get: () => value,
    set(change) {
      const next = { ...value, ...(typeof change === "function" ? change(value) : change) };
      value = next;
      for (const reader of readers) reader(next);
    },
    subscribe(reader) {
      readers.add(reader);
      return () => readers.delete(reader);
    },
  };
}

function isSame(a, b) {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((it, at) => isSame(it, b[at]));
  return false;
}

/** A torrent with newer fields; the very same object if nothing differs, so that its row need not be drawn. */
export function mergeTorrent(known, news) {
  if (!known) return news;
  for (const key in news) {
    if (!isSame(known[key], news[key])) return { ...known, ...news };
  }
  return known;
}

/** Torrents by id with a newer list, which has every torrent: what it lacks is gone. The same map comes back if nothing differs. */
export function mergeList(torrents, list) {
  let differs = torrents.size !== list.length;
  const next = new Map();
  for (const news of list) {
    const known = torrents.get(news.id);
    const merged = mergeTorrent(known, news);
    if (merged !== known) differs = true;
    next.set(news.id, merged);
  }
  return differs ? next : torrents;
}

/** Torrents by id with those that have changed and without those that are gone. The same map comes back if nothing differs. */
export function mergeChanges(torrents, { torrents: changed, removed }) {
  let next = torrents;
  const copy = () => { if (next === torrents) next = new Map(torrents); };
  for (const id of removed) {
    if (next.has(id)) {
      copy();
      next.delete(id);
    }
  }
  for (const news of changed) {
    const merged = mergeTorrent(next.get(news.id), news);
    if (merged !== next.get(news.id)) {
      copy();
      next.set(news.id, merged);
    }
  }
  return next;
}

/** One torrent is there or has changed. */
export function put(torrents, torrent) {
  const merged = mergeTorrent(torrents.get(torrent.id), torrent);
  return merged === torrents.get(torrent.id) ? torrents : new Map(torrents).set(torrent.id, merged);
}

/** One torrent is gone. */
export function without(torrents, id) {
  if (!torrents.has(id)) return torrents;
  const next = new Map(torrents);
  next.delete(id);
  return next;
}

/**
 * What an event of the daemon means: the torrents as they are known at once, which torrent to read again, what to say.
 */
export function applyEvent(torrents, change) {
  const id = change.torrent ?? null;
  const known = id && torrents.get(id);
  const name = known ? known.name : change.name;
  switch (change.event) {
    case "reset": return { torrents, reload: true };
    case "removed": return { torrents: without(torrents, id) };
    case "settings_changed": return { torrents, settings: true };
    case "label_changed": return { torrents, labels: true };
    case "warning": return { torrents, read: id, say: { text: `${name ?? "A torrent"}: ${change.warning}`, isBad: true } };
    case "seeding_done": return { torrents, read: id, say: { text: `${name ?? "A torrent"} has seeded enough, and is paused.` } };
    case "save_failed": return { torrents, say: { text: change.error, isBad: true } };
    case "failed": return {
      torrents: known ? put(torrents, { id, state: "error", error: change.error }) : torrents,
      read: id, say: { text: `${name ?? "A torrent"}: ${change.error}`, isBad: true },
    };
    case "completed": return { torrents, read: id, say: { text: `${name ?? "A torrent"} is complete.` } };
    default: return { torrents, read: id };
  }
}
