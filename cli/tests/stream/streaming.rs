//! `tailwater stream`, as a user runs it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::process::{self, Process};

/// A `tailwater stream` that runs. The bench uses it too.
pub(crate) struct Streaming {
    /// Ends it when dropped.
    _process: Process,
    pid: u32,
    /// The index page.
    pub(crate) page: String,
    /// The file that was chosen.
    pub(crate) file: String,
}

impl Streaming {
    /// Streams a torrent out of `memory`, fetched from `peer`; returns when it listens. `command` runs a program that its
    /// arguments name, such as `env`; the state goes to `home`.
    pub(crate) fn start(
        mut command: Command,
        home: &Path,
        torrent: &Path,
        memory: &str,
        peer: SocketAddr,
    ) -> Self {
        // The shell becomes the program, so that its process is known.
        command.args(["sh", "-c", "echo \"pid $$\" && exec \"$@\"", "sh"]);
        command.arg(env!("CARGO_BIN_EXE_tailwater"));
        command.arg("stream").arg(torrent);
        command.args(["--memory", memory, "--peer", &peer.to_string()]);
        let listen = if peer.ip().is_loopback() {
            "127.0.0.1:0"
        } else {
            "0.0.0.0:0"
        };
        command.args(["--listen", listen, "--no-dht", "--no-lsd", "--no-port-map"]);
        command.args(["--http", "127.0.0.1:0", "--no-progress", "--json"]);
        command
            .current_dir(home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env_remove("RUST_LOG");
        let process = Process::start("tailwater stream", &mut command);
        let pid = process
            .line("pid ")
            .trim_start_matches("pid ")
            .parse()
            .unwrap();
        let event = process.find("the URLs", |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["event"] == "listening" && line["page"].is_string()).then_some(line)
        });
        let url = |name: &str| event[name].as_str().unwrap().to_owned();
        Self {
            _process: process,
            pid,
            page: url("page"),
            file: url("file"),
        }
    }

    /// The most memory that it has had at any time, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// What is resident of the program itself and of its libraries: mappings of files, also the pages in which the loader
    /// has filled in addresses.
    pub(crate) fn program_memory(&self) -> u64 {
        let maps = fs::read_to_string(format!("/proc/{}/smaps", self.pid)).unwrap();
        let (mut is_file, mut resident) = (false, 0);
        for line in maps.lines() {
            let mut words = line.split_whitespace();
            match words.next().unwrap_or_default() {
                "Rss:" if is_file => resident += words.next().unwrap().parse::<u64>().unwrap(),
                name if !name.ends_with(':') => is_file = line.contains(" /"),
                _ => {}
            }
        }
        resident * 1024
    }

    fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find(|line| line.starts_with(name));
        let kib = line.unwrap().split_whitespace().nth(1).unwrap();
        kib.parse::<u64>().unwrap() * 1024
    }
}

/// Makes a torrent.
pub(crate) fn create(payload: &Path, torrent: &Path, piece_len: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tailwater"));
    command.arg("create").arg(payload).arg("-o").arg(torrent);
    command.args(["--piece-length", piece_len, "--no-progress"]);
    process::run("tailwater create", &mut command);
}
