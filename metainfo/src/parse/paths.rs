//! Makes the paths of files safe and unique.

use super::context::{Context, error_at};
use crate::raw_path::join;
use crate::safe_path::{NOTHING, mend};
use crate::{Attributes, FieldProblem, MerkleHash, MetainfoError, SafePath, Warning};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use tailwater_bencode::{List, Value};

/// How much of an untrusted name a message repeats.
const EXCERPT_CHARS: usize = 120;

/// A file as the info dictionary lists it. Paths do not begin with the torrent's name yet.
pub(super) struct RawFile {
    pub(super) path: MendedPath,
    pub(super) length: u64,
    pub(super) attributes: Attributes,
    pub(super) symlink: Option<String>,
    pub(super) pieces_root: Option<MerkleHash>,
    /// Where its entry is in the input.
    pub(super) at: usize,
}

/// A path made safe, its components joined by slashes.
pub(super) struct MendedPath {
    pub(super) safe: String,
    /// The original path, where it differs.
    pub(super) original: Option<Box<str>>,
    /// The same in bytes, the components joined by slashes, where they are names of files.
    pub(super) raw: Option<Vec<u8>>,
}

impl MendedPath {
    /// A path that is safe already.
    pub(super) const fn safe(safe: String) -> Self {
        Self {
            safe,
            original: None,
            raw: None,
        }
    }

    /// Makes components safe and counts the bytes that are kept.
    pub(super) fn new<'a>(
        components: impl Iterator<Item = &'a [u8]> + Clone,
        context: &mut Context<'_>,
    ) -> Result<Self, FieldProblem> {
        let most = context.limits.directory_depth;
        if components.clone().nth(most).is_some() {
            return Err(FieldProblem::TooDeep(most));
        }
        let mut safe = String::new();
        let mut is_changed = false;
        for component in components.clone() {
            let mended = mend(component).unwrap_or(Cow::Borrowed(NOTHING));
            is_changed |= mended.as_bytes() != component;
            if !safe.is_empty() {
                safe.push('/');
            }
            safe.push_str(&mended);
        }
        let raw = match is_changed {
            true => join(components.clone()),
            false => None,
        };
        let original = is_changed.then(|| display(components));
        context.charge_path(safe.len() + original.as_ref().map_or(0, String::len))?;
        Ok(Self {
            safe,
            raw,
            original: original.map(String::into_boxed_str),
        })
    }
}

/// The beginning of an untrusted text, for messages.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn display<'a>(components: impl Iterator<Item = &'a [u8]>) -> String {
    let components: Vec<_> = components.map(String::from_utf8_lossy).collect();
    components.join("/")
}

/// A list of strings as components, or else where and why it is none.
pub(super) fn components<'d, 'a>(
    value: Value<'d, 'a>,
    field: &str,
) -> Result<impl Iterator<Item = &'a [u8]> + Clone + use<'d, 'a>, MetainfoError> {
    let not_a_list = || {
        error_at(
            field.to_owned(),
            value,
            FieldProblem::NotA("a list of strings"),
        )
    };
    let list: List<'d, 'a> = value.as_list().ok_or_else(not_a_list)?;
    for (number, component) in list.iter().enumerate() {
        if component.as_bytes().is_none() {
            let field = format!("{field}[{number}]");
            return Err(error_at(field, component, FieldProblem::NotA("a string")));
        }
    }
    Ok(list.iter().filter_map(Value::as_bytes))
}

/// The target of a symlink (BEP 47), which must name something inside the torrent.
pub(super) fn symlink_target(
    value: Value<'_, '_>,
    field: &str,
    context: &mut Context<'_>,
) -> Result<String, MetainfoError> {
    let components = components(value, field)?;
    let fail = |problem| error_at(field.to_owned(), value, problem);
    let is_separator = |byte: &u8| matches!(byte, b'/' | b'\\');
    let escapes = |name: &[u8]| {
        name == b".." || (name.iter().any(is_separator) && !name.iter().all(is_separator))
    };
    let is_absolute = |name: &[u8]| name.iter().all(is_separator);
    if components.clone().next().is_none_or(is_absolute) || components.clone().any(escapes) {
        return Err(fail(FieldProblem::EscapingSymlink(excerpt(&display(
            components,
        )))));
    }
    MendedPath::new(components, context)
        .map(|path| path.safe)
        .map_err(fail)
}

/// Takes the target of a symlink from the link's own folder on, where it is not in the torrent from the torrent's folder
/// on (BEP 47) and is there: older versions of libtorrent wrote it so, and its newer ones read it so.
pub(super) fn mend_symlinks(files: &mut [RawFile]) {
    if files.iter().all(|file| file.symlink.is_none()) {
        return;
    }
    let paths = files.iter().filter(|file| !file.attributes.pad);
    let mut paths: Vec<_> = paths.map(|file| file.path.safe.as_str()).collect();
    paths.sort_unstable();
    let is_there = |path: &str| {
        let folder = format!("{path}/");
        let inside = paths.partition_point(|other| *other < folder.as_str());
        let has_inside = paths
            .get(inside)
            .is_some_and(|other| other.starts_with(&folder));
        has_inside || paths.binary_search(&path).is_ok()
    };
    let beside = |file: &RawFile| {
        let target = file.symlink.as_ref().filter(|target| !is_there(target))?;
        let (folder, _) = file.path.safe.rsplit_once('/')?;
        Some(format!("{folder}/{target}")).filter(|target| is_there(target))
    };
    let mended: Vec<_> = files.iter().map(beside).collect();
    for (file, target) in files.iter_mut().zip(mended) {
        file.symlink = target.or(file.symlink.take());
    }
}

