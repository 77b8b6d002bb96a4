//! Transmission's command-line client.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::client::Setting;
use crate::place::{Place, free_port, loopback};
use crate::process::{self, Process};

/// Where it listens on a machine of its own.
const PORT: u16 = 51_413;

/// Seeds the payload; returns when it has been checked.
pub(crate) fn seed(setting: Setting<'_>, place: &Place, torrent: &Path) -> (Process, SocketAddr) {
    // It checks what it finds for a new torrent by itself. Told to with `--verify`, it does so a second time, and ends if it
    // happens to look at its state between the two.
    let (process, addr) = start(setting, place, torrent, &place.data());
    process.line("Seeding");
    (process, addr)
}

/// Downloads into `out`; returns when it answers.
pub(crate) fn leech(
    setting: Setting<'_>,
    place: &Place,
    torrent: &Path,
    out: &Path,
) -> (Process, SocketAddr) {
    let (process, addr) = start(setting, place, torrent, out);
    process.line("Progress: 0.0%");
    (process, addr)
}

/// Waits until everything is there.
pub(crate) fn complete(process: &Process) {
    process.line("Seeding");
}

fn start(setting: Setting<'_>, place: &Place, torrent: &Path, dir: &Path) -> (Process, SocketAddr) {
    let machine = setting.machine;
    let port = machine.map_or_else(free_port, |_| PORT);
    let addr = machine.map_or_else(|| loopback(port), |machine| machine.at(port));
    let config = place.folder(&format!("transmission-{addr}"));
    let settings = json!({
        "bind-address-ipv4": addr.ip().to_string(),
        // What it says to have is on the disk.
        "cache-size-mb": 0,
        // 1: preferred, the default; 2: required. What follows the handshake cannot be chosen.
        "encryption": if setting.encrypted.is_some() { 2 } else { 1 },
        "dht-enabled": !setting.dht.is_empty(),
        "lpd-enabled": setting.local,
        "peer-port": port,
        "pex-enabled": setting.exchange,
        "port-forwarding-enabled": false,
        "rename-partial-files": false,
        "rpc-enabled": false,
        "speed-limit-down": 32,
        "speed-limit-down-enabled": setting.mean,
        "speed-limit-up": 0,
        "speed-limit-up-enabled": setting.mean,
        "tcp-enabled": !setting.utp,
        "utp-enabled": setting.utp,
    });
    fs::write(config.join("settings.json"), settings.to_string()).unwrap();
    if !setting.dht.is_empty() {
        fs::write(config.join("dht.dat"), table(setting.dht)).unwrap();
    }
    // It says what it does in a buffer's worth at a time, some seconds late, unless it is told to have no buffer.
    let mut command = setting.command("stdbuf");
    command.args(["--output=0", "transmission-cli"]);
    command.arg("--config-dir").arg(&config);
    command.args(["--no-portmap", "--port", &port.to_string()]);
    command.arg("--download-dir").arg(dir).arg(torrent);
    let process = Process::start("transmission-cli", &mut command);
    (process, addr)
}

/// The DHT's nodes as it keeps them: it takes most of a minute to begin with any others.
fn table(nodes: &[SocketAddr]) -> Vec<u8> {
    let mut compact = Vec::new();
    for node in nodes {
        let IpAddr::V4(ip) = node.ip() else {
            continue;
        };
        compact.extend(ip.octets());
        compact.extend(node.port().to_be_bytes());
    }
    let id: [u8; 20] = std::array::from_fn(|_| fastrand::u8(..));
    let head = format!("5:nodes{}:", compact.len());
    [b"d2:id20:", &id[..], head.as_bytes(), &compact, b"e"].concat()
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
