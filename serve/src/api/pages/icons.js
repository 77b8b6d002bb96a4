// Icons: strokes on a grid of 20, in the colour of the text beside them. They are decoration; words stand beside them.

import { html } from "./lib.js";

const PATHS = {
  plus: "M10 4v12M4 10h12",
  pause: "M7 4.5v11M13 4.5v11",
  play: "M6.5 4.2v11.6l9-5.8z",
  trash: "M4 5.5h12M8 5.5V4h4v1.5M5.5 5.5l.7 10.5h7.6l.7-10.5M8.5 8.5v4.5M11.5 8.5v4.5",
  search: "M9 4a5 5 0 1 1 0 10A5 5 0 0 1 9 4zM12.7 12.7L16.5 16.5",
  more: "M5 10h.01M10 10h.01M15 10h.01",
  back: "M12 4.5L6.5 10l5.5 5.5",
  sun: "M10 6.8a3.2 3.2 0 1 1 0 6.4 3.2 3.2 0 0 1 0-6.4zM10 2.5v1.6M10 15.9v1.6M2.5 10h1.6M15.9 10h1.6M4.7 4.7l1.1 1.1M14.2 14.2l1.1 1.1M15.3 4.7l-1.1 1.1M5.8 14.2l-1.1 1.1",
  moon: "M16 11.8A6.5 6.5 0 0 1 8.2 4a6.5 6.5 0 1 0 7.8 7.8z",
  system: "M3 4.5h14v9H3zM7.5 16.5h5M10 13.5v3",
  gear: "M3 6h6.2M13.8 6H17M11.5 3.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4zM3 14h3.2M10.8 14H17M8.5 11.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4z",
  check: "M4 10.5l4 4 8-9",
  close: "M5 5l10 10M15 5L5 15",
  label: "M3.5 3.5h6l7 7-6 6-7-7zM7 7h.01",
  folder: "M3 5h5l1.5 2H17v8.5H3z",
  file: "M5.5 3h6l3 3v11h-9zM11.5 3v3h3",
  open: "M7.5 5L13 10l-5.5 5",
  copy: "M7 7h9v9H7zM4 13V4h9",
  recheck: "M16 10a6 6 0 1 1-1.9-4.4M16.2 3.2v3h-3",
  announce: "M4 8.2v3.6h2.5L12 15.5v-11L6.5 8.2zM14.5 7.5a3.6 3.6 0 0 1 0 5",
  down: "M10 4v11M5.5 10.5L10 15l4.5-4.5",
  up: "M10 16V5M5.5 9.5L10 5l4.5 4.5",
  menu: "M3.5 6h13M3.5 10h13M3.5 14h13",
  drop: "M10 3v9M6 8.5l4 4 4-4M3.5 13.5V17h13v-3.5",
  log_out: "M8 3.5H3.5v13H8M12.5 6.5L16 10l-3.5 3.5M16 10H7.5",
};

export function Icon({ name, size = 18 }) {
  return html`<svg class=${name === "more" ? "icon dots" : "icon"} viewBox="0 0 20 20" width=${size} height=${size} aria-hidden="true" focusable="false"><path d=${PATHS[name]} /></svg>`;
}
