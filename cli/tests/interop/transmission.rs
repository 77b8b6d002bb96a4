//! Transmission's command-line client.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::place::{Place, free_port, loopback};
use crate::process::{self, Process};

/// Seeds the payload; returns when it has been checked.
pub(crate) fn seed(place: &Place, torrent: &Path) -> (Process, SocketAddr) {
    let (process, addr) = start(place, torrent, &place.data(), &["--verify"]);
    process.line("Seeding");
    (process, addr)
}

/// Downloads into `out`; returns when it answers.
pub(crate) fn leech(place: &Place, torrent: &Path, out: &Path) -> (Process, SocketAddr) {
    let (process, addr) = start(place, torrent, out, &[]);
    process.line("Progress: 0.0%");
    (process, addr)
}

/// Waits until everything is there.
pub(crate) fn complete(process: &Process) {
    process.line("Seeding");
}

fn start(place: &Place, torrent: &Path, dir: &Path, more: &[&str]) -> (Process, SocketAddr) {
    let port = free_port();
    let config = place.folder(&format!("transmission-{port}"));
    let settings = json!({
        "bind-address-ipv4": "127.0.0.1",
        // What it says to have is on the disk.
        "cache-size-mb": 0,
        "dht-enabled": false,
        "lpd-enabled": false,
        "peer-port": port,
        "pex-enabled": false,
        "port-forwarding-enabled": false,
        "rename-partial-files": false,
        "rpc-enabled": false,
        "utp-enabled": false,
    });
    fs::write(config.join("settings.json"), settings.to_string()).unwrap();
    // It says what it does in a buffer's worth at a time, some seconds late, unless it is told to have no buffer.
    let mut command = Command::new("stdbuf");
    command.args(["--output=0", "transmission-cli"]);
    command.arg("--config-dir").arg(&config);
    command
        .args(["--no-portmap", "--port", &port.to_string()])
        .args(more);
    command.arg("--download-dir").arg(dir).arg(torrent);
    let process = Process::start("transmission-cli", &mut command);
    (process, loopback(port))
}

/// Makes a torrent of `payload`.
pub(crate) fn create(payload: &Path, torrent: &Path, piece_kib: u64) {
    let mut command = Command::new("transmission-create");
    command.arg("--outfile").arg(torrent);
    command
        .args(["--piecesize", &piece_kib.to_string()])
        .arg(payload);
    process::run("transmission-create", &mut command);
}

/// What `transmission-show` says of a torrent.
pub(crate) fn inspect(torrent: &Path) -> String {
    process::run(
        "transmission-show",
        Command::new("transmission-show").arg(torrent),
    )
}
