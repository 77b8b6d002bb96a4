// Begins here: the theme before anything is drawn, then the page, then the daemon.

import { render, html } from "./lib.js";
import { begin } from "./session.js";
import { App } from "./shell.js";
import { sync } from "./state.js";
import { setTheme, theme } from "./theme.js";

setTheme(theme());
render(html`<${App} />`, document.getElementById("app"));
begin();
document.addEventListener("visibilitychange", () => { if (document.hidden) sync.hide(); else sync.refresh(); });
addEventListener("online", () => sync.refresh());
