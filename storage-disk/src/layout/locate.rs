//! Locates a torrent's files on the disk.
//!
//! A file that another program put there has the name that stands in the torrent, even where that is not safe
//! everywhere. Such a name is used for a file that exists, and only then. A file that was begun under the name of a part
//! is found under that.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use tailwater_metainfo::Info;

use crate::layout::names::part_name;
use crate::system::metadata::FileId;

/// The location of a file that exists or will be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    /// Its path below the download folder when it is complete.
    pub(crate) path: PathBuf,
    /// It exists under that path.
    pub(crate) is_there: bool,
    /// It exists under the name of a part.
    pub(crate) is_part: bool,
    /// No other file of the torrent has the name of its part.
    pub(crate) may_be_part: bool,
}

impl Located {
    fn current(self) -> PathBuf {
        match self.is_part {
            true => part_name(&self.path),
            false => self.path,
        }
    }
}

/// Where the files of a torrent lie below the folder `root`, or would be downloaded to, in the order of
/// [`Info::files`]: paths relative to `root` that stay inside. Looks at the disk, so it blocks; nothing is opened.
///
/// A file is looked for under the name that stands in the torrent, then under the safe one
/// ([`FileEntry::path`](tailwater_metainfo::FileEntry::path)), then under that with `.part` behind.
#[must_use]
pub fn locate_files(info: &Info, root: &Path) -> Vec<PathBuf> {
    let located = locate(info, root);
    located.into_iter().map(Located::current).collect()
}

pub(crate) fn locate(info: &Info, root: &Path) -> Vec<Located> {
    let paths = choose(info, root);
    let all: HashSet<PathBuf> = paths.iter().cloned().collect();
    let mut tops = HashMap::new();
    let located = info.files().iter().zip(paths).map(|(file, path)| {
        // What is to go into a folder that does not exist is not looked for.
        let top = path.iter().next().unwrap_or_default().to_owned();
        let is_flat = path.iter().nth(1).is_none();
        let has_top = *tops
            .entry(top)
            .or_insert_with_key(|top| is_flat || exists(root, Path::new(top)));
        let part = part_name(&path);
        let is_there = !file.is_pad() && has_top && exists(root, &path);
        let may_be_part = file.length() > 0 && !file.is_pad() && !all.contains(&part);
        Located {
            is_part: may_be_part && has_top && !is_there && exists(root, &part),
            path,
            is_there,
            may_be_part,
        }
    });
    located.collect()
}

fn exists(root: &Path, below: &Path) -> bool {
    fs::symlink_metadata(root.join(below)).is_ok()
}

/// The path of each file: as it stands in the torrent where that exists and no other file has it.
fn choose(info: &Info, root: &Path) -> Vec<PathBuf> {
    let files = info.files();
    let safe = |index: usize| files[index].path().under(Path::new(""));
    let mut chosen: Vec<_> = (0..files.len()).map(safe).collect();
    let mut own_names = Vec::new();
    for (index, file) in files.iter().enumerate() {
        if let Some(path) = file.path_in_torrent().filter(|path| exists(root, path)) {
            chosen[index] = path;
            own_names.push(index);
        }
    }
    while let Some(doubled) = doubled(info, root, &chosen, &own_names) {
        chosen[doubled] = safe(doubled);
        own_names.retain(|&index| index != doubled);
        // A torrent that is made to have many such is not worth more looks.
        if own_names.len() > MOST_DOUBLED {
            own_names
                .drain(..)
                .for_each(|index| chosen[index] = safe(index));
        }
    }
    chosen
}

/// Names that are given up one by one, if they turn out to be those of other files.
const MOST_DOUBLED: usize = 100;

