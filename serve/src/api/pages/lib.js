// Preact, its hooks and htm, bound together: every view imports from here.
import { Component, createElement, Fragment, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact-hooks.js";
export { Component, Fragment, render };
export const html = htm.bind(createElement);

/** Joins the class names that are set. */
export function classes(...names) {
  return names.filter(Boolean).join(" ");
}
