"use strict";
// Shows what is being tried for a magnet link, and becomes the film's page when its metadata is there.

const POLL_MS = 500;
const byId = (id) => document.getElementById(id);

function say(state, words) {
  const element = byId("state");
  element.dataset.state = state;
  if (element.textContent !== words) element.textContent = words;
}

function show({ name, info_hash: hash, words, fetch: tried }) {
  if (name) byId("title").textContent = name;
  if (hash) byId("hash").textContent = hash;
  byId("words").textContent = words;
  if (!tried) return;
  const failed = tried.trackers_failed ? `, ${tried.trackers_failed} failed` : "";
  const cells = {
    trackers: tried.trackers ? `${tried.trackers_answered} of ${tried.trackers} answered${failed}` : "none",
    nodes: tried.dht_nodes === null ? "not asked" : `${tried.dht_nodes}`,
    found: `${tried.peers_known}`,
    connected: `${tried.peers_connected}`,
    holders: `${tried.peers_with_metadata}`,
    blocks: tried.blocks_total ? `${tried.blocks_have} of ${tried.blocks_total}` : "–",
  };
  for (const [id, text] of Object.entries(cells)) byId(id).textContent = text;
}

async function poll() {
  try {
    const answer = await fetch("/stats", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const stats = await answer.json();
    if (stats.phase !== "metadata") {
      location.reload();
      return;
    }
    say("waiting", "waiting for metadata");
    show(stats);
  } catch {
    say("lost", "no connection");
  }
  setTimeout(poll, POLL_MS);
}
poll();
