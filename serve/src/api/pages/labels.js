// Labels: where their torrents go, and when they stop to seed.

import { html, useState } from "./lib.js";
import { call, get } from "./api.js";
import { readLimit, whole, writeLimit } from "./format.js";
import { Field } from "./fields.js";
import { Icon } from "./icons.js";
import { act, say, useCanChange, usePoll, useStore } from "./state.js";
import { Dialog } from "./ui.js";

/** What a label does, in a few words. Pure. */
export function summary(label) {
  const words = [];
  if (label.folder) words.push(`in ${label.folder}`);
  if (label.completed_folder) words.push(`then to ${label.completed_folder}`);
  if (label.ratio_limit != null) words.push(label.ratio_limit === "none" ? "no ratio limit" : `until ratio ${label.ratio_limit}`);
  if (label.seeding_time_limit != null) words.push(label.seeding_time_limit === "none" ? "no time limit" : `seeds ${writeLimit(label.seeding_time_limit, 3_600)} h`);
  if (label.idle_limit != null) words.push(label.idle_limit === "none" ? "no idle limit" : `idle ${writeLimit(label.idle_limit, 60)} min`);
  return words.join(", ");
}

export function LabelsCard() {
  const canChange = useCanChange();
  const version = useStore((now) => now.labelsVersion);
  const [labels, error, again] = usePoll(() => get("/labels"), 0, `labels ${version}`);
  const [edited, setEdited] = useState(null);
  const [doomed, setDoomed] = useState(null);
  const remove = () => {
    setDoomed(null);
    act(() => call("DELETE", `/labels/${encodeURIComponent(doomed)}`), "The label is deleted.").then(again);
  };
  return html`<section class="card" id="labels"><h2>Labels</h2>
    <p class="soft">A label can give its torrents a folder, and say when they stop to seed.</p>
    ${error && html`<p class="bad">${error.message}</p>`}
    ${labels?.length > 0 && html`<table class="list"><thead><tr><th scope="col">Name</th><th scope="col" class="number">Torrents</th><th scope="col">What it does</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
      <tbody>${labels.map((it) => html`<tr key=${it.name}><th scope="row"><bdi>${it.name}</bdi></th><td class="number">${whole(it.torrents)}</td><td class="soft wrap">${summary(it) || "–"}</td>
        <td class="number">${canChange && html`<button type="button" class="quiet" aria-label=${`Edit ${it.name}`} onClick=${() => setEdited(it)}>Edit</button>
          <button type="button" class="quiet square" aria-label=${`Delete ${it.name}`} onClick=${() => setDoomed(it.name)}><${Icon} name="trash" size="16" /></button>`}</td></tr>`)}</tbody></table>`}
    ${canChange && html`<p class="buttons apart"><button type="button" id="new-label-options" onClick=${() => setEdited({ name: "", isNew: true })}><${Icon} name="plus" size="16" /><span>New label</span></button></p>`}
    ${edited && html`<${Edit} label=${edited} onClose=${() => { setEdited(null); again(); }} />`}
    ${doomed !== null && html`<${Dialog} title="Delete this label?" className="small" onClose=${() => setDoomed(null)} onSubmit=${remove}
      foot=${html`<button type="button" onClick=${() => setDoomed(null)}>Keep</button><button type="submit" class="danger">Delete</button>`}>
      <p>It is taken from all torrents that have <strong><bdi>${doomed}</bdi></strong>. The torrents stay.</p></${Dialog}>`}
  </section>`;
}

function Edit({ label, onClose }) {
  const [form, setForm] = useState({
    name: label.name, folder: label.folder ?? "", completed: label.completed_folder ?? "", ratio: writeLimit(label.ratio_limit),
    time: writeLimit(label.seeding_time_limit, 3_600), idle: writeLimit(label.idle_limit, 60),
  });
  const [error, setError] = useState(null);
  const set = (key) => (value) => setForm((now) => ({ ...now, [key]: value }));
  const save = async () => {
    try {
      if (!form.name.trim()) throw new Error("A label needs a name.");
      const options = { ratio_limit: readLimit(form.ratio), seeding_time_limit: readLimit(form.time, 3_600), idle_limit: readLimit(form.idle, 60) };
      if (form.folder.trim()) options.folder = form.folder.trim();
      if (form.completed.trim()) options.completed_folder = form.completed.trim();
      await call("PUT", `/labels/${encodeURIComponent(form.name.trim())}`, options);
      say("Saved.");
      onClose();
    } catch (problem) {
      setError(problem.message);
    }
  };
  return html`<${Dialog} title=${label.isNew ? "New label" : `Label ${label.name}`} className="small" onClose=${onClose} onSubmit=${save}
    foot=${html`<button type="button" onClick=${onClose}>Cancel</button><button type="submit" class="first">Save</button>`}>
    ${label.isNew && html`<${Field} id="l-name" label="Name" value=${form.name} onChange=${set("name")} isText />`}
    <${Field} id="l-folder" label="Folder for new torrents" hint="the data folder" value=${form.folder} onChange=${set("folder")} isText />
    <${Field} id="l-completed" label="Folder when they are complete" hint="as the daemon" value=${form.completed} onChange=${set("completed")} isText />
    <div class="fields">
      <${Field} id="l-ratio" label="Pause at ratio" hint="as the daemon" value=${form.ratio} onChange=${set("ratio")} isText />
      <${Field} id="l-time" label="Pause after seeding" unit="h" hint="as the daemon" value=${form.time} onChange=${set("time")} isText />
      <${Field} id="l-idle" label="Pause when idle for" unit="min" hint="as the daemon" value=${form.idle} onChange=${set("idle")} isText />
    </div>
    <p class="soft">“none” lifts a limit that the daemon has.</p>
    ${error && html`<p class="bad" role="alert">${error}</p>`}
  </${Dialog}>`;
}