/// Gives every file that is not a pad file a path that no earlier file and no directory has, ignoring case, as some
/// file systems do. Directories keep their names, files are renamed.
pub(super) fn settle(
    files: &[RawFile],
    root: Option<&str>,
    context: &mut Context<'_>,
    field_of: impl Fn(usize) -> String,
) -> Result<Vec<SafePath>, MetainfoError> {
    let mut taken = Taken::new(files, context.limits.duplicate_names);
    let mut settled = Vec::with_capacity(files.len());
    for (number, file) in files.iter().enumerate() {
        let wanted = SafePath::from_mended(file.path.safe.clone());
        let path = if file.attributes.pad || taken.take(&wanted) {
            wanted
        } else {
            let numbered = taken.take_numbered(&wanted);
            let path =
                numbered.and_then(|path| context.charge_path(path.as_str().len()).map(|()| path));
            let path = path.map_err(|problem| MetainfoError::Field {
                field: field_of(number),
                offset: file.at,
                problem,
            })?;
            context.warn(Warning::PathTaken {
                file: number,
                original: wanted.to_string(),
                safe: path.to_string(),
            });
            path
        };
        if let Some(original) = &file.path.original {
            context.warn(Warning::PathChanged {
                file: number,
                original: original.to_string(),
                safe: path.to_string(),
            });
        }
        context
            .charge_path(root.map_or(0, str::len))
            .map_err(|problem| MetainfoError::Field {
                field: field_of(number),
                offset: file.at,
                problem,
            })?;
        settled.push(rooted(root, path));
    }
    for (number, file) in files.iter().enumerate() {
        if let Some(target) = file
            .symlink
            .as_ref()
            .filter(|target| !taken.contains(target))
        {
            context.warn(Warning::DanglingSymlink {
                file: number,
                target: target.clone(),
            });
        }
    }
    Ok(settled)
}

/// The path of a file as it stands in the torrent, its components joined by slashes, where that is not `path`. `name` is
/// the torrent's, the folder's if there are several files.
pub(super) fn raw_path(
    file: &RawFile,
    path: &SafePath,
    name: &[u8],
    is_multi_file: bool,
    context: &mut Context<'_>,
) -> Result<Option<Box<[u8]>>, FieldProblem> {
    if file.attributes.pad {
        return Ok(None);
    }
    let inside = match (&file.path.original, &file.path.raw) {
        (None, _) => Some(file.path.safe.as_bytes()),
        (Some(_), raw) => raw.as_deref(),
    };
    let raw = match (join([name].into_iter()), inside) {
        (name, _) if !is_multi_file => name,
        (Some(name), Some(inside)) => Some([&name, inside].join(&b'/')),
        _ => None,
    };
    let raw = raw.filter(|raw| raw != path.as_str().as_bytes());
    context.charge_path(raw.as_ref().map_or(0, Vec::len))?;
    Ok(raw.map(Vec::into_boxed_slice))
}

/// The path inside the folder of a torrent of several files.
pub(super) fn rooted(root: Option<&str>, path: SafePath) -> SafePath {
    match root {
        Some(root) => SafePath::from_mended(format!("{root}/{path}")),
        None => path,
    }
}

/// The paths that are in use, as hashes: that bounds the memory by the number of components, where the paths
/// themselves, each with those of all directories above it, would not. Where two hashes are equal by chance or malice, a
/// file is renamed without need, and nothing worse.
struct Taken {
    hashes: HashSet<u64>,
    /// The last number given to a file on a path.
    numbers: HashMap<u64, usize>,
    /// How many more names may be tried.
    tries_left: usize,
    tries: usize,
}

impl Taken {
    /// Marks the directories of all files as taken.
    fn new(files: &[RawFile], tries: usize) -> Self {
        let mut hashes = HashSet::new();
        for file in files.iter().filter(|file| !file.attributes.pad) {
            let mut hasher = DefaultHasher::new();
            for c in file.path.safe.chars() {
                if c == '/' {
                    hashes.insert(hasher.finish());
                }
                fold(c, &mut hasher);
            }
        }
        Self {
            hashes,
            numbers: HashMap::new(),
            tries_left: tries,
            tries,
        }
    }

    fn contains(&self, path: &str) -> bool {
        self.hashes.contains(&folded_hash(path))
    }

    /// Marks a path as taken; returns whether it was free.
    fn take(&mut self, path: &SafePath) -> bool {
        self.hashes.insert(folded_hash(path.as_str()))
    }

    /// Takes the same path with the next free number.
    fn take_numbered(&mut self, path: &SafePath) -> Result<SafePath, FieldProblem> {
        let hash = folded_hash(path.as_str());
        loop {
            self.tries_left = self
                .tries_left
                .checked_sub(1)
                .ok_or(FieldProblem::DuplicateNames(self.tries))?;
            let number = self.numbers.entry(hash).or_default();
            *number += 1;
            let numbered = path.numbered(*number);
            if self.take(&numbered) {
                return Ok(numbered);
            }
        }
    }
}

fn folded_hash(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.chars().for_each(|c| fold(c, &mut hasher));
    hasher.finish()
}

/// Upper case and back: file systems take letters such as ς and σ, which share only the upper case, for the same.
fn fold(c: char, hasher: &mut DefaultHasher) {
    if c.is_ascii() {
        return c.to_ascii_lowercase().hash(hasher);
    }
    for c in c.to_uppercase().flat_map(char::to_lowercase) {
        c.hash(hasher);
    }
}
