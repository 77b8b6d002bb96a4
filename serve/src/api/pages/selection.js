// Which rows are selected, and which one the keyboard is on. Pure: every function returns a new selection.

export const NOTHING = { ids: new Set(), at: null, anchor: null };

/** Only this one. */
export function only(id) {
  return { ids: new Set([id]), at: id, anchor: id };
}

/** This one too, or no longer. */
export function toggled(selection, id) {
  const ids = new Set(selection.ids);
  if (!ids.delete(id)) ids.add(id);
  return { ids, at: id, anchor: id };
}

/** All from the anchor to this one. */
export function ranged(selection, id, order) {
  const anchor = order.indexOf(selection.anchor ?? selection.at ?? order[0]);
  const end = order.indexOf(id);
  if (end < 0) return selection;
  const from = anchor < 0 ? end : anchor;
  const ids = new Set(order.slice(Math.min(from, end), Math.max(from, end) + 1));
  return { ids, at: id, anchor: order[from] };
}

export function everything(selection, order) {
  return { ...selection, ids: new Set(order), at: selection.at ?? order[0] ?? null };
}

/** The keyboard moves by `step` rows; what is selected stays unless `isRange`. */
export function moved(selection, step, order, isRange) {
  if (order.length === 0) return selection;
  const from = order.indexOf(selection.at);
  const next = from < 0 ? (step < 0 ? order.length - 1 : 0) : Math.max(0, Math.min(order.length - 1, from + step));
  const id = order[next];
  if (isRange) return ranged(selection, id, order);
  return { ids: selection.ids, at: id, anchor: id };
}

/** Without the torrents that are not there any more. */
export function kept(selection, has) {
  const gone = [...selection.ids].some((id) => !has(id));
  const at = selection.at !== null && !has(selection.at) ? null : selection.at;
  if (!gone && at === selection.at) return selection;
  return { ids: new Set([...selection.ids].filter(has)), at, anchor: at };
}
