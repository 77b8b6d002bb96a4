//! aria2.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::client::{After, Setting};
use crate::place::{free_port, loopback};
use crate::process::{self, Process};

/// Where it listens on a machine of its own.
const PORT: u16 = 6881;

/// Seeds what is in `dir`; returns when it has been checked.
pub(crate) fn seed(setting: Setting<'_>, torrent: &Path, dir: &Path) -> (Process, SocketAddr) {
    let more = ["--check-integrity=true", "--seed-ratio=0.0"];
    let (process, addr) = start(setting, torrent, dir, &more);
    process.line("Verification finished successfully");
    (process, addr)
}

/// Downloads into `dir`, and ends.
pub(crate) fn leech(setting: Setting<'_>, torrent: &Path, dir: &Path) -> (Process, SocketAddr) {
    start(setting, torrent, dir, &["--seed-time=0"])
}

/// Waits until everything is there.
pub(crate) fn complete(process: &mut Process) {
    process.succeed();
}

fn start(setting: Setting<'_>, torrent: &Path, dir: &Path, more: &[&str]) -> (Process, SocketAddr) {
    let machine = setting.machine;
    let port = machine.map_or_else(free_port, |_| PORT);
    let addr = machine.map_or_else(|| loopback(port), |machine| machine.at(port));
    let mut command = setting.command("aria2c");
    command.args([
        "--no-conf",
        "--enable-dht6=false",
        "--file-allocation=none",
        "--summary-interval=0",
        "--show-console-readout=false",
    ]);
    command.args([
        format!("--bt-enable-lpd={}", setting.local),
        format!("--enable-dht={}", !setting.dht.is_empty()),
        format!("--enable-peer-exchange={}", setting.exchange),
    ]);
    if let Some(after) = setting.encrypted {
        let level = match after {
            After::Rc4 => "arc4",
            After::Plaintext => "plain",
        };
        command.arg("--bt-require-crypto=true");
        command.arg(format!("--bt-min-crypto-level={level}"));
    }
    if setting.mean {
        command.args(["--max-upload-limit=1K", "--max-download-limit=32K"]);
    }
    if let Some(node) = setting.dht.first() {
        // Its table of nodes: not that of the user who runs the tests.
        let table = dir.with_extension("aria2-dht");
        command.arg(format!("--dht-file-path={}", table.display()));
        command.arg(format!("--dht-entry-point={node}"));
        command.arg(format!("--dht-listen-port={port}"));
    }
    // Nothing is left behind when the test is killed.
    command.arg(format!("--stop-with-process={}", std::process::id()));
    command.arg(format!("--listen-port={port}")).args(more);
    command.arg("--dir").arg(dir).arg(torrent);
    (Process::start("aria2c", &mut command), addr)
}

/// What `aria2c --show-files` says of a torrent.
pub(crate) fn inspect(torrent: &Path) -> String {
    let mut command = Command::new("aria2c");
    process::run(
        "aria2c",
        command.args(["--no-conf", "--show-files"]).arg(torrent),
    )
}
