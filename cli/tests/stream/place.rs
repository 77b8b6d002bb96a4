//! The setup of a test: a payload that is seeded, and `tailwater stream` that streams it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::seeder::{Seeder, python};
use crate::streaming::{self, Streaming};

/// A seeder of one file, and ours.
pub(crate) struct Place {
    pub(crate) payload: PathBuf,
    pub(crate) seeder: Seeder,
    pub(crate) ours: Streaming,
    _dir: TempDir,
}

/// How a payload is streamed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) memory: &'static str,
    /// Bytes a second that the seeder sends; 0 is no limit.
    pub(crate) max_up: u64,
}

/// Half of a film or less is held, and it arrives in a quarter of the time in which it plays.
pub(crate) const FILM: Setup = Setup {
    memory: "32MiB",
    max_up: 2 << 20,
};

impl Place {
    pub(crate) fn new(payload: &Path, setup: Setup) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let torrent = dir.path().join("payload.torrent");
        streaming::create(payload, &torrent, "256KiB");
        let data = payload.parent().unwrap();
        let command = Command::new(python());
        let seeder = Seeder::start(command, &torrent, data, "127.0.0.1", setup.max_up);
        let home = dir.path().join("home");
        fs::create_dir(&home).unwrap();
        let command = Command::new("env");
        let ours = Streaming::start(command, &home, &torrent, setup.memory, seeder.addr);
        Self {
            payload: payload.to_owned(),
            seeder,
            ours,
            _dir: dir,
        }
    }

    pub(crate) fn payload_len(&self) -> u64 {
        fs::metadata(&self.payload).unwrap().len()
    }
}
