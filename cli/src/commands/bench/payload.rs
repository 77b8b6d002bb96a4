//! Payloads of random bytes, their torrents, and the room for them.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tailwater_metainfo::{CreateError, Creator, TorrentVersion};
use tailwater_serve::size::Size;

use crate::commands::Context;
use crate::error::CliError;
use crate::interrupt::Interrupt;

/// As much as is written or compared at a time.
const PART: usize = 256 * 1024;
/// What stays free beside what a bench needs.
const SPARE: u64 = 64 << 20;

/// What a payload is like.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// The payload's name.
    pub(super) name: String,
    /// In bytes.
    pub(super) size: u64,
    pub(super) files: u32,
    pub(super) piece: u32,
    pub(super) tracker: Option<String>,
    pub(super) version: TorrentVersion,
}

/// Makes a payload below `dir`, beside others there, and its torrent.
pub(super) async fn make(
    context: &Context,
    shape: Shape,
    dir: PathBuf,
    torrent: PathBuf,
) -> Result<(), CliError> {
    let interrupt = context.interrupt.clone();
    let work = tokio::task::spawn_blocking(move || {
        let root = dir.join(&shape.name);
        write(&root, shape.size, shape.files, &interrupt)?;
        let mut creator = Creator::new()
            .piece_length(shape.piece)
            .version(shape.version);
        if let Some(tracker) = shape.tracker {
            creator = creator.tier([tracker]);
        }
        let created = creator.create(&root, |_| match interrupt.is_requested() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        let created = match created {
            Err(CreateError::Cancelled) => return Err(CliError::Interrupted),
            created => created?,
        };
        fs::write(&torrent, created.bytes).map_err(CliError::io("write", torrent))
    });
    // A thread that panicked has printed its message.
    work.await.unwrap_or(Err(CliError::Reported))
}

/// A file of that name, or a folder of them.
fn write(root: &Path, size: u64, files: u32, interrupt: &Interrupt) -> Result<(), CliError> {
    let mut random = fastrand::Rng::new();
    let mut left = size;
    for number in 0..u64::from(files) {
        let length = left / (u64::from(files) - number);
        left -= length;
        let path = match files {
            1 => root.to_owned(),
            _ => root.join(format!("folder-{}/file-{number}.bin", number % 10)),
        };
        match noise(&path, length, &mut random, interrupt) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                return Err(CliError::Interrupted);
            }
            written => written.map_err(CliError::io("write", path))?,
        }
    }
    Ok(())
}

fn noise(
    path: &Path,
    length: u64,
    random: &mut fastrand::Rng,
    interrupt: &Interrupt,
) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create(path)?;
    let mut bytes = vec![0; PART];
    let mut left = length;
    while left > 0 {
        if interrupt.is_requested() {
            return Err(ErrorKind::Interrupted.into());
        }
        let len = usize::try_from(left).map_or(PART, |left| left.min(PART));
        random.fill(&mut bytes[..len]);
        file.write_all(&bytes[..len])?;
        left -= u64::try_from(len).unwrap_or(left);
    }
    Ok(())
}

/// Whether all files below one folder are below the other too, with the same bytes.
pub(super) fn is_same(sent: &Path, arrived: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(sent)? {
        let path = entry?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        let other = arrived.join(name);
        let is_same = match path.is_dir() {
            true => is_same(&path, &other)?,
            false => is_same_file(&path, &other)?,
        };
        if !is_same {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_same_file(sent: &Path, arrived: &Path) -> io::Result<bool> {
    let (mut sent, Ok(mut arrived)) = (File::open(sent)?, File::open(arrived)) else {
        return Ok(false);
    };
    if sent.metadata()?.len() != arrived.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (vec![0; PART], vec![0; PART]);
    loop {
        let len = sent.read(&mut one)?;
        if len == 0 {
            return Ok(true);
        }
        arrived.read_exact(&mut other[..len])?;
        if one[..len] != other[..len] {
            return Ok(false);
        }
    }
}

/// Fails if a folder has no room for that many bytes, where the system says how much there is.
pub(super) fn check_room(dir: &Path, needed: u64) -> Result<(), CliError> {
    match free(dir) {
        Some(free) if free < needed.saturating_add(SPARE) => Err(CliError::Bench(format!(
            "{} has {} free, and {} are needed: choose a smaller --size, or another folder with --dir",
            dir.display(),
            Size(free),
            Size(needed.saturating_add(SPARE))
        ))),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn free(dir: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(dir).ok()?;
    // Some file systems answer with zeros.
    (found.f_blocks > 0).then(|| found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
const fn free(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrived_is_compared_byte_by_byte() {
        let dir = tempfile::tempdir().expect("a folder");
        let (sent, arrived) = (dir.path().join("sent"), dir.path().join("arrived"));
        for root in [&sent, &arrived] {
            fs::create_dir_all(root.join("a")).expect("folders");
            fs::write(root.join("a/b"), [7; 2 * PART + 1]).expect("a file");
        }
        assert!(is_same(&sent, &arrived).expect("files"));
        let mut other = vec![7; 2 * PART + 1];
        other[2 * PART] = 8;
        fs::write(arrived.join("a/b"), &other).expect("a file");
        assert!(!is_same(&sent, &arrived).expect("files"));
        fs::write(arrived.join("a/b"), b"short").expect("a file");
        assert!(!is_same(&sent, &arrived).expect("files"));
        fs::remove_file(arrived.join("a/b")).expect("a file");
        assert!(!is_same(&sent, &arrived).expect("files"));
    }

    #[test]
    fn too_little_room_is_noticed_before_anything_is_written() {
        let dir = tempfile::tempdir().expect("a folder");
        check_room(dir.path(), 1).expect("room");
        #[cfg(unix)]
        {
            let error = check_room(dir.path(), u64::MAX).expect_err("too little");
            assert!(error.to_string().contains("--dir"), "{error}");
        }
    }
}
