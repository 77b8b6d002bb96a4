// What can be set of one torrent: limits, its place in the queue, order.

import { html, useState } from "./lib.js";
import { readLimit, readNumber, readRate, writeLimit, writeRate } from "./format.js";
import { api, say, sync, useCanChange } from "./state.js";
import { Field, Switch } from "./fields.js";

const write = (number) => (number == null ? "" : String(number));

function filled(it) {
  return {
    download: writeRate(it.download_limit), upload: writeRate(it.upload_limit), peers: write(it.max_peers), slots: write(it.upload_slots),
    ratio: writeLimit(it.ratio_limit), time: writeLimit(it.seeding_time_limit, 3_600), idle: writeLimit(it.idle_limit, 60), place: write(it.queue_position), labels: it.labels.join(", "), sequential: it.sequential, super_seeding: it.super_seeding,
  };
}

export function Options({ torrent, again }) {
  const canChange = useCanChange();
  const [form, setForm] = useState(filled(torrent));
  const [error, setError] = useState(null);
  const set = (key) => (value) => setForm((now) => ({ ...now, [key]: value }));
  const save = async (event) => {
    event.preventDefault();
    try {
      const patch = {
        download_limit: readRate(form.download), upload_limit: readRate(form.upload), max_peers: readNumber(form.peers, { isWhole: true }),
        upload_slots: readNumber(form.slots, { isWhole: true }), ratio_limit: readLimit(form.ratio),
        seeding_time_limit: readLimit(form.time, 3_600), idle_limit: readLimit(form.idle, 60), sequential: form.sequential,
        labels: form.labels.split(",").map((it) => it.trim()).filter(Boolean),
      };
      if (form.super_seeding !== torrent.super_seeding) patch.super_seeding = form.super_seeding;
      const place = readNumber(form.place, { isWhole: true });
      if (place !== null && place !== torrent.queue_position) patch.queue_position = place;
      setForm(filled(await api.change(torrent.id, patch)));
      setError(null);
      say("Saved.");
      sync.readSoon(torrent.id);
      again();
    } catch (problem) {
      setError(problem.message);
    }
  };
  return html`<form class="settings" onSubmit=${save} noValidate><fieldset disabled=${!canChange}>
    <section class="card"><h2>Limits</h2><div class="fields">
      <${Field} id="t-download" label="Download" unit="KiB/s" hint="none" value=${form.download} onChange=${set("download")} />
      <${Field} id="t-upload" label="Upload" unit="KiB/s" hint="none" value=${form.upload} onChange=${set("upload")} />
      <${Field} id="t-peers" label="Peers at most" hint="as the daemon" value=${form.peers} onChange=${set("peers")} />
      <${Field} id="t-slots" label="Upload slots" hint="as the daemon" value=${form.slots} onChange=${set("slots")} />
      <${Field} id="t-place" label="Place in the queue" value=${form.place} onChange=${set("place")} />
    </div></section>
    <section class="card"><h2>When it is complete</h2><div class="fields">
      <${Field} id="t-ratio" label="Pause at ratio" hint="as the daemon" note="“none” for no limit" value=${form.ratio} onChange=${set("ratio")} isText />
      <${Field} id="t-time" label="Pause after seeding" unit="h" hint="as the daemon" value=${form.time} onChange=${set("time")} isText />
      <${Field} id="t-idle" label="Pause when idle for" unit="min" hint="as the daemon" value=${form.idle} onChange=${set("idle")} isText />
    </div></section>
    <section class="card"><h2>Labels and order</h2>
      <${Field} id="t-labels" label="Labels, with commas between them" value=${form.labels} onChange=${set("labels")} isText />
      <${Switch} id="t-order" label="Fetch the pieces in order" value=${form.sequential} onChange=${set("sequential")} />
      <${Switch} id="t-super" label="Super-seeding: hand each piece out once, for the first seed of a torrent" value=${form.super_seeding} onChange=${set("super_seeding")} />
    </section>
    ${error && html`<p class="bad" role="alert">${error}</p>`}
    ${canChange && html`<p class="buttons"><button type="submit" class="first">Save</button></p>`}
  </fieldset></form>`;
}
