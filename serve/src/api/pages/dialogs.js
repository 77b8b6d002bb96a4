// The dialogs that any view may open; at most one is open.

import { html, useState } from "./lib.js";
import { AddDialog } from "./add.js";
import { count } from "./format.js";
import { at, go } from "./router.js";
import { act, actOnAll, api, closeDialog, store, useStore } from "./state.js";
import { Field, Switch } from "./fields.js";
import { Dialog } from "./ui.js";

export function Dialogs() {
  const dialog = useStore((now) => now.dialog);
  switch (dialog?.kind) {
    case "add": return html`<${AddDialog} key=${dialog.number} text=${dialog.text} files=${dialog.files} />`;
    case "remove": return html`<${Remove} ...${dialog} />`;
    case "labels": return html`<${Labels} ...${dialog} />`;
    case "move": return html`<${Move} ...${dialog} />`;
    case "keys": return html`<${Keys} />`;
    default: return null;
  }
}

function names(ids) {
  const { torrents } = store.get();
  return ids.map((id) => torrents.get(id)?.name ?? id);
}

function Remove({ ids, leave }) {
  const [deleteFiles, setDelete] = useState(false);
  const all = names(ids);
  const remove = async () => {
    closeDialog();
    if (leave) go(at.list);
    await actOnAll(ids, (id) => api.remove(id, deleteFiles), ids.length === 1 ? `${all[0]} was removed.` : `${count(ids.length, "torrent")} were removed.`);
  };
  return html`<${Dialog} title=${ids.length === 1 ? "Remove this torrent?" : `Remove ${ids.length} torrents?`} className="small" onClose=${closeDialog} onSubmit=${remove}
    foot=${html`<button type="button" onClick=${closeDialog}>Keep</button><button type="submit" class="danger" id="confirm">Remove</button>`}>
    <ul class="names">${all.slice(0, 6).map((name) => html`<li key=${name}><bdi>${name}</bdi></li>`)}${all.length > 6 && html`<li class="soft">and ${all.length - 6} more</li>`}</ul>
    <${Switch} id="delete-files" label="Delete the downloaded files too" note=${deleteFiles ? "They cannot be brought back." : "They stay where they are."} value=${deleteFiles} onChange=${setDelete} />
  </${Dialog}>`;
}

/** Labels of one or several: ticked, not ticked, or as it is on some of them. */
function Labels({ ids }) {
  const { torrents } = store.get();
  const some = ids.map((id) => torrents.get(id)).filter(Boolean);
  const [known, setKnown] = useState(() => [...new Set([...torrents.values()].flatMap((it) => it.labels))].sort());
  const [marks, setMarks] = useState({});
  const [text, setText] = useState("");
  const has = (label) => marks[label] ?? (some.every((it) => it.labels.includes(label)) ? true : some.some((it) => it.labels.includes(label)) ? null : false);
  const add = () => {
    const label = text.trim();
    if (!label) return false;
    if (!known.includes(label)) setKnown([...known, label]);
    setMarks({ ...marks, [label]: true });
    setText("");
    return true;
  };
  const save = () => {
    if (add()) return;
    closeDialog();
    actOnAll(ids, (id) => {
      const labels = new Set(store.get().torrents.get(id)?.labels);
      for (const [label, isOn] of Object.entries(marks)) if (isOn) labels.add(label); else labels.delete(label);
      return api.change(id, { labels: [...labels] });
    }, "Labels saved.");
  };
  return html`<${Dialog} title=${`Labels of ${count(ids.length, "torrent")}`} className="small" onClose=${closeDialog} onSubmit=${save}
    foot=${html`<button type="button" onClick=${closeDialog}>Cancel</button><button type="submit" class="first">${text.trim() ? "Add label" : "Save"}</button>`}>
    ${known.length === 0 && html`<p class="soft">There are no labels yet.</p>`}
    <div class="checks">${known.map((label) => html`<label key=${label} class="switch"><input type="checkbox" checked=${has(label) === true} indeterminate=${has(label) === null}
      onChange=${(event) => setMarks({ ...marks, [label]: event.currentTarget.checked })} /><span><bdi>${label}</bdi></span></label>`)}</div>
    <${Field} id="new-label" label="New label" value=${text} onChange=${setText} isText />
  </${Dialog}>`;
}

function Move({ id }) {
  const [folder, setFolder] = useState("");
  const [error, setError] = useState(null);
  const move = async () => {
    if (!folder.trim()) {
      setError("Name a folder.");
      return;
    }
    try {
      await api.move(id, folder.trim());
      closeDialog();
    } catch (problem) {
      setError(problem.message);
    }
  };
  return html`<${Dialog} title="Move files" className="small" onClose=${closeDialog} onSubmit=${move}
    foot=${html`<button type="button" onClick=${closeDialog}>Cancel</button><button type="submit" class="first">Move</button>`}>
    <${Field} id="folder" label="To this folder" note="Relative to the data folder, or below a folder that the daemon may use." value=${folder} onChange=${setFolder} isText />
    ${error && html`<p class="bad" role="alert">${error}</p>`}
  </${Dialog}>`;
}

const KEYS = [
  ["n", "Add a torrent"], ["/", "Search"], ["?", "This help"], ["Esc", "Close, clear, or back to the list"],
  ["↑ ↓ PgUp PgDn Home End", "Move in the list"], ["Shift and these", "Select as you move"], ["Space", "Select or not"], ["Ctrl A", "Select all"],
  ["Enter", "Open"], ["p", "Pause or resume"], ["Del", "Remove"],
];

function Keys() {
  return html`<${Dialog} title="Keys" className="small" onClose=${closeDialog}>
    <dl class="keys">${KEYS.map(([key, words]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${words}</dd></div>`)}</dl>
    <p class="soft">Letters work while the list has the focus, or none of the fields has.</p>
  </${Dialog}>`;
}
