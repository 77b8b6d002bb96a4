// Server-sent events over fetch: a header carries the last event's number, and a refused request is an answer that can
// be told to a person. EventSource has neither.

/** Takes text as it comes, and returns the events that are whole. Pure but for its own state. */
export class EventReader {
  #rest = "";
  #event = { id: null, name: "message", data: [] };
  /** The number of the last event that was whole. */
  lastId = null;
  /** How long the server wants us to wait before we connect again, in ms. */
  retry = null;

  push(text) {
    const events = [];
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    for (const line of lines) {
      const event = this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
      if (event) events.push(event);
    }
    return events;
  }

  #line(line) {
    if (line === "") {
      const { id, name, data } = this.#event;
      this.#event = { id: null, name: "message", data: [] };
      if (id !== null) this.lastId = id;
      return data.length > 0 ? { id: this.lastId, name, data: data.join("\n") } : null;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") this.#event.id = value;
    else if (field === "event") this.#event.name = value;
    else if (field === "data") this.#event.data.push(value);
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }
}

/** How long to wait before the next attempt, in ms: longer each time, half a minute at most. */
export function backoff(attempt, first = 1_000) {
  return Math.min(30_000, first * 2 ** Math.min(attempt, 10));
}
