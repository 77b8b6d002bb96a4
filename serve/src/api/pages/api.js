// Requests to the daemon. Errors have words for a person: those of its problem documents (RFC 9457).

const API = "/api/v1";
// Nothing that is asked here takes longer, but for links that the daemon has to fetch.
const PATIENCE_MS = 30_000;
const LONG_PATIENCE_MS = 180_000;

let csrf = null;
let onRefused = () => {};

/** What a page that changes something has to show beside its cookie. */
export function setCsrf(token) {
  csrf = token;
}

/** `react` runs when the daemon wants a login. */
export function whenRefused(react) {
  onRefused = react;
}

/** An answer that is an error, or none at all (status 0). */
export class ApiError extends Error {
  constructor(message, status = 0, kind = "", retryAfter = null) {
    super(message);
    this.status = status;
    this.kind = kind;
    this.retryAfter = retryAfter;
  }
}

function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

async function problem(answer) {
  const retryAfter = Number(answer.headers.get("retry-after")) || null;
  let said = {};
  if ((answer.headers.get("content-type") ?? "").includes("json")) said = await answer.json().catch(() => ({}));
  const words = said.detail ?? said.title ?? `The daemon answered ${answer.status} ${answer.statusText}`;
  return new ApiError(sentence(words), answer.status, (said.type ?? "").split(":").pop(), retryAfter);
}

/** Sends a request; the answer, whatever its status. */
export async function send(method, path, { body, type, headers = {}, signal, isSlow = false } = {}) {
  const all = { Accept: "application/json", ...headers };
  let content = body;
  if (body !== undefined) {
    all["Content-Type"] = type ?? "application/json";
    if (!type) content = JSON.stringify(body);
  }
  if (csrf && method !== "GET") all["X-CSRF-Token"] = csrf;
  const timeout = AbortSignal.timeout(isSlow ? LONG_PATIENCE_MS : PATIENCE_MS);
  try {
    return await fetch(API + path, {
      method, headers: all, body: content, cache: "no-store", credentials: "same-origin",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(timeout.aborted ? "The daemon does not answer in time." : "The daemon cannot be reached.");
  }
}

/** Sends a request; what its answer says. Throws `ApiError`. */
export async function call(method, path, body, options = {}) {
  const answer = await send(method, path, { body, ...options });
  if (answer.ok) return (answer.headers.get("content-type") ?? "").includes("json") ? answer.json() : null;
  const error = await problem(answer);
  if (answer.status === 401 && !options.isLogin) onRefused(error);
  throw error;
}

export const get = (path, options) => call("GET", path, undefined, options);

/** A stream of server-sent events, chunk by chunk, until it ends. */
export async function stream(path, lastId, signal) {
  const headers = { Accept: "text/event-stream" };
  if (lastId !== null) headers["Last-Event-ID"] = String(lastId);
  const answer = await fetch(API + path, { headers, signal, cache: "no-store", credentials: "same-origin" });
  if (!answer.ok) throw await problem(answer);
  return answer.body.pipeThrough(new TextDecoderStream()).getReader();
}
