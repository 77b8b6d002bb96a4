//! Names of incomplete files: they may be called parts; each gets its own name when all its pieces are verified.

use crate::layout::FileSpan;
use crate::layout::slots::slot_to_index;
use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use tailwater_types::InfoHash;

/// The suffix of an incomplete file's name.
const PART_SUFFIX: &str = ".part";

/// Which files have the name of a part at the moment. Locked while a file is opened or looked at by its name, so that it
/// is not renamed meanwhile.
pub(crate) struct Names {
    parts: RwLock<Box<[bool]>>,
}

/// The names as they are, until this is dropped. Not to be taken twice by one thread.
pub(crate) struct CurrentNames<'a>(RwLockReadGuard<'a, Box<[bool]>>);

impl Names {
    pub(crate) fn new(files: &[FileSpan]) -> Self {
        Self {
            parts: RwLock::new(files.iter().map(|file| file.is_part).collect()),
        }
    }

    pub(crate) fn current(&self) -> CurrentNames<'_> {
        CurrentNames(self.parts.read())
    }

    pub(crate) fn change(&self) -> RwLockWriteGuard<'_, Box<[bool]>> {
        self.parts.write()
    }
}

impl CurrentNames<'_> {
    pub(crate) fn path<'a>(&self, slot: u32, file: &'a FileSpan) -> Cow<'a, Path> {
        match self.0.get(slot_to_index(slot)) {
            Some(true) => part_name(&file.path).into(),
            _ => Cow::Borrowed(&file.path),
        }
    }

    pub(crate) fn is_part(&self, index: usize) -> bool {
        self.0.get(index) == Some(&true)
    }
}

/// The name of an incomplete file.
pub(crate) fn part_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(PART_SUFFIX);
    name.into()
}

/// The name of a torrent's parts file in its download folder.
pub(crate) fn parts_name(info_hash: InfoHash) -> PathBuf {
    format!(".{info_hash}.parts").into()
}
