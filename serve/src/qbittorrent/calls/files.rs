//! Files of a torrent, by their places in the list: padding is not in it.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{Answer, Outcome, nothing, torrent};
use crate::control::{FileChange, FilePriority, FileView, TorrentView};
use crate::qbittorrent::failure::Failure;
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;
use crate::qbittorrent::torrent::{has_metadata, is_complete};

/// Priorities, as the original counts them.
const SKIP: i64 = 0;
const NORMAL: i64 = 1;
const HIGH: i64 = 6;
const MAXIMUM: i64 = 7;

pub(super) async fn list(shared: &Shared, params: &Params) -> Outcome {
    let view = torrent(shared, params)?;
    if !has_metadata(&view) {
        return Ok(Answer::Json(Value::Array(Vec::new())));
    }
    let files = shared.control.files(view.id).await?;
    let places = match params.text("indexes") {
        Some(indexes) => named(indexes, files.len())?,
        None => (0..files.len()).collect(),
    };
    let counts = availability(shared, &view).await;
    let each = places.into_iter().enumerate().map(|(at, place)| {
        let mut object = object(place, &files[place], counts.as_deref());
        // The first one says it for all, as in the original.
        if at == 0 {
            object["is_seed"] = is_complete(&view).into();
        }
        object
    });
    Ok(Answer::Json(each.collect()))
}

fn object(place: usize, file: &FileView, counts: Option<&[u8]>) -> Value {
    let last = file
        .first_piece
        .saturating_add(file.piece_count.saturating_sub(1));
    json!({
        "availability": counts.map_or(-1.0, |counts| there(file, counts)),
        "index": place,
        "name": file.path,
        "piece_range": [file.first_piece, last],
        "priority": priority(file.priority),
        "progress": share(file.have, file.size),
        "size": file.size,
    })
}

/// How many peers have each piece, while it is downloaded.
async fn availability(shared: &Shared, view: &TorrentView) -> Option<Vec<u8>> {
    if is_complete(view) || view.peers == 0 {
        return None;
    }
    let pieces = shared.control.pieces(view.id).await.ok()?;
    BASE64.decode(pieces.availability.as_bytes()).ok()
}

/// The share of a file's pieces that some peer has.
#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than 52 bits"
)]
fn there(file: &FileView, counts: &[u8]) -> f64 {
    let first = usize::try_from(file.first_piece).unwrap_or(usize::MAX);
    let count = usize::try_from(file.piece_count).unwrap_or(usize::MAX);
    let pieces = counts.iter().skip(first).take(count);
    let found = pieces.filter(|count| **count > 0).count();
    match count {
        0 => 1.0,
        count => found as f64 / count as f64,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than 52 bits"
)]
fn share(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 1.0,
        whole => part.min(whole) as f64 / whole as f64,
    }
}

const fn priority(priority: FilePriority) -> i64 {
    match priority {
        FilePriority::Skip => SKIP,
        // There is none below the normal one.
        FilePriority::Low | FilePriority::Normal => NORMAL,
        FilePriority::High => HIGH,
    }
}

fn parsed(number: Option<i64>) -> Result<FilePriority, Failure> {
    match number {
        None => Err(Failure::params("Priority must be an integer")),
        Some(SKIP) => Ok(FilePriority::Skip),
        Some(NORMAL) => Ok(FilePriority::Normal),
        Some(HIGH | MAXIMUM) => Ok(FilePriority::High),
        Some(_) => Err(Failure::params("Priority is not valid")),
    }
}

/// The places that a list names.
fn named(list: &str, count: usize) -> Result<Vec<usize>, Failure> {
    let place = |text: &str| {
        let wrong = |_| Failure::conflict(format!("\"{text}\" is not a valid file index."));
        let place: usize = text.trim().parse().map_err(wrong)?;
        match place < count {
            true => Ok(place),
            false => Err(Failure::conflict(format!(
                "Index {place} is out of bounds."
            ))),
        }
    };
    list.split('|').map(place).collect()
}

pub(super) async fn set(shared: &Shared, params: &Params) -> Outcome {
    let [_, ids, _] = params.need(["hash", "id", "priority"])?;
    let priority = parsed(params.int("priority"))?;
    let view = torrent(shared, params)?;
    if !has_metadata(&view) {
        return Err(Failure::conflict(
            "Torrent's metadata has not yet downloaded",
        ));
    }
    let files = shared.control.files(view.id).await?;
    let mut changes = Vec::new();
    for id in ids.split('|') {
        let place: i64 = id
            .trim()
            .parse()
            .map_err(|_| Failure::params("File IDs must be integers"))?;
        let file = usize::try_from(place)
            .ok()
            .and_then(|place| files.get(place));
        let file = file.ok_or_else(|| Failure::conflict("File ID is not valid"))?;
        changes.push(FileChange {
            index: file.index,
            priority,
        });
    }
    shared.control.set_files(view.id, changes).await?;
    nothing()
}

