// Which torrents are listed, and in which order. Pure.

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
const last = Number.MAX_VALUE;

const numeric = (read) => (a, b) => read(a) - read(b);

/** The columns: what they are called, how they sort, and which way first. */
export const COLUMNS = [
  { key: "queue", label: "#", title: "Place in the queue", by: numeric((it) => it.queue_position) },
  { key: "name", label: "Name", by: (a, b) => collator.compare(a.name, b.name) },
  { key: "progress", label: "Done", down: true, by: numeric((it) => it.progress) },
  { key: "size", label: "Size", down: true, by: numeric((it) => it.size) },
  { key: "down", label: "Down", title: "Download rate", down: true, by: numeric((it) => it.down_rate) },
  { key: "up", label: "Up", title: "Upload rate", down: true, by: numeric((it) => it.up_rate) },
  { key: "eta", label: "Left", title: "Time until it is complete", by: numeric((it) => it.eta ?? last) },
  { key: "peers", label: "Peers", down: true, by: numeric((it) => it.peers) },
  { key: "ratio", label: "Ratio", title: "Uploaded by downloaded", down: true, by: numeric((it) => it.ratio) },
  { key: "added", label: "Added", down: true, by: numeric((it) => it.added) },
];

/** The groups of states that a person filters by. */
export const STATES = [
  { key: "all", label: "All", has: () => true },
  { key: "downloading", label: "Downloading", has: (it) => ["downloading", "metadata", "starting"].includes(it.state) },
  { key: "seeding", label: "Seeding", has: (it) => it.state === "seeding" },
  { key: "active", label: "Active now", has: (it) => it.down_rate > 0 || it.up_rate > 0 },
  { key: "queued", label: "Queued", has: (it) => it.state === "queued" },
  { key: "checking", label: "Checking", has: (it) => ["checking", "moving"].includes(it.state), rare: true },
  { key: "paused", label: "Paused", has: (it) => it.state === "paused" },
  { key: "error", label: "Errors", has: (it) => it.state === "error", rare: true },
];

export const NO_LABEL = "\u0000none";

/** Whether a torrent passes the filter. */
export function passes(torrent, { state, label, search }) {
  const group = STATES.find((it) => it.key === state);
  if (group && !group.has(torrent)) return false;
  if (label === NO_LABEL && torrent.labels.length > 0) return false;
  if (label && label !== NO_LABEL && !torrent.labels.includes(label)) return false;
  if (!search) return true;
  const name = torrent.name.toLowerCase();
  return search.toLowerCase().split(/\s+/).every((word) => name.includes(word));
}

/**
 * The torrents that pass, in order. `before` is the last order: sorting what is nearly sorted takes one look at each.
 */
export function arrange(torrents, filter, sort, before = []) {
  const column = COLUMNS.find((it) => it.key === sort.key) ?? COLUMNS[1];
  const known = new Set();
  const listed = [];
  const take = (torrent) => {
    if (torrent && !known.has(torrent.id)) {
      known.add(torrent.id);
      if (passes(torrent, filter)) listed.push(torrent);
    }
  };
  for (const { id } of before) take(torrents.get(id));
  for (const torrent of torrents.values()) take(torrent);
  const sign = sort.isDown ? -1 : 1;
  return listed.sort((a, b) => sign * column.by(a, b) || a.number - b.number);
}

/** How many torrents each state and label has. */
export function tally(torrents) {
  const states = Object.fromEntries(STATES.map(({ key }) => [key, 0]));
  const labels = new Map();
  for (const torrent of torrents.values()) {
    for (const { key, has } of STATES) if (has(torrent)) states[key] += 1;
    for (const label of torrent.labels) labels.set(label, (labels.get(label) ?? 0) + 1);
  }
  return { states, labels: [...labels].sort(([a], [b]) => collator.compare(a, b)) };
}

/** What a torrent is doing, in a few words. */
export function doing(torrent) {
  const share = torrent.state_progress == null ? "" : ` ${Math.floor(torrent.state_progress * 100)} %`;
  switch (torrent.state) {
    case "downloading":
      if (torrent.on_demand && torrent.down_rate === 0) return "Fetches what is played";
      if (torrent.is_stalled) return "Stalled: peers send nothing";
      if (torrent.peers === 0) return "Looks for peers";
      return "Downloading";
    case "metadata": return `Fetches the metadata${share}`;
    case "checking": return `Checks its files${share}`;
    case "moving": return `Moves its files${share}`;
    case "seeding": return "Seeding";
    case "paused": return torrent.progress >= 1 && torrent.file_count > 0 ? "Complete, paused" : "Paused";
    case "queued": return "Waits in the queue";
    case "starting": return "Starts";
    case "error": return torrent.error ?? "Stopped with an error";
    default: return torrent.state;
  }
}

/** Whether it can be resumed; else it can be paused. */
export function isStopped(torrent) {
  return torrent.state === "paused" || torrent.state === "error";
}
