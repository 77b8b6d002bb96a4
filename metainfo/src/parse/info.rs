//! Parses the info dictionary: versions, sizes, and the two file lists of a hybrid, which must agree.

use super::context::{Context, Node};
use super::paths::{RawFile, excerpt, mend_symlinks, raw_path, rooted, settle};
use super::{v1, v2};
use crate::info::Inner;
use crate::limits::MAX_PIECE_LENGTH;
use crate::safe_path::mend;
use crate::{
    BLOCK_LEN, FieldProblem, FileEntry, Geometry, GeometryError, Info, InfoHash, InfoHashV2,
    InfoHashes, Limits, MetainfoError, SafePath, Warning,
};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use std::borrow::Cow;
use std::ops::Range;
use tailwater_bencode::{Dict, Value};

/// The version of BEP 52, the only one besides that of BEP 3, which has no number.
const META_VERSION: i64 = 2;

/// Reads an info dictionary that stands alone.
pub(crate) fn parse_info(bytes: &[u8], limits: &Limits) -> Result<Info, MetainfoError> {
    let mut context = Context::new(limits);
    let document = context.decode(bytes)?;
    let root = document.root();
    let dict = root.as_dict().ok_or(MetainfoError::Field {
        field: "info".to_owned(),
        offset: 0,
        problem: FieldProblem::NotA("a dictionary"),
    })?;
    Ok(Info::new(read(dict, &mut context)?))
}

/// Reads the info dictionary of a .torrent file; the warnings stay in `context`.
pub(super) fn read(dict: Dict<'_, '_>, context: &mut Context<'_>) -> Result<Inner, MetainfoError> {
    let info = Node { dict, path: "info" };
    let (has_v1, has_v2) = versions(&info, context)?;
    let (name, raw_name) = name(&info, has_v1, context)?;
    let piece_length = piece_length(&info, has_v2)?;
    let mut files = if has_v1 {
        v1::files(&info, name.as_str(), context)?
    } else {
        Vec::new()
    };
    let mut is_multi_file = dict.get("files").is_some();
    if has_v2 {
        let tree = v2::files(&info, context)?;
        if has_v1 {
            match_hybrid(&info, &mut files, tree, piece_length)?;
        } else {
            files = tree;
            is_multi_file = !v2::is_single_file(&info, raw_name);
        }
    }
    let list = if has_v1 { "files" } else { "file tree" };
    let align = if has_v1 { 1 } else { u64::from(piece_length) };
    let offsets = offsets(&info, list, &files, align)?;
    let geometry = if has_v1 {
        Geometry::new(offsets.last().copied().unwrap_or_default(), piece_length)
    } else {
        Geometry::aligned(files.iter().map(|file| file.length), piece_length)
    };
    let geometry = geometry.map_err(|error| geometry_error(&info, error))?;
    let pieces = if has_v1 {
        Some(piece_hashes(&info, &geometry)?)
    } else {
        None
    };
    let is_private = is_private(&info, context);
    let root = is_multi_file.then(|| name.as_str());
    let files = finish(files, &offsets, (root, raw_name), context)?;
    let raw = dict.as_value().raw();
    Ok(Inner {
        raw: raw.to_vec(),
        hashes: InfoHashes {
            v1: has_v1.then(|| InfoHash::new(Sha1::digest(raw).into())),
            v2: has_v2.then(|| InfoHashV2::new(Sha256::digest(raw).into())),
        },
        original_name: (name.as_str().as_bytes() != raw_name)
            .then(|| String::from_utf8_lossy(raw_name).into()),
        name,
        geometry,
        files,
        pieces,
        is_private,
        is_multi_file,
        warnings: context.warnings(),
    })
}

/// Whether there are v1 and v2 data. An unknown version is reported before anything else is checked, as BEP 52 demands.
fn versions(
    info: &Node<'_, '_, '_>,
    context: &mut Context<'_>,
) -> Result<(bool, bool), MetainfoError> {
    let version = context.optional(info, "meta version", "a number", Value::as_int);
    let has_v1 = info.dict.get("pieces").is_some();
    match version {
        None => Ok((true, false)),
        Some(META_VERSION) => Ok((has_v1, true)),
        Some(version) => Err(info.error("meta version", FieldProblem::Version(version))),
    }
}