/// A file with its own name that has the path of another file, or is another file's by another case of letters.
fn doubled(info: &Info, root: &Path, chosen: &[PathBuf], own_names: &[usize]) -> Option<usize> {
    if own_names.is_empty() {
        return None;
    }
    let fold = |path: &Path| path.to_string_lossy().to_lowercase();
    let mut others: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, file) in info.files().iter().enumerate() {
        if !file.is_pad() {
            others.entry(fold(&chosen[index])).or_default().push(index);
        }
    }
    let is_same = |one: usize, other: usize| {
        let id = |index: usize| {
            let found = fs::symlink_metadata(root.join(&chosen[index])).ok()?;
            Some(FileId::of(&found))
        };
        // Where the system does not tell files apart, it does not tell letters apart either.
        chosen[one] == chosen[other] || id(other).is_some_and(|found| id(one) == Some(found))
    };
    own_names.iter().copied().find(|&index| {
        let others = others.get(&fold(&chosen[index])).into_iter().flatten();
        others
            .copied()
            .any(|other| other != index && is_same(index, other))
    })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    fn info(paths: &[&[&[u8]]]) -> Info {
        let string = |bytes: &[u8]| [format!("{}:", bytes.len()).as_bytes(), bytes].concat();
        let mut torrent = b"d5:filesl".to_vec();
        for path in paths {
            torrent.extend(b"d6:lengthi1e4:pathl");
            path.iter().for_each(|part| torrent.extend(string(part)));
            torrent.extend(b"ee");
        }
        torrent.extend(b"e4:name1:t12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae");
        Info::from_bytes(&torrent).unwrap()
    }

    fn located(info: &Info, there: &[&str]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for name in there {
            let path = dir.path().join("t").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
        let paths = locate_files(info, dir.path());
        let names = paths.iter().map(|path| path.strip_prefix("t").unwrap());
        names
            .map(|name| name.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn files_are_found_under_their_own_name_the_safe_one_or_as_parts() {
        let torrent = info(&[&[b"README"], &[b"readme"], &[b"CON"]]);
        assert_eq!(located(&torrent, &[]), ["README", "readme.1", "_CON"]);
        let own = ["README", "readme", "CON"];
        assert_eq!(located(&torrent, &own), own);
        assert_eq!(
            located(&torrent, &["readme.1", "CON", "README.part"]),
            ["README.part", "readme.1", "CON"]
        );
        // The own name comes first, then the safe one.
        assert_eq!(
            located(&torrent, &["readme.1", "readme", "README", "README.part"]),
            ["README", "readme", "_CON"]
        );
    }

    #[test]
    fn no_two_files_lie_in_one_place() {
        let torrent = info(&[&[b"a/b"], &[b"ab"], &[b"ab"], &[b"x"], &[b"x.part"]]);
        let safe = ["ab", "ab.1", "ab.2", "x", "x.part"];
        assert_eq!(located(&torrent, &[]), safe);
        assert_eq!(located(&torrent, &["ab", "x.part"]), safe);
        // What one file is called safely, another is called in truth.
        let torrent = info(&[&[b"CON"], &[b"_CON"]]);
        assert_eq!(located(&torrent, &["CON", "_CON"]), ["CON", "_CON"]);
        assert_eq!(located(&torrent, &["_CON"]), ["_CON", "_CON.1"]);
    }

    proptest! {
        #[test]
        fn no_name_leads_out_of_the_folder_or_to_another_file(
            names in prop::collection::vec(
                prop::collection::vec(prop_oneof![Just(b'.'), Just(b'/'), Just(b'A'), Just(b'a'), any::<u8>()], 1..5),
                1..6,
            ),
        ) {
            let parts: Vec<[&[u8]; 1]> = names.iter().map(|name| [&name[..]]).collect();
            let parts: Vec<&[&[u8]]> = parts.iter().map(|part| &part[..]).collect();
            let torrent = info(&parts);
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("t")).unwrap();
            for file in torrent.files() {
                if let Some(path) = file.path_in_torrent() {
                    // Not every name can be made everywhere.
                    let _ = fs::write(dir.path().join(path), b"x");
                }
            }
            let paths = locate_files(&torrent, dir.path());
            let plain = |path: &PathBuf| path.components().all(|part| matches!(part, Component::Normal(_)));
            prop_assert!(paths.iter().all(plain), "{paths:?}");
            let different: HashSet<_> = paths.iter().collect();
            prop_assert_eq!(different.len(), paths.len());
        }
    }
}
