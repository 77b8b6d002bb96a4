//! rTorrent: another client that knows v1 alone.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::place::{Place, free_port, loopback};
use crate::process::Process;

/// Downloads into `out` from those that connect to it, and seeds afterwards; returns when it takes connections. The torrent has
/// to name a tracker: it refuses one without.
pub(crate) fn leech(place: &Place, torrent: &Path, out: &Path) -> (Process, SocketAddr) {
    let port = free_port();
    let home = place.folder(&format!("rtorrent-{port}"));
    let (home, torrent, out) = (home.display(), torrent.display(), out.display());
    let settings = format!(
        r#"system.daemon.set = true
network.port_range.set = {port}-{port}
network.port_random.set = no
network.bind_address.set = 127.0.0.1
dht.mode.set = disable
protocol.pex.set = no
trackers.use_udp.set = no
session.path.set = "{home}"
directory.default.set = "{out}"
log.open_file = "said", "/dev/stdout"
log.add_output = "torrent_info", "said"
schedule2 = "add", 0, 0, "load.start=\"{torrent}\""
"#
    );
    let file = place.path(&format!("rtorrent-{port}.rc"));
    fs::write(&file, settings).unwrap();
    let mut command = Command::new("rtorrent");
    command.args(["-n", "-o"]);
    command.arg(format!("import={}", file.display()));
    let process = Process::start("rtorrent", &mut command);
    process.line("Starting torrent");
    (process, loopback(port))
}

/// Waits until everything is there, has been checked once more, and is seeded.
pub(crate) fn complete(process: &Process) {
    process.line("Confirming finished");
    process.line("Starting torrent");
}
