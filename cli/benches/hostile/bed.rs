//! Shared setup of the cases: torrents, their files, and the baselines of honest transfers without an attack.

use std::cell::RefCell;
use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tailwater_hostile::Content;
use tempfile::TempDir;

use crate::figures::median;

/// Bytes of a mebibyte.
pub(crate) const MIB: usize = 1 << 20;
/// The rate limit of honest transfers, in bytes a second: about what a line of 300 Mbit/s carries. Without a limit, an
/// attacker on the same two processors would slow them whatever the binary did.
pub(crate) const RATE: u64 = 32 << 20;
/// How long a flood lasts.
pub(crate) const FLOOD: Duration = Duration::from_secs(3);
/// How often a transfer is measured where the first time misses a target; the median counts.
pub(crate) const ROUNDS: usize = 3;

/// The addresses of the honest sides.
pub(crate) const HONEST: [Ipv4Addr; 2] =
    [Ipv4Addr::new(127, 0, 0, 201), Ipv4Addr::new(127, 0, 0, 202)];
/// The address of the kit's trackers.
pub(crate) const TRACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// A torrent and its file, made when first asked for.
#[derive(Clone)]
pub(crate) struct Torrent {
    pub(crate) content: Content,
    pub(crate) path: PathBuf,
}

/// What is made once for all cases.
pub(crate) struct Bed {
    pub(crate) binary: PathBuf,
    dir: TempDir,
    /// Many small pieces, twice.
    fine: [OnceCell<Torrent>; 2],
    /// Pieces of 256 KiB.
    coarse: OnceCell<Torrent>,
    /// Pieces of 1 MiB.
    film: OnceCell<Torrent>,
    /// Rates and times without an attack, by name.
    baselines: RefCell<BTreeMap<String, f64>>,
    number: Cell<u64>,
}

impl Bed {
    pub(crate) fn new(binary: PathBuf) -> Self {
        // Memory, where there is some: no disk is to be measured.
        let memory = Path::new("/dev/shm");
        let dir = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        Self {
            binary: std::fs::canonicalize(binary).unwrap(),
            dir: dir.unwrap(),
            fine: [OnceCell::new(), OnceCell::new()],
            coarse: OnceCell::new(),
            film: OnceCell::new(),
            baselines: RefCell::default(),
            number: Cell::new(0),
        }
    }

    /// A folder of its own.
    pub(crate) fn folder(&self) -> TempDir {
        tempfile::tempdir_in(self.dir.path()).unwrap()
    }

    /// The folder with all the files.
    pub(crate) fn data(&self) -> &Path {
        self.dir.path()
    }

    /// 192 MiB in 12 288 pieces of 16 KiB: costs for each piece are highest here. There are two such torrents.
    pub(crate) fn fine(&self, which: usize) -> &Torrent {
        let seed = which as u64 + 1;
        self.fine[which]
            .get_or_init(|| self.torrent(seed, &format!("fine-{which}.bin"), 192 * MIB, 16 * 1024))
    }

    /// 128 MiB in pieces of 256 KiB.
    pub(crate) fn coarse(&self) -> &Torrent {
        self.coarse
            .get_or_init(|| self.torrent(3, "coarse.bin", 128 * MIB, 256 * 1024))
    }

    /// 256 MiB in pieces of 1 MiB.
    pub(crate) fn film(&self) -> &Torrent {
        self.film
            .get_or_init(|| self.torrent(4, "film.mp4", 256 * MIB, 1 << 20))
    }

    fn torrent(&self, seed: u64, name: &str, len: usize, piece_length: u32) -> Torrent {
        let content = Content::new(seed, name, len, piece_length);
        content.write_to(self.dir.path()).unwrap();
        self.with_tracker(&content, None)
    }

    /// The torrent file with a tracker in it.
    pub(crate) fn with_tracker(&self, content: &Content, tracker: Option<&str>) -> Torrent {
        let number = self.number.replace(self.number.get() + 1);
        let path = self.dir.path().join(format!("{number}.torrent"));
        std::fs::write(&path, content.torrent(tracker)).unwrap();
        Torrent {
            content: content.clone(),
            path,
        }
    }

    /// A figure without an attack: the median of three, measured once.
    pub(crate) fn baseline(&self, name: &str, measure: impl Fn() -> f64) -> f64 {
        if let Some(found) = self.baselines.borrow().get(name) {
            return *found;
        }
        let found = median((0..ROUNDS).map(|_| measure()).collect());
        eprintln!("without an attack: {name} {found:.2}");
        self.baselines.borrow_mut().insert(name.to_owned(), found);
        found
    }
}

impl Torrent {
    pub(crate) fn arg(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// An address without a listener.
pub(crate) fn free_addr() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// Any port of an address.
pub(crate) fn any_port(ip: Ipv4Addr) -> SocketAddr {
    SocketAddr::new(ip.into(), 0)
}

/// The `number`-th host of the attackers, from 0.
pub(crate) fn attacker(number: usize) -> IpAddr {
    let [high, low] = u16::try_from(number + 1).unwrap().to_be_bytes();
    IpAddr::from([127, 1, high, low])
}
