// Fields of forms.

import { classes, html } from "./lib.js";

/** A number or text with its unit. */
export function Field({ id, label, unit, hint, value, onChange, isText = false, note, type = "text", className }) {
  return html`<label class=${classes("field", className)} for=${id}><span>${label}</span>
    <span class="input"><input id=${id} type=${type} inputmode=${isText || type !== "text" ? null : "decimal"} autocomplete="off" spellcheck=${false} placeholder=${hint}
      value=${value} onInput=${(event) => onChange(event.currentTarget.value)} />${unit && html`<span class="unit">${unit}</span>`}</span>
    ${note && html`<small>${note}</small>`}</label>`;
}

/** Something that is on or off. */
export function Switch({ id, label, value, onChange, note, disabled }) {
  return html`<label class="switch" for=${id}><input id=${id} type="checkbox" checked=${value} disabled=${disabled} onChange=${(event) => onChange(event.currentTarget.checked)} />
    <span>${label}${note && html`<small>${note}</small>`}</span></label>`;
}
