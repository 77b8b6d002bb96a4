//! Helpers of the tests over loopback.

#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod web_download;
pub(crate) mod web_server;

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use tailwater_metainfo::{Creator, Metainfo, TorrentVersion};
use tailwater_session::{AddOptions, Session, StorageKind, Torrent};
use tempfile::TempDir;

pub(crate) const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Nothing here takes a tenth of it; it ends a test that hangs.
const WATCHDOG: Duration = Duration::from_secs(60);

/// A folder with files and its torrent.
pub(crate) struct Share {
    pub(crate) dir: TempDir,
    pub(crate) metainfo: Metainfo,
}

impl Share {
    pub(crate) fn new(seed: u64, files: &[(&str, usize)], piece_length: u32) -> Self {
        Self::of(TorrentVersion::V1, seed, files, piece_length)
    }

    pub(crate) fn of(
        version: TorrentVersion,
        seed: u64,
        files: &[(&str, usize)],
        piece_length: u32,
    ) -> Self {
        let dir = TempDir::new().unwrap();
        let mut rng = fastrand::Rng::with_seed(seed);
        let root = dir.path().join("share");
        for (name, len) in files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut bytes = vec![0; *len];
            rng.fill(&mut bytes);
            std::fs::write(path, bytes).unwrap();
        }
        let creator = Creator::new().version(version).piece_length(piece_length);
        let created = creator
            .create(&root, |_| ControlFlow::Continue(()))
            .unwrap();
        Self {
            metainfo: created.metainfo,
            dir,
        }
    }

    pub(crate) fn assert_same(&self, other: &Path) {
        let files = self.metainfo.info().files().iter();
        for file in files.filter(|file| !file.is_pad()) {
            let expected = std::fs::read(file.path().under(self.dir.path())).unwrap();
            let found = std::fs::read(file.path().under(other)).unwrap();
            assert!(expected == found, "{} differs", file.path().as_str());
        }
    }
}

pub(crate) fn session() -> Session {
    Session::builder().listen(LOOPBACK).start().unwrap()
}

pub(crate) async fn seed(session: &Session, share: &Share) -> Torrent {
    let options = AddOptions::new(StorageKind::Disk(share.dir.path().into())).announce(false);
    let torrent = session.add(&share.metainfo, options).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    torrent
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(WATCHDOG, work)
        .await
        .expect("the watchdog bit")
}
