//! The v1 file list (BEP 3) with the attributes of BEP 47.

use super::context::{Context, Node, error_at};
use super::paths::{MendedPath, RawFile, components, symlink_target};
use crate::{Attributes, FieldProblem, MetainfoError, Warning};
use tailwater_bencode::Value;

/// How BitComet names its pad files, which have no attribute.
const BITCOMET_PAD: &[u8] = b"_____padding_file_";

/// The files of an info dictionary that has `files`, or the one of one that has `length`.
pub(super) fn files(
    info: &Node<'_, '_, '_>,
    name: &str,
    context: &mut Context<'_>,
) -> Result<Vec<RawFile>, MetainfoError> {
    let Some(list) = info.dict.get("files") else {
        return Ok(vec![single(info, name, context)?]);
    };
    if info.dict.get("length").is_some() {
        return Err(info.error("files", FieldProblem::LengthAndFiles));
    }
    let not_a_list = || info.error("files", FieldProblem::NotA("a list"));
    let mut files = Vec::new();
    for (number, value) in list.as_list().ok_or_else(not_a_list)?.iter().enumerate() {
        let path = field_of(number);
        let dict = value
            .as_dict()
            .ok_or_else(|| error_at(path.clone(), value, FieldProblem::NotA("a dictionary")))?;
        files.push(entry(&Node { dict, path: &path }, context)?);
    }
    if files.is_empty() {
        return Err(info.error("files", FieldProblem::Empty));
    }
    Ok(files)
}

/// The path of a file's entry, for messages.
pub(super) fn field_of(number: usize) -> String {
    format!("info.files[{number}]")
}

fn single(
    info: &Node<'_, '_, '_>,
    name: &str,
    context: &mut Context<'_>,
) -> Result<RawFile, MetainfoError> {
    let mut attributes = attributes(info, context);
    // The only file cannot be padding, nor a link to another.
    attributes.pad = false;
    attributes.symlink = false;
    Ok(RawFile {
        path: MendedPath::safe(name.to_owned()),
        length: info.required_u64("length")?,
        attributes,
        symlink: None,
        pieces_root: None,
        at: info.dict.as_value().span().start,
    })
}

fn entry(file: &Node<'_, '_, '_>, context: &mut Context<'_>) -> Result<RawFile, MetainfoError> {
    let mut attributes = attributes(file, context);
    let length = length(file, attributes, context)?;
    let key = path_key(file, context);
    if let Some(last) = file
        .dict
        .get_list(key)
        .and_then(|path| path.iter().last()?.as_bytes())
    {
        attributes.pad |= last.starts_with(BITCOMET_PAD);
    }
    let path = match path(file, key, context) {
        // Pad files are never written to disk, so their names do not matter; BEP 47 recommends this one.
        Err(_) if attributes.pad => MendedPath::safe(format!(".pad/{length}")),
        path => path?,
    };
    let symlink = if attributes.symlink && !attributes.pad {
        let target = file
            .dict
            .get("symlink path")
            .ok_or_else(|| file.missing("symlink path"))?;
        Some(symlink_target(
            target,
            &file.field("symlink path"),
            context,
        )?)
    } else {
        None
    };
    Ok(RawFile {
        path,
        length,
        attributes,
        symlink,
        pieces_root: None,
        at: file.dict.as_value().span().start,
    })
}

/// The length of a file; that of a symlink is 0 and need not be there (BEP 47).
pub(super) fn length(
    file: &Node<'_, '_, '_>,
    attributes: Attributes,
    context: &mut Context<'_>,
) -> Result<u64, MetainfoError> {
    if !attributes.symlink {
        return file.required_u64("length");
    }
    if let Some(value) = file
        .dict
        .get("length")
        .filter(|value| value.as_int() != Some(0))
    {
        context.warn(Warning::SymlinkLength {
            field: file.field("length"),
            offset: value.span().start,
        });
    }
    Ok(0)
}

/// The attributes of a file (BEP 47); unknown letters are ignored.
pub(super) fn attributes(file: &Node<'_, '_, '_>, context: &mut Context<'_>) -> Attributes {
    let letters = context.optional(file, "attr", "a string", Value::as_bytes);
    let has = |letter: u8| letters.is_some_and(|letters| letters.contains(&letter));
    Attributes {
        pad: has(b'p'),
        executable: has(b'x'),
        hidden: has(b'h'),
        symlink: has(b'l'),
    }
}

/// `path.utf-8` is the better one where `path` is in some other encoding.
fn path_key(file: &Node<'_, '_, '_>, context: &mut Context<'_>) -> &'static str {
    let usable = |value: Value<'_, '_>| {
        let list = value.as_list()?;
        (!list.is_empty() && list.iter().all(|name| name.as_str().is_some())).then_some(())
    };
    match context.optional(file, "path.utf-8", "a list of UTF-8 strings", usable) {
        Some(()) => "path.utf-8",
        None => "path",
    }
}

fn path(
    file: &Node<'_, '_, '_>,
    key: &str,
    context: &mut Context<'_>,
) -> Result<MendedPath, MetainfoError> {
    let value = file.dict.get(key).ok_or_else(|| file.missing(key))?;
    let components = components(value, &file.field(key))?;
    if components.clone().next().is_none() {
        return Err(file.error(key, FieldProblem::Empty));
    }
    MendedPath::new(components, context).map_err(|problem| file.error(key, problem))
}
