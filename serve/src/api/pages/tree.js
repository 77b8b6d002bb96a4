// The files of a torrent as a tree of folders. Pure.

const collator = new Intl.Collator(undefined, { numeric: true });

/** Files by folder. A folder: { name, path, folders, files, size, all } with `all` the files below it. */
export function grow(files) {
  const root = folder("", "");
  const folders = new Map([["", root]]);
  const at = (path) => {
    const known = folders.get(path);
    if (known) return known;
    const slash = path.lastIndexOf("/");
    const made = folder(path.slice(slash + 1), path);
    folders.set(path, made);
    at(slash < 0 ? "" : path.slice(0, slash)).folders.push(made);
    return made;
  };
  for (const file of files) {
    const slash = file.path.lastIndexOf("/");
    at(slash < 0 ? "" : file.path.slice(0, slash)).files.push(file);
  }
  sum(root);
  return root;
}

function folder(name, path) {
  return { name, path, folders: [], files: [], size: 0, all: [] };
}

function sum(it) {
  it.folders.sort((a, b) => collator.compare(a.name, b.name));
  it.files.sort((a, b) => collator.compare(a.path, b.path));
  for (const inner of it.folders) sum(inner);
  it.all = it.folders.flatMap((inner) => inner.all).concat(it.files);
  it.size = it.all.reduce((total, file) => total + file.size, 0);
}

/** The rows that are open: { depth, folder } or { depth, file }. `closed` has the paths of closed folders. */
export function rows(root, closed, depth = 0) {
  const open = [];
  for (const inner of root.folders) {
    open.push({ depth, folder: inner, key: `d${inner.path}` });
    if (!closed.has(inner.path)) open.push(...rows(inner, closed, depth + 1));
  }
  for (const file of root.files) open.push({ depth, file, key: `f${file.index}` });
  return open;
}

/** Whether all, none or some of a folder's files are chosen. */
export function choice(files, chosen) {
  const number = files.filter((file) => chosen.has(file.index)).length;
  return number === 0 ? "none" : number === files.length ? "all" : "some";
}

/** The last part of a path. */
export function baseName(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

const PLAYABLE = /\.(mp4|m4v|mkv|webm|mov|avi|wmv|flv|mpe?g|ts|m2ts|ogv|mp3|m4a|aac|flac|ogg|oga|opus|wav)$/i;
const BROWSER = /\.(mp4|m4v|webm|mkv|mov|ogv|mp3|m4a|aac|flac|ogg|oga|opus|wav)$/i;

/** Whether a player plays it, by its name. */
export function isPlayable(path) {
  return PLAYABLE.test(path);
}

/** Whether a browser may play it, by its name. */
export function isForBrowsers(path) {
  return BROWSER.test(path);
}

/** A part of a path, escaped as the server does: it compares names as they are written. */
function segment(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The address of a file for players, below the server's own. */
export function streamPath(id, file) {
  return `/stream/${id}/${file.index}/${segment(baseName(file.path))}`;
}

const stem = (name) => name.replace(/\.[^.]*$/, "");

/**
 * The subtitles of a film: files with its name, and perhaps more behind it, in its folder or one for subtitles beside it.
 * The server makes WebVTT of them. `name` says a language in words.
 */
export function subtitles(id, files, film, name = (code) => code) {
  const slash = film.path.lastIndexOf("/") + 1;
  const [folder, begin] = [film.path.slice(0, slash).toLowerCase(), stem(film.path.slice(slash)).toLowerCase()];
  return files.filter(({ path, size }) => {
    const lower = path.toLowerCase();
    const rest = lower.startsWith(folder) ? lower.slice(folder.length).replace(/^(subs?|subtitles)\//, "") : "/";
    return /\.(srt|vtt)$/.test(lower) && size > 0 && !rest.includes("/") && rest.startsWith(begin);
  }).map((file) => {
    const own = stem(baseName(file.path));
    const words = own.slice(begin.length).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
    const code = words.find((word) => /^[a-z]{2,3}$/i.test(word))?.toLowerCase();
    return { src: `/stream/${id}/subtitles/${file.index}/${segment(own)}.vtt`, label: code ? name(code) : words.join(" ") || "Subtitles", language: code?.length === 2 ? code : null };
  });
}

/** The file that plays after this one, in the order of the list. */
export function next(files, file) {
  const playable = rows(grow(files), new Set()).filter((row) => row.file && isPlayable(row.file.path) && row.file.size > 0);
  const at = playable.findIndex((row) => row.file.index === file.index);
  return at < 0 ? null : playable[at + 1]?.file ?? null;
}
