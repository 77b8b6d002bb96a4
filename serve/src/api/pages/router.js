// Where the page is, as the part of the address behind `#`: links can be kept, and Back goes back.

export const TABS = ["overview", "files", "peers", "trackers", "graph", "stream", "options"];

/** Reads an address. Pure. */
export function parse(hash) {
  const parts = hash.replace(/^#\/?/, "").split("/");
  if (parts[0] === "torrent" && /^[0-9a-f]{40,64}$/.test(parts[1] ?? "")) {
    return { page: "torrent", id: parts[1], tab: TABS.includes(parts[2]) ? parts[2] : "overview", file: parts[3] };
  }
  if (parts[0] === "settings") return { page: "settings", section: parts[1] ?? null };
  if (parts[0] === "add") return { page: "list", link: decode(parts.slice(1).join("/")) };
  return { page: "list" };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const at = {
  list: "#/",
  settings: "#/settings",
  torrent: (id, tab) => `#/torrent/${id}${tab && tab !== "overview" ? `/${tab}` : ""}`,
  stream: (id, index) => `#/torrent/${id}/stream/${index}`,
};

export function go(hash) {
  location.hash = hash;
}
