//! aria2.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::place::{free_port, loopback};
use crate::process::{self, Process};

/// Seeds what is in `dir`; returns when it has been checked.
pub(crate) fn seed(torrent: &Path, dir: &Path) -> (Process, SocketAddr) {
    let more = ["--check-integrity=true", "--seed-ratio=0.0"];
    let (process, addr) = start(torrent, dir, &more);
    process.line("Verification finished successfully");
    (process, addr)
}

/// Downloads into `dir`, and ends.
pub(crate) fn leech(torrent: &Path, dir: &Path) -> (Process, SocketAddr) {
    start(torrent, dir, &["--seed-time=0"])
}

/// Waits until everything is there.
pub(crate) fn complete(process: &mut Process) {
    process.succeed();
}

fn start(torrent: &Path, dir: &Path, more: &[&str]) -> (Process, SocketAddr) {
    let port = free_port();
    let mut command = Command::new("aria2c");
    command.args([
        "--no-conf",
        "--bt-enable-lpd=false",
        "--enable-dht=false",
        "--enable-dht6=false",
        "--enable-peer-exchange=false",
        "--file-allocation=none",
        "--summary-interval=0",
        "--show-console-readout=false",
    ]);
    // Nothing is left behind when the test is killed.
    command.arg(format!("--stop-with-process={}", std::process::id()));
    command.arg(format!("--listen-port={port}")).args(more);
    command.arg("--dir").arg(dir).arg(torrent);
    (Process::start("aria2c", &mut command), loopback(port))
}

/// What `aria2c --show-files` says of a torrent.
pub(crate) fn inspect(torrent: &Path) -> String {
    let mut command = Command::new("aria2c");
    process::run(
        "aria2c",
        command.args(["--no-conf", "--show-files"]).arg(torrent),
    )
}