/// The name made safe, and as it is in the torrent. `name.utf-8` is the better one where `name` is in some other
/// encoding.
fn name<'a>(
    info: &Node<'_, 'a, '_>,
    has_v1: bool,
    context: &mut Context<'_>,
) -> Result<(SafePath, &'a [u8]), MetainfoError> {
    let text = |value: Value<'_, 'a>| value.as_str().filter(|name| !name.is_empty());
    let better = context.optional(info, "name.utf-8", "a UTF-8 string", text);
    let raw = match better {
        Some(name) => name.as_bytes(),
        None => info.required("name", "a string", Value::as_bytes)?,
    };
    let display = || String::from_utf8_lossy(raw).into_owned();
    if raw.is_empty() {
        return Err(info.error("name", FieldProblem::Empty));
    }
    let is_single_file = has_v1 && info.dict.get("files").is_none();
    let safe = match mend(raw) {
        Some(safe) => safe,
        None if is_single_file => {
            return Err(info.error("name", FieldProblem::NothingLeft(excerpt(&display()))));
        }
        // As libtorrent does, so that the same files are found under the same name.
        None => Cow::Owned(hash_as_name(info, has_v1)),
    };
    if safe.as_bytes() != raw {
        context.warn(Warning::NameChanged {
            original: display(),
            safe: safe.clone().into_owned(),
        });
    }
    Ok((SafePath::from_mended(safe.into_owned()), raw))
}

fn hash_as_name(info: &Node<'_, '_, '_>, has_v1: bool) -> String {
    let raw = info.dict.as_value().raw();
    match has_v1 {
        true => InfoHash::new(Sha1::digest(raw).into()).to_string(),
        false => InfoHashV2::new(Sha256::digest(raw).into()).to_string(),
    }
}

fn piece_length(info: &Node<'_, '_, '_>, has_v2: bool) -> Result<u32, MetainfoError> {
    let length = info.required_u64("piece length")?;
    let fail = |problem| info.error("piece length", problem);
    let fits = u32::try_from(length)
        .ok()
        .filter(|&length| length > 0 && length <= MAX_PIECE_LENGTH);
    let fits = fits.ok_or_else(|| fail(GeometryError::PieceLength(length).into()))?;
    if has_v2 && !(fits.is_power_of_two() && fits >= BLOCK_LEN) {
        return Err(fail(FieldProblem::PieceLengthV2(length)));
    }
    Ok(fits)
}

/// Where each file begins, and where the last one ends. Files that are not empty begin at multiples of `align`.
fn offsets(
    info: &Node<'_, '_, '_>,
    list: &str,
    files: &[RawFile],
    align: u64,
) -> Result<Vec<u64>, MetainfoError> {
    let mut at = 0u64;
    let mut offsets = Vec::with_capacity(files.len() + 1);
    for (number, file) in files.iter().enumerate() {
        let start = if file.length == 0 {
            Some(at)
        } else {
            at.checked_next_multiple_of(align)
        };
        let end = start.and_then(|start| start.checked_add(file.length));
        let (Some(start), Some(end)) = (start, end) else {
            return Err(MetainfoError::Field {
                field: format!("{}[{number}]", info.field(list)),
                offset: file.at,
                problem: FieldProblem::SumOverflow,
            });
        };
        offsets.push(start);
        at = end;
    }
    offsets.push(at);
    Ok(offsets)
}

/// An error of the sizes, at the field that causes it.
fn geometry_error(info: &Node<'_, '_, '_>, error: GeometryError) -> MetainfoError {
    let sizes = ["length", "files", "file tree"];
    let key = match error {
        GeometryError::PieceLength(_) => "piece length",
        _ => sizes
            .into_iter()
            .find(|key| info.dict.get(key).is_some())
            .unwrap_or("length"),
    };
    info.error(key, error.into())
}

