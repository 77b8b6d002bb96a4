// The hours at which the alternative limits hold.

import { classes, html } from "./lib.js";
import { Icon } from "./icons.js";

export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const NAMES = { mon: "Monday", tue: "Tuesday", wed: "Wednesday", thu: "Thursday", fri: "Friday", sat: "Saturday", sun: "Sunday" };
const NEW = { days: ["mon", "tue", "wed", "thu", "fri"], from: "08:00", to: "18:00" };

/** Throws words for a person if a rule says nothing. Pure. */
export function check(rules) {
  for (const { days, from, to } of rules) {
    if (days.length === 0) throw new Error("Each line of the schedule needs a day.");
    if (!/^\d\d:\d\d$/.test(from) || !/^\d\d:\d\d$/.test(to)) throw new Error("Each line of the schedule needs two times.");
  }
  return rules;
}

export function Schedule({ rules, onChange }) {
  const set = (at, change) => onChange(rules.map((rule, index) => (index === at ? { ...rule, ...change } : rule)));
  const toggle = (at, day) => {
    const has = rules[at].days.includes(day);
    set(at, { days: DAYS.filter((it) => (it === day ? !has : rules[at].days.includes(it))) });
  };
  return html`<div class="schedule" role="group" aria-label="Schedule">
    ${rules.map((rule, at) => html`<div key=${at} class="rule" role="group" aria-label=${`Line ${at + 1}`}>
      <span class="days">${DAYS.map((day) => html`<button key=${day} type="button" class=${classes("day", rule.days.includes(day) && "on")} aria-pressed=${rule.days.includes(day) ? "true" : "false"}
        onClick=${() => toggle(at, day)}><span aria-hidden="true">${NAMES[day].slice(0, 2)}</span><span class="hidden">${NAMES[day]}</span></button>`)}</span>
      <span class="hours"><input type="time" aria-label="From" value=${rule.from} onInput=${(event) => set(at, { from: event.currentTarget.value })} />
        <span>to</span><input type="time" aria-label="To" value=${rule.to} onInput=${(event) => set(at, { to: event.currentTarget.value })} />
        <button type="button" class="quiet square" aria-label="Delete this line" onClick=${() => onChange(rules.filter((_, index) => index !== at))}><${Icon} name="close" size="16" /></button></span>
      ${rule.to <= rule.from && html`<small class="soft">until the next day</small>`}
    </div>`)}
    <button type="button" id="add-rule" onClick=${() => onChange([...rules, NEW])}><${Icon} name="plus" size="16" /><span>Add hours</span></button>
  </div>`;
}
