//! A libtorrent seeder that counts what it sends. The bench uses it too.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::process::Process;

const SEEDER: &str = include_str!("seeder.py");

/// A seeder that runs.
pub(crate) struct Seeder {
    /// Ends it when dropped.
    _process: Process,
    /// Where it listens for peers.
    pub(crate) addr: SocketAddr,
    counts: SocketAddr,
}

/// What a seeder has sent so far, in bytes of blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Counts {
    pub(crate) sent: u64,
    /// The part of it that it had sent before.
    pub(crate) again: u64,
}

/// The interpreter that has libtorrent: that of `scripts/install-clients.sh`, or the one named by
/// `TAILWATER_INTEROP_PYTHON`.
pub(crate) fn python() -> PathBuf {
    let installed =
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../interop-venv/bin/python");
    std::env::var_os("TAILWATER_INTEROP_PYTHON").map_or_else(installed, PathBuf::from)
}

impl Seeder {
    /// Seeds what is in `dir` at no more than `max_up` bytes a second, or without a limit if that is 0. `command` runs a
    /// Python interpreter.
    pub(crate) fn start(
        mut command: Command,
        torrent: &Path,
        dir: &Path,
        address: &str,
        max_up: u64,
    ) -> Self {
        command.args(["-u", "-c", SEEDER]).arg(torrent).arg(dir);
        command.args([address, &max_up.to_string()]);
        let process = Process::start("libtorrent seeder", &mut command);
        let counts = said(&process, "counts at ");
        let addr = said(&process, "listening on ");
        Self {
            _process: process,
            addr,
            counts,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut line = String::new();
        let mut stream = TcpStream::connect(self.counts).unwrap();
        stream.read_to_string(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

fn said(process: &Process, before: &str) -> SocketAddr {
    let line = process.line(before);
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