/// Where the v1 piece hashes are in the info dictionary; one for each piece (BEP 3).
fn piece_hashes(
    info: &Node<'_, '_, '_>,
    geometry: &Geometry,
) -> Result<Range<usize>, MetainfoError> {
    let hashes = info.required("pieces", "a string", Value::as_bytes)?;
    if hashes.len() % 20 != 0 {
        return Err(info.error("pieces", FieldProblem::PiecesLength(hashes.len())));
    }
    let found = hashes.len() / 20;
    if u32::try_from(found) != Ok(geometry.piece_count()) {
        let expected = geometry.piece_count();
        return Err(info.error("pieces", FieldProblem::PieceCount { expected, found }));
    }
    let end = info.dict.get("pieces").map_or(0, |value| value.span().end);
    let end = end - info.dict.as_value().span().start;
    Ok(end - hashes.len()..end)
}

/// Whether the torrent is private (BEP 27). In doubt it is: a private torrent that is announced publicly by mistake
/// cannot be made private again.
fn is_private(info: &Node<'_, '_, '_>, context: &mut Context<'_>) -> bool {
    let flag = |value: Value<'_, '_>| match (value.as_int(), value.as_bytes()) {
        (Some(number), _) => Some(number != 0),
        (None, Some(b"1")) => Some(true),
        _ => None,
    };
    context
        .optional(info, "private", "0 or 1", flag)
        .unwrap_or(false)
}

/// Checks that both lists of a hybrid torrent name the same files in the same places, and takes the hashes of the v2
/// tree over (BEP 52, Upgrade Path).
fn match_hybrid(
    info: &Node<'_, '_, '_>,
    files: &mut [RawFile],
    tree: Vec<RawFile>,
    piece_length: u32,
) -> Result<(), MetainfoError> {
    let fail = |text: String| info.error("file tree", FieldProblem::Hybrid(excerpt(&text)));
    let offsets = offsets(info, "files", files, 1)?;
    let mut tree = tree.into_iter();
    for (file, &offset) in files
        .iter_mut()
        .zip(&offsets)
        .filter(|(file, _)| !file.attributes.pad)
    {
        let Some(twin) = tree.next() else {
            return Err(fail(format!("{:?} is only in the v1 list", file.path.safe)));
        };
        if file.path.safe != twin.path.safe {
            return Err(fail(format!(
                "{:?} and {:?}",
                file.path.safe, twin.path.safe
            )));
        }
        if file.length != twin.length {
            let (one, two) = (file.length, twin.length);
            return Err(fail(format!(
                "{:?} of {one} and of {two} bytes",
                file.path.safe
            )));
        }
        if file.symlink != twin.symlink {
            return Err(fail(format!("the symlink {:?}", file.path.safe)));
        }
        if file.length > 0 && !offset.is_multiple_of(u64::from(piece_length)) {
            return Err(fail(format!(
                "{:?} does not begin with a piece",
                file.path.safe
            )));
        }
        file.pieces_root = twin.pieces_root;
    }
    match tree.next() {
        Some(twin) => Err(fail(format!("{:?} is only in the v2 tree", twin.path.safe))),
        None => Ok(()),
    }
}

fn finish(
    mut files: Vec<RawFile>,
    offsets: &[u64],
    (root, raw_name): (Option<&str>, &[u8]),
    context: &mut Context<'_>,
) -> Result<Vec<FileEntry>, MetainfoError> {
    mend_symlinks(&mut files);
    let paths = settle(&files, root, context, v1::field_of)?;
    let mut raw_paths = Vec::with_capacity(files.len());
    for (number, (file, path)) in files.iter().zip(&paths).enumerate() {
        let raw = raw_path(file, path, raw_name, root.is_some(), context);
        raw_paths.push(raw.map_err(|problem| MetainfoError::Field {
            field: v1::field_of(number),
            offset: file.at,
            problem,
        })?);
    }
    let entries = files.into_iter().zip(paths).zip(raw_paths).zip(offsets);
    let entry = |(((file, path), raw_path), &offset)| {
        let (file, path): (RawFile, SafePath) = (file, path);
        FileEntry {
            path,
            original_path: file.path.original,
            raw_path,
            length: file.length,
            offset,
            attributes: file.attributes,
            symlink: file
                .symlink
                .map(|target| rooted(root, SafePath::from_mended(target))),
            pieces_root: file.pieces_root,
        }
    };
    Ok(entries.map(entry).collect())
}
