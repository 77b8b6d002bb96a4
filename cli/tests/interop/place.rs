//! The working folder of a test: a payload, its torrents, and room for downloads.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use crate::ours;
use crate::payload::{self, Shape};
use crate::process::Process;

/// A temporary folder for one test.
pub(crate) struct Place {
    dir: TempDir,
    shape: Shape,
}

impl Place {
    /// Makes the folder and the payload in it.
    pub(crate) fn new(shape: Shape) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Self { dir, shape };
        shape.make(&place.folder("data"));
        place
    }

    /// The folder of that name, made if need be.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The folder that holds the payload.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The payload itself: a file or a folder.
    pub(crate) fn payload(&self) -> PathBuf {
        self.data().join(self.shape.name)
    }

    pub(crate) const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The torrent of the payload, with these trackers.
    pub(crate) fn torrent(&self, trackers: &[&str]) -> PathBuf {
        let path = self.path(&format!("with-{}-trackers.torrent", trackers.len()));
        if !path.exists() {
            ours::create(&self.payload(), &path, self.shape.piece_kib, trackers);
        }
        path
    }

    /// The torrent of the payload for peers that a tracker names and no others (BEP 27).
    pub(crate) fn private_torrent(&self) -> PathBuf {
        let path = self.path("private.torrent");
        ours::create_private(&self.payload(), &path, self.shape.piece_kib);
        path
    }

    /// Starts a tracker; its announce URL.
    pub(crate) fn tracker(&self) -> (Process, String) {
        ours::tracker(self.dir.path())
    }

    /// Asserts that `dir` holds the payload and nothing else.
    #[track_caller]
    pub(crate) fn assert_arrived(&self, dir: &Path) {
        self.assert_same(&payload::hashes(&self.data()), &payload::hashes(dir));
    }

    /// The same, for a client that makes no empty files.
    #[track_caller]
    pub(crate) fn assert_arrived_but_for_empty_files(&self, dir: &Path) {
        let mut sent = payload::hashes(&self.data());
        sent.retain(|name, _| fs::metadata(self.data().join(name)).unwrap().len() > 0);
        self.assert_same(&sent, &payload::hashes(dir));
    }

    /// The same, for a client that takes pad files (BEP 47) for files.
    #[track_caller]
    pub(crate) fn assert_arrived_beside_padding(&self, dir: &Path) {
        let mut arrived = payload::hashes(dir);
        arrived.retain(|name, _| !name.contains("/.pad/"));
        self.assert_same(&payload::hashes(&self.data()), &arrived);
    }

    #[track_caller]
    fn assert_same(&self, sent: &BTreeMap<String, String>, arrived: &BTreeMap<String, String>) {
        assert!(!sent.is_empty());
        let differing = sent
            .iter()
            .filter(|(name, hash)| arrived.get(*name) != Some(hash));
        let missing: Vec<_> = differing.map(|(name, _)| name).take(10).collect();
        assert!(missing.is_empty(), "missing or different: {missing:?}");
        let more: Vec<_> = arrived
            .keys()
            .filter(|name| !sent.contains_key(*name))
            .collect();
        assert!(more.is_empty(), "these were not sent: {more:?}");
    }
}

/// A free port on loopback, for the clients that cannot be told to choose one themselves. They are taken from below the
/// range out of which the system chooses, so that nothing else in the tests gets it meanwhile.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % 100).unwrap();
    loop {
        let port = 12_000 + process * 200 + NEXT.fetch_add(1, Ordering::Relaxed) % 200;
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
