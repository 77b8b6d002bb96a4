// Parts that several views use: dialogs, menus, tabs, bars, notices.

import { classes, Component, html, useEffect, useLayoutEffect, useRef, useState } from "./lib.js";
import { Icon } from "./icons.js";
import { percent } from "./format.js";
import { dismiss, say, useStore } from "./state.js";

/** A window over the page. The browser keeps the keyboard inside; when it goes, the focus returns to where it was. */
export function Dialog({ title, onClose, children, className, foot, onSubmit }) {
  const element = useRef();
  useLayoutEffect(() => {
    const [dialog, before] = [element.current, document.activeElement];
    dialog.showModal();
    return () => {
      // While it is open, nothing behind it takes the focus.
      dialog.close();
      if (before?.isConnected) before.focus();
    };
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  const submit = (event) => {
    event.preventDefault();
    onSubmit?.();
  };
  // A click on the dialog itself, not on what is in it, is one beside it.
  const beside = (event) => { if (event.target === element.current) onClose(); };
  return html`<dialog ref=${element} class=${className} aria-labelledby="dialog-title" onCancel=${cancel} onMouseDown=${beside}>
    <form class="dialog" onSubmit=${submit} noValidate>
      <header>
        <h2 id="dialog-title">${title}</h2>
        <button type="button" class="quiet square" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>
      </header>
      <div class="dialog-body">${children}</div>
      ${foot && html`<footer>${foot}</footer>`}
    </form>
  </dialog>`;
}

/** A button with a menu. `items`: { label, icon, run, isBad, isOn, hidden } or null for a line. */
export function Menu({ label, items, children, className, align = "end" }) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef();
  const button = useRef();
  const close = (refocus) => {
    setOpen(false);
    if (refocus) button.current?.focus();
  };
  const entries = () => [...root.current.querySelectorAll("[role^=menuitem]")];
  useEffect(() => {
    if (!isOpen) return undefined;
    entries()[0]?.focus();
    const outside = (event) => { if (!root.current?.contains(event.target)) close(false); };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [isOpen]);
  const key = (event) => {
    if (!isOpen) return;
    const all = entries();
    const now = all.indexOf(document.activeElement);
    const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      all[(to + all.length) % all.length]?.focus();
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close(true);
    } else if (event.key === "Tab") close(false);
  };
  return html`<div class="menu" ref=${root} onKeyDown=${key}>
    <button type="button" ref=${button} class=${className} aria-haspopup="menu" aria-expanded=${isOpen ? "true" : "false"} aria-label=${label}
      title=${label} onClick=${() => setOpen(!isOpen)}>${children}</button>
    ${isOpen && html`<div class=${classes("menu-list", align)} role="menu" aria-label=${label}>
      ${items.filter((it) => !it?.hidden).map((it, at) => it === null ? html`<hr key=${at} />` : html`<button key=${it.label} type="button"
        role=${it.isOn === undefined ? "menuitem" : "menuitemcheckbox"} aria-checked=${it.isOn === undefined ? null : it.isOn ? "true" : "false"} tabindex="-1"
        class=${classes(it.isBad && "bad")}
        onClick=${() => { close(true); it.run(); }}><${Icon} name=${it.isOn ? "check" : it.icon ?? "none"} />${it.label}</button>`)}
    </div>`}
  </div>`;
}

/** Tabs: { key, label, badge }. */
export function Tabs({ label, tabs, current, onChoose, children }) {
  const list = useRef();
  useEffect(() => {
    list.current.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [current]);
  const key = (event) => {
    const now = tabs.findIndex((it) => it.key === current);
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    onChoose(tabs[next].key);
    list.current.children[next].focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} ref=${list} onKeyDown=${key}>
      ${tabs.map((it) => html`<button key=${it.key} type="button" role="tab" id=${`tab-${it.key}`} aria-controls="tab-panel"
        aria-selected=${it.key === current ? "true" : "false"} tabindex=${it.key === current ? 0 : -1}
        onClick=${() => onChoose(it.key)}>${it.label}${it.badge != null && html` <span class="badge">${it.badge}</span>`}</button>`)}
    </div>
    <div class="tab-panel" role="tabpanel" id="tab-panel" aria-labelledby=${`tab-${current}`} key=${current} tabindex="-1">${children}</div>`;
}

/** How far something is. */
export function Bar({ share, state, label }) {
  const value = Math.max(0, Math.min(1, share || 0));
  return html`<div class=${classes("bar", state)} role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${Math.floor(value * 100)} aria-valuetext=${percent(value)}><div style=${{ transform: `scaleX(${value})` }}></div></div>`;
}

/** A box that is ticked, not ticked, or partly. */
export function Tick({ state, label, onChange, disabled, tabindex }) {
  const box = useRef();
  useLayoutEffect(() => {
    box.current.checked = state === true || state === "all";
    box.current.indeterminate = state === "some";
  });
  return html`<input ref=${box} type="checkbox" aria-label=${label} disabled=${disabled} tabindex=${tabindex}
    onChange=${(event) => onChange(event.currentTarget.checked)} />`;
}

/** What is said to the person: things done politely, errors at once. */
export function Notices() {
  const notices = useStore((now) => now.notices);
  const list = (isBad) => notices.filter((it) => it.isBad === isBad).map((it) => html`<div key=${it.key} class=${classes("notice", isBad && "bad")}>
      <p>${it.text}</p>
      <button type="button" class="quiet square" aria-label="Dismiss" onClick=${() => dismiss(it.key)}><${Icon} name="close" size="16" /></button>
    </div>`);
  return html`<div class="notices"><div role="alert">${list(true)}</div><div role="status">${list(false)}</div></div>`;
}

/** Text to paste elsewhere, with a button that copies it. */
export function Copy({ text, label }) {
  const [isDone, setDone] = useState(false);
  const copy = async () => {
    if (await toClipboard(text)) {
      setDone(true);
      setTimeout(() => setDone(false), 2_000);
    } else say("This browser does not let the page copy. Select the text and copy it.", true);
  };
  return html`<span class="copy"><code tabindex="0">${text}</code><button type="button" onClick=${copy} aria-label=${`Copy ${label}`}>
    <${Icon} name=${isDone ? "check" : "copy"} size="16" /><span>${isDone ? "Copied" : "Copy"}</span></button></span>`;
}

/** Browsers give pages that came over plain HTTP from elsewhere no clipboard, but they do let them copy a selection. */
export async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "hidden";
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    return isDone;
  }
}

/** A view that fails says so, and the rest of the page works on. `of` is what it shows: another view begins anew. */
export class Guard extends Component {
  static getDerivedStateFromError(error) {
    return { error };
  }

  componentDidCatch(error) {
    console.error(error);
  }

  componentDidUpdate(before) {
    if (before.of !== this.props.of && this.state.error) this.setState({ error: null });
  }

  render({ children }, { error }) {
    if (!error) return children;
    return html`<div class="page"><${Blank} title="This page has a fault" isBad><p>${String(error.message ?? error)}</p>
      <p class="buttons"><button type="button" onClick=${() => location.reload()}>Load it again</button></p></${Blank}></div>`;
  }
}

/** Something went wrong, or nothing is there: in place of a view. */
export function Blank({ title, children, isBad }) {
  return html`<div class=${classes("blank", isBad && "bad")}><h3>${title}</h3>${children}</div>`;
}

/** Name and value of a fact. */
export function Facts({ facts }) {
  return html`<dl class="facts">${facts.filter((fact) => fact && fact[1] != null && fact[1] !== "").map(([name, value]) =>
    html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
