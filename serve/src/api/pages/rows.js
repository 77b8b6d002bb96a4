// A long list of which only what can be seen is in the page. For lists inside a tab or a dialog.

import { html, useLayoutEffect, useRef, useState } from "./lib.js";

const BESIDE = 8;

/** `draw(item, index)` makes a row of `height` pixels; it gets the style that puts it in its place. */
export function Rows({ items, height, draw, label, className, role = "list" }) {
  const [view, setView] = useState({ first: 0, count: 40 });
  const scroller = useRef();
  const look = () => {
    const { scrollTop, clientHeight } = scroller.current;
    const first = Math.max(0, Math.floor(scrollTop / height) - BESIDE);
    const count = Math.ceil(clientHeight / height) + 2 * BESIDE;
    setView((was) => (was.first === first && was.count === count ? was : { first, count }));
  };
  useLayoutEffect(() => {
    look();
    const observer = new ResizeObserver(look);
    observer.observe(scroller.current);
    return () => observer.disconnect();
  }, []);
  const shown = items.slice(view.first, view.first + view.count);
  return html`<div class=${className} ref=${scroller} onScroll=${look} role=${role} aria-label=${label} tabindex="0">
    <div class="rows" role="presentation" style=${{ height: `${items.length * height}px` }}>
      ${shown.map((item, at) => draw(item, { transform: `translateY(${(view.first + at) * height}px)` }, view.first + at))}
    </div>
  </div>`;
}
