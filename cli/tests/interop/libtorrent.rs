//! libtorrent, driven through its Python binding.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::client::{After, MEAN_DOWN, MEAN_UP, Setting};
use crate::process::{self, Process};

const PEER: &str = include_str!("libtorrent_peer.py");
const TORRENT: &str = include_str!("libtorrent_torrent.py");

/// The interpreter that has libtorrent: that of `scripts/install-clients.sh`, or the one named by
/// `TAILWATER_INTEROP_PYTHON`.
pub(crate) fn python() -> PathBuf {
    let installed =
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../interop-venv/bin/python");
    let named = std::env::var_os("TAILWATER_INTEROP_PYTHON").map(PathBuf::from);
    named.unwrap_or_else(installed)
}

/// Seeds what is in `dir`; returns when it has been checked.
pub(crate) fn seed(torrent: &Path, dir: &Path, peers: &[SocketAddr]) -> (Process, SocketAddr) {
    seed_in(Setting::default(), torrent, dir, peers)
}

/// The same in a setting.
pub(crate) fn seed_in(
    setting: Setting<'_>,
    torrent: &Path,
    dir: &Path,
    peers: &[SocketAddr],
) -> (Process, SocketAddr) {
    let (process, addr) = start(setting, "seed", torrent, dir, peers);
    process.line("complete");
    (process, addr)
}

/// Downloads into `dir`, in a setting.
pub(crate) fn leech_in(
    setting: Setting<'_>,
    torrent: &Path,
    dir: &Path,
    peers: &[SocketAddr],
) -> (Process, SocketAddr) {
    start(setting, "leech", torrent, dir, peers)
}

/// Waits until everything is there and on the disk.
pub(crate) fn complete(process: &Process) {
    process.line("complete");
}

fn start(
    setting: Setting<'_>,
    role: &str,
    torrent: &Path,
    dir: &Path,
    peers: &[SocketAddr],
) -> (Process, SocketAddr) {
    let mut command = setting.command(python());
    command.args(["-u", "-c", PEER]);
    if let Some(machine) = setting.machine {
        command.args(["--listen", &machine.at(6881).to_string()]);
    }
    if !setting.dht.is_empty() {
        let nodes: Vec<_> = setting.dht.iter().map(ToString::to_string).collect();
        command.args(["--dht", &nodes.join(",")]);
    }
    if let Some(after) = setting.encrypted {
        let level = match after {
            After::Rc4 => "rc4",
            After::Plaintext => "plaintext",
        };
        command.args(["--encrypted", level]);
    }
    if setting.utp {
        command.arg("--utp");
    }
    if setting.exchange {
        command.arg("--pex");
    }
    if setting.local {
        command.arg("--lsd");
    }
    if setting.mean {
        command.args(["--max-up", MEAN_UP, "--max-down", MEAN_DOWN]);
    }
    if let Some(rate) = setting.max_up {
        command.args(["--max-up", rate]);
    }
    command.arg(role).arg(torrent).arg(dir);
    command.args(peers.iter().map(ToString::to_string));
    let process = Process::start(&format!("libtorrent {role}"), &mut command);
    let line = process.line("listening on ");
    let addr = line.rsplit(' ').next().unwrap().parse().unwrap();
    (process, addr)
}

/// Makes a torrent of `payload` with metadata of one version, `v1` or `v2`, or of both, `hybrid`.
pub(crate) fn create(payload: &Path, torrent: &Path, piece_kib: u64, version: &str) {
    create_with(payload, torrent, piece_kib, version, &[]);
}

/// The same, with web seeds.
pub(crate) fn create_with(
    payload: &Path,
    torrent: &Path,
    piece_kib: u64,
    version: &str,
    web_seeds: &[&str],
) {
    let mut command = Command::new(python());
    command
        .args(["-c", TORRENT, "create"])
        .arg(payload)
        .arg(torrent);
    command
        .args([&piece_kib.to_string(), version])
        .args(web_seeds);
    process::run("libtorrent create", &mut command);
}

/// The info-hashes of the torrents that it makes of a folder: v1, v2, hybrid, in this order.
pub(crate) fn hashes(payload: &Path, piece_kib: u64, symlinks: &str) -> Vec<Value> {
    let mut command = Command::new(python());
    command.args(["-c", TORRENT, "hashes"]).arg(payload);
    command.args([&piece_kib.to_string(), symlinks]);
    let said = process::run("libtorrent hashes", &mut command);
    let said = said.lines().map(serde_json::from_str);
    said.collect::<Result<_, _>>().unwrap()
}

/// What libtorrent reads in a torrent.
pub(crate) fn inspect(torrent: &Path) -> Value {
    inspect_all(&[torrent]).remove(0)
}

/// What it reads in each of several.
pub(crate) fn inspect_all(torrents: &[impl AsRef<Path>]) -> Vec<Value> {
    let mut command = Command::new(python());
    command.args(["-c", TORRENT, "inspect"]);
    command.args(torrents.iter().map(AsRef::as_ref));
    let said = process::run("libtorrent inspect", &mut command);
    let said = said.lines().map(serde_json::from_str);
    said.collect::<Result<_, _>>().unwrap()
}
