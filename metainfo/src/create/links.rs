//! What the symlinks of a folder point to, for a new torrent that keeps them (BEP 47).

use super::walk::LeftOutReason;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path};

/// The path below `root` of what the link at `path` points to. `components` is its own path below `root`.
pub(super) fn target(
    root: &Path,
    path: &Path,
    components: &[String],
) -> Result<Vec<String>, LeftOutReason> {
    let text = fs::read_link(path).map_err(LeftOutReason::Unreadable)?;
    let is_absolute = text.is_absolute();
    let inside = match is_absolute {
        true => {
            let real = root.canonicalize().map_err(LeftOutReason::Unreadable)?;
            let inside = text.strip_prefix(real).map(Path::to_owned);
            inside.map_err(|_| LeftOutReason::LeadsOut)?
        }
        false => text,
    };
    let folder = components.split_last().map_or(&[][..], |(_, above)| above);
    let mut target = if is_absolute {
        Vec::new()
    } else {
        folder.to_vec()
    };
    for component in inside.components() {
        match component {
            Component::Normal(name) => target.push(text_of(name)?),
            Component::CurDir => {}
            Component::ParentDir => {
                target.pop().ok_or(LeftOutReason::LeadsOut)?;
            }
            Component::RootDir | Component::Prefix(_) => return Err(LeftOutReason::LeadsOut),
        }
    }
    // A torrent has a path without `..`. Behind another link, that is not where `..` leads.
    let stated = target
        .iter()
        .fold(root.to_owned(), |path, name| path.join(name));
    let is_other = match (path.canonicalize(), stated.canonicalize()) {
        (Ok(real), Ok(stated)) => real != stated,
        (real, stated) => real.is_ok() != stated.is_ok(),
    };
    match target.is_empty() || is_other {
        true => Err(LeftOutReason::LeadsOut),
        false => Ok(target),
    }
}

fn text_of(name: &OsStr) -> Result<String, LeftOutReason> {
    let text = name.to_str().ok_or(LeftOutReason::NotUtf8)?;
    Ok(text.to_owned())
}
