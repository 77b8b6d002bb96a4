//! Web seeds (BEP 19): downloads from real web servers.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::ours::{self, Start};
use crate::place::{Place, free_port};
use crate::process::Process;
use crate::{enabled, payload};

/// Serves a folder with nginx, which keeps all that it writes below `home`.
fn nginx(home: &Path, root: &Path, port: u16) -> Process {
    let (config, home, root) = (home.join("nginx.conf"), home.display(), root.display());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {home}/{kind};\n"))
        .concat();
    let text = format!(
        "daemon off;\nmaster_process off;\npid {home}/nginx.pid;\nerror_log stderr notice;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}server {{ listen 127.0.0.1:{port}; root {root}; }}\n}}\n"
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-c").arg(&config).args(["-e", "stderr"]);
    let process = Process::start("nginx", &mut command);
    // It says so when it listens.
    process.line("OS: ");
    process
}

/// A torrent of the payload that names this web seed.
fn torrent(place: &Place, port: u16) -> std::path::PathBuf {
    let path = place.path("web-seed.torrent");
    let url = format!("http://127.0.0.1:{port}/");
    let piece_kib = place.shape().piece_kib;
    ours::create_with(&place.payload(), &path, piece_kib, &["--web-seed", &url]);
    path
}

#[test]
fn we_download_from_nginx_without_a_peer() {
    if !enabled() {
        return;
    }
    for shape in [payload::ONE_FILE, payload::MANY_FILES] {
        let place = Place::new(shape);
        let port = free_port();
        let _nginx = nginx(&place.folder("nginx"), &place.data(), port);
        let torrent = torrent(&place, port);
        let out = place.folder("out");
        let home = place.folder("home");
        let mut ours = Start::new(&home, &torrent, &[]).download(&out);
        ours.process.succeed();
        place.assert_arrived(&out);
    }
}

#[test]
fn beside_a_server_without_ranges_peers_do_the_work() {
    if !enabled() {
        return;
    }
    let place = Place::new(payload::ONE_FILE);
    let port = free_port();
    let mut command = Command::new("python3");
    command.args(["-u", "-m", "http.server", "--bind", "127.0.0.1"]);
    command.arg(port.to_string()).current_dir(place.data());
    let python = Process::start("http.server", &mut command);
    python.line("Serving HTTP");
    let torrent = torrent(&place, port);
    let (home, out) = (place.folder("home"), place.folder("out"));
    let seed = Start::new(&home, &torrent, &[]).seed(&place.data());
    let other = place.folder("other-home");
    let mut ours = Start::new(&other, &torrent, &[seed.addr]).download(&out);
    ours.process.succeed();
    place.assert_arrived(&out);
}
