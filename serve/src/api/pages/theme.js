// Light, dark, or as the system is; kept in this browser.

const KEY = "tailwater.theme";
const NAMES = ["system", "light", "dark"];

export function theme() {
  const kept = read();
  return NAMES.includes(kept) ? kept : "system";
}

export function setTheme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // A browser that keeps nothing forgets it with the page.
  }
  dispatchEvent(new Event("themechange"));
}

function read() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** Something that this browser keeps, or the default. */
export function recall(name, standard) {
  try {
    const kept = localStorage.getItem(`tailwater.${name}`);
    return kept === null ? standard : JSON.parse(kept);
  } catch {
    return standard;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`tailwater.${name}`, JSON.stringify(value));
  } catch {
    // See above.
  }
}

/** A colour of the style sheet, for canvases. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
