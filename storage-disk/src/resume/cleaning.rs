//! Cleans the state folder when a session starts: removes what is of no use any more.

use crate::resume::store::read_resume;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A file that was being written when its process was killed is removed after this time: until then another process may
/// be at work on it.
const UNFINISHED_FOR: Duration = DAY;

/// What has not been used for this long is removed: losing it costs one check of the files, or one fetch of metadata.
const UNUSED_FOR: Duration = Duration::from_secs(90 * DAY.as_secs());

/// The most records of resume data that are kept, the newest: more than a daemon has torrents, a kilobyte or so each. One
/// that is missing costs a check of all its files.
const MOST_RESUME: usize = 100_000;

/// The most records of metadata that are kept, the newest: each may have megabytes, and can be fetched again.
const MOST_METADATA: usize = 1_000;

/// How the name of a file that is being written begins.
pub(crate) const UNFINISHED: &str = ".saving-";

/// The kinds of records, by their extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unfinished,
    Resume,
    Metadata,
}

/// Removes from the state folder what a killed process left, resume data of files that are gone, what has not been used
/// for 90 days, and all but the newest 100 000 records of resume data and 1 000 of metadata. Files of other programs stay.
///
/// Files that cannot be looked at or removed stay, without an error: another session may be removing them.
pub fn clean(folder: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let (mut resume, mut metadata) = (Vec::new(), Vec::new());
    for entry in entries.flatten() {
        let (Some(kind), Ok(used)) = (kind(&entry), last_use(&entry)) else {
            continue;
        };
        let path = entry.path();
        let age = now.duration_since(used).unwrap_or_default();
        let is_useless = match kind {
            Kind::Unfinished => age > UNFINISHED_FOR,
            Kind::Resume => age > UNUSED_FOR || is_gone(&path),
            Kind::Metadata => age > UNUSED_FOR,
        };
        match (is_useless, kind) {
            (true, _) => remove(&path),
            (false, Kind::Unfinished) => {}
            (false, Kind::Resume) => resume.push((used, path)),
            (false, Kind::Metadata) => metadata.push((used, path)),
        }
    }
    for (mut records, most) in [(resume, MOST_RESUME), (metadata, MOST_METADATA)] {
        records.sort_unstable_by(|one, other| other.cmp(one));
        let surplus = records.iter().skip(most);
        surplus.for_each(|(_, path)| remove(path));
    }
}

/// Sets a record's time, so that it counts as used.
pub fn note_use(path: &Path, now: SystemTime) {
    let file = fs::File::options().write(true).open(path);
    // Where that fails, the record is removed a little early.
    let _ = file.and_then(|file| file.set_modified(now));
}

fn kind(entry: &DirEntry) -> Option<Kind> {
    let name = entry.file_name();
    let name = name.to_str()?;
    if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
        return None;
    }
    if name.starts_with(UNFINISHED) {
        return Some(Kind::Unfinished);
    }
    let (stem, extension) = name.rsplit_once('.')?;
    let is_ours = stem.get(..40)?.bytes().all(|byte| byte.is_ascii_hexdigit());
    match extension {
        "resume" if is_ours => Some(Kind::Resume),
        "torrent" if is_ours && stem.len() == 40 => Some(Kind::Metadata),
        _ => None,
    }
}

fn last_use(entry: &DirEntry) -> io::Result<SystemTime> {
    entry.metadata()?.modified()
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::debug!("removing {}: {error}", path.display());
    }
}

/// Whether the system says that the files of a record do not exist. What cannot be read may be of another version.
fn is_gone(path: &Path) -> bool {
    let Ok(data) = read_resume(path) else {
        return false;
    };
    let Some(places) = data.places() else {
        return false;
    };
    let is_missing = |path: &PathBuf| {
        let found = fs::symlink_metadata(path);
        found.is_err_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            )
        })
    };
    places.iter().all(is_missing)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::{ResumeData, ResumeKey};
    use tailwater_metainfo::InfoHash;

    struct State {
        dir: tempfile::TempDir,
        now: SystemTime,
    }

    impl State {
        fn write(&self, name: &str, days: u64, bytes: &[u8]) {
            let path = self.dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            note_use(&path, self.now - DAY * u32::try_from(days).unwrap());
        }

        fn clean(&self) -> Vec<String> {
            clean(self.dir.path(), self.now);
            let entries = fs::read_dir(self.dir.path()).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        }
    }

    fn state() -> State {
        State {
            dir: tempfile::tempdir().unwrap(),
            now: SystemTime::UNIX_EPOCH + DAY * 20_000,
        }
    }

    fn record(root: &Path, top: &str) -> Vec<u8> {
        let data = ResumeData {
            key: ResumeKey::new(InfoHash::new([7; 20]), root),
            top: top.into(),
            have: Vec::new(),
            unsynced: Vec::new(),
            by_sha1: Vec::new(),
            files: Vec::new(),
            uploaded: 0,
            downloaded: 0,
        };
        data.to_bytes()
    }

    #[test]
    fn what_is_old_is_removed_and_what_is_not_ours_stays() {
        let state = state();
        let hash = "07".repeat(20);
        for (name, days) in [
            (".saving-new", 0),
            (".saving-old", 2),
            (&*format!("{hash}.torrent"), 89),
            (&format!("{}.torrent", "08".repeat(20)), 91),
            (&format!("{hash}.resume"), 91),
            // Of a version that is not known.
            (&format!("{hash}-0000.resume"), 89),
            ("film.torrent", 500),
            ("notes", 500),
        ] {
            state.write(name, days, b"x");
        }
        let left = [
            ".saving-new",
            &format!("{hash}-0000.resume"),
            &format!("{hash}.torrent"),
            "film.torrent",
            "notes",
        ];
        assert_eq!(state.clean(), left);
        assert_eq!(state.clean(), left);
    }

    #[test]
    fn records_of_files_that_are_gone_are_removed() {
        let (state, down) = (state(), tempfile::tempdir().unwrap());
        for name in ["film", "begun.part"] {
            fs::write(down.path().join(name), b"x").unwrap();
        }
        let name = |number: u8| format!("{}-{number}.resume", "07".repeat(20));
        let folder = down.path();
        for (number, root, top) in [
            (1, folder, "film"),
            (2, folder, "begun"),
            (3, folder, "gone"),
            (4, &folder.join("gone"), "film"),
        ] {
            state.write(&name(number), 1, &record(root, top));
        }
        assert_eq!(state.clean(), [name(1), name(2)]);
        let parts = folder.join(format!(".{}.parts", "07".repeat(20)));
        fs::write(parts, b"x").unwrap();
        fs::remove_file(folder.join("film")).unwrap();
        assert_eq!(state.clean(), [name(1), name(2)]);
    }

    #[test]
    fn resume_data_of_thousands_of_torrents_is_kept() {
        let state = state();
        // Of a version that is not known: whether its files are there is not known either.
        for number in 0..MOST_METADATA + 3 {
            state.write(&format!("{number:040}-0.resume"), 1, b"x");
        }
        assert_eq!(state.clean().len(), MOST_METADATA + 3);
    }

    #[test]
    fn the_newest_records_are_kept() {
        let state = state();
        for number in 0..MOST_METADATA + 3 {
            let days = u64::from(number < 3) * 10;
            state.write(&format!("{number:040}.torrent"), days, b"x");
        }
        let left = state.clean();
        assert_eq!(left.len(), MOST_METADATA);
        assert_eq!(left[0], format!("{:040}.torrent", 3));
    }
}
