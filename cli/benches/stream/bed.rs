//! The setup of a case: a file of random bytes, a seeder on one side of a link, and `tailwater stream` on the other.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use url::Url;

use crate::client::{self, Body};
use crate::figures::Figures;
use crate::net::{self, Link, Net};
use crate::seeder::{Counts, Seeder, python};
use crate::streaming::{self, Streaming};

pub(crate) const MIB: u64 = 1 << 20;

/// The file's length.
pub(crate) const LEN: u64 = 1024 * MIB;

/// How a case is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) link: Link,
    pub(crate) piece_mib: u64,
    pub(crate) memory: &'static str,
}

/// A fresh seeder and a fresh program; nothing is held yet.
pub(crate) struct Bed {
    pub(crate) ours: Streaming,
    pub(crate) film: Film,
    seeder: Seeder,
    _net: Net,
    _home: TempDir,
}

/// The file as players get it.
pub(crate) struct Film {
    url: Url,
    /// The file itself, to compare with.
    payload: File,
}

/// A player's connection: bytes that arrive, each compared with the file's.
pub(crate) struct Player<'a> {
    film: &'a Film,
    pub(crate) body: Body,
    /// Where in the file the next byte belongs.
    pub(crate) position: u64,
    expected: Vec<u8>,
}

impl Bed {
    /// Sets up. The calling thread moves to the player's side of the link, for good.
    pub(crate) fn new(setup: Setup) -> Self {
        let payload = payload();
        let torrent = payload.with_file_name(format!("{}-mib.torrent", setup.piece_mib));
        if !torrent.exists() {
            streaming::create(&payload, &torrent, &format!("{}MiB", setup.piece_mib));
        }
        let net = Net::new(setup.link);
        net.enter().unwrap();
        let command = net.at_seeder(python());
        let dir = payload.parent().unwrap();
        let seeder = Seeder::start(command, &torrent, dir, net::SEEDER, 0);
        let home = tempfile::tempdir().unwrap();
        let command = net.at_player("env");
        let ours = Streaming::start(command, home.path(), &torrent, setup.memory, seeder.addr);
        let film = Film {
            url: ours.file.parse().unwrap(),
            payload: File::open(payload).unwrap(),
        };
        Self {
            ours,
            film,
            seeder,
            _net: net,
            _home: home,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.seeder.counts()
    }

    /// Records what was downloaded since `before`, and the memory in use.
    pub(crate) fn finish(&self, before: Counts, figures: &mut Figures) {
        let now = self.counts();
        figures.downloaded_bytes = now.sent - before.sent;
        figures.downloaded_again_bytes = now.again - before.again;
        figures.peak_memory_mib = self.ours.peak_memory() as f64 / MIB as f64;
    }
}

impl Film {
    /// Opens a connection that reads from `position` on; returns when its first byte has come.
    pub(crate) fn play_from(&self, position: u64) -> Player<'_> {
        Player {
            film: self,
            body: client::get(&self.url, position).unwrap(),
            position,
            expected: Vec::new(),
        }
    }
}

impl Player<'_> {
    /// Takes what has come, waiting if nothing has; the number of bytes, 0 at the end.
    pub(crate) fn take(&mut self) -> u64 {
        let bytes = self.body.next().unwrap();
        self.expected.resize(bytes.len(), 0);
        let payload = &self.film.payload;
        payload
            .read_exact_at(&mut self.expected, self.position)
            .unwrap();
        assert!(bytes == self.expected, "other bytes at {}", self.position);
        let len = u64::try_from(bytes.len()).unwrap();
        self.position += len;
        len
    }

    /// Reads on until `position`, or a little more.
    pub(crate) fn play_to(&mut self, position: u64) {
        while self.position < position {
            assert!(self.take() > 0, "the body ended at {}", self.position);
        }
    }
}

/// The file, made by the first run: bytes that neither compress nor repeat.
fn payload() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stream-bench");
    let path = dir.join("payload.bin");
    if fs::metadata(&path).is_ok_and(|found| found.len() == LEN) {
        return path;
    }
    fs::create_dir_all(&dir).unwrap();
    write_noise(&path).unwrap();
    path
}

fn write_noise(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut random = fastrand::Rng::with_seed(1);
    let mut bytes = vec![0; 1 << 20];
    for _ in 0..LEN / MIB {
        random.fill(&mut bytes);
        file.write_all(&bytes)?;
    }
    Ok(())
}