/// Gives a file or a folder another name. Its path begins with the name of the torrent.
pub(super) async fn rename(shared: &Shared, name: &str, params: &Params) -> Outcome {
    let [_, old, new] = params.need(["hash", "oldPath", "newPath"])?;
    let view = torrent(shared, params)?;
    let (old, new) = (old.trim_end_matches('/'), new.trim_end_matches('/'));
    let kind = match name {
        "torrents/renameFile" => Named::File,
        _ => Named::Folder,
    };
    let files = match has_metadata(&view) {
        true => shared.control.files(view.id).await?,
        false => Vec::new(),
    };
    if !files.iter().any(|file| kind.is_at(&file.path, old)) {
        return Err(Failure::conflict(kind.missing(old)));
    }
    if old != new {
        let renamed =
            shared
                .control
                .rename(view.id, old.to_owned(), last_part(old, new)?.to_owned());
        renamed.await?;
    }
    nothing()
}

/// What is renamed.
#[derive(Clone, Copy)]
enum Named {
    File,
    Folder,
}

impl Named {
    /// Whether a file of the torrent shows that there is something of this kind at a path.
    fn is_at(self, file: &str, path: &str) -> bool {
        match (self, file.strip_prefix(path)) {
            (Self::File, Some(rest)) => rest.is_empty(),
            (Self::Folder, Some(rest)) => rest.starts_with('/') && !path.is_empty(),
            (_, None) => false,
        }
    }

    fn missing(self, path: &str) -> String {
        match self {
            Self::File => format!("No such file: '{path}'."),
            Self::Folder => format!("No such folder: '{path}'."),
        }
    }
}

/// The new name of what stays in its folder.
fn last_part<'a>(old: &str, new: &'a str) -> Result<&'a str, Failure> {
    let (folder, name) = match new.rsplit_once('/') {
        Some((folder, name)) => (Some(folder), name),
        None => (None, new),
    };
    match old.rsplit_once('/').map(|(folder, _)| folder) == folder {
        true => Ok(name),
        false => Err(Failure::conflict(
            "tailwater renames files and folders where they are, and does not move them to another folder",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_renamed_stays_in_its_folder() {
        for (old, new, name) in [("a", "b", "b"), ("a/b", "a/c", "c"), ("a/b/c", "a/b/", "")] {
            assert_eq!(last_part(old, new), Ok(name), "{old} {new}");
        }
        for (old, new) in [
            ("a", "b/a"),
            ("a/b", "c"),
            ("a/b", "c/b"),
            ("a/b", "/a/b"),
            ("a", "/a"),
        ] {
            let refused = last_part(old, new).unwrap_err();
            assert_eq!(refused.status.as_u16(), 409, "{old} {new}");
        }
    }

    #[test]
    fn files_and_folders_are_told_apart() {
        let is_file = |path: &str| Named::File.is_at("a/b/c", path);
        let is_folder = |path: &str| Named::Folder.is_at("a/b/c", path);
        assert!(is_file("a/b/c") && !is_file("a/b") && !is_file(""));
        assert!(is_folder("a") && is_folder("a/b"));
        assert!(!is_folder("a/b/c") && !is_folder("") && !is_folder("a/") && !is_folder("b"));
    }

    #[test]
    fn places_of_files_are_checked() {
        assert_eq!(named("0|2", 3), Ok(vec![0, 2]));
        for wrong in ["3", "x", "", "-1", "0|", "99999999999999999999"] {
            let refused = named(wrong, 3).unwrap_err();
            assert_eq!(refused.status.as_u16(), 409, "{wrong}");
        }
    }

    #[test]
    fn priorities_are_those_of_the_original() {
        for (number, ours) in [
            (0, FilePriority::Skip),
            (1, FilePriority::Normal),
            (6, FilePriority::High),
        ] {
            assert_eq!(parsed(Some(number)), Ok(ours));
            assert_eq!(priority(ours), number);
        }
        assert_eq!(parsed(Some(7)), Ok(FilePriority::High));
        assert!(parsed(Some(4)).is_err() && parsed(None).is_err());
    }

    #[test]
    fn a_file_is_there_as_far_as_peers_have_its_pieces() {
        let file = FileView {
            index: 0,
            path: String::new(),
            size: 0,
            have: 0,
            priority: FilePriority::Normal,
            first_piece: 1,
            piece_count: 4,
        };
        assert!((there(&file, &[0, 1, 0, 255, 9, 0]) - 0.75).abs() < 1e-9);
        assert!(there(&file, &[]).abs() < 1e-9);
    }
}
