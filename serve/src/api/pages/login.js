// The way in where the daemon wants a token. The token goes to the daemon once, and a cookie stands for it from then on.

import { html, useState } from "./lib.js";
import { call } from "./api.js";
import { duration } from "./format.js";
import { enter } from "./session.js";
import { useStore } from "./state.js";

export function Login() {
  const refusal = useStore((now) => now.refusal);
  const [token, setToken] = useState("");
  const [error, setError] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    if (!token.trim()) {
      setError("Paste the token first.");
      return;
    }
    setBusy(true);
    setError(null);
    try {
      enter(await call("POST", "/login", { token: token.trim() }, { isLogin: true }));
    } catch (problem) {
      setError(problem.status === 429 && problem.retryAfter
        ? `Too many wrong tokens came from this address. Try again in ${duration(problem.retryAfter)}.`
        : problem.status === 401 ? "This token is not known here. It may have been deleted, or a part of it is missing." : problem.message);
    } finally {
      setBusy(false);
    }
  };
  return html`<main class="login"><form class="card" onSubmit=${submit} noValidate>
    <img src="/icon.svg" alt="" width="48" height="48" />
    <h1>tailwater</h1>
    <p>${refusal ?? "This daemon wants a token."} On its machine, <code>tailwater daemon --create-token\u00a0NAME</code> makes one.</p>
    <label class="field" for="token"><span>Token</span><span class="input"><input id="token" type="password" autocomplete="current-password" autofocus spellcheck=${false}
      aria-invalid=${error ? "true" : null} aria-describedby=${error ? "login-error" : null} value=${token} onInput=${(event) => setToken(event.currentTarget.value)} /></span></label>
    ${error && html`<p class="bad" id="login-error" role="alert">${error}</p>`}
    <button type="submit" class="first" disabled=${isBusy}>${isBusy ? "Logging in…" : "Log in"}</button>
  </form></main>`;
}
