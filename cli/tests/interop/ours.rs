//! `tailwater` itself, as a user runs it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::client::{MEAN_DOWN, MEAN_UP, Setting};
use crate::process::{self, Process};

/// A `tailwater seed` or `tailwater download` that runs.
pub(crate) struct Ours {
    pub(crate) process: Process,
    /// Where others reach it.
    pub(crate) addr: SocketAddr,
}

/// How a session is started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start<'a> {
    /// Where its state is kept.
    pub(crate) home: &'a Path,
    pub(crate) torrent: &'a Path,
    /// The peers that it is told to connect to.
    pub(crate) peers: &'a [SocketAddr],
    /// Bytes a second that it may send.
    pub(crate) max_up: Option<&'a str>,
    pub(crate) setting: Setting<'a>,
    /// The encryption policy, unless it is the default.
    pub(crate) encryption: Option<&'a str>,
    /// The transport, unless it is the default.
    pub(crate) transport: Option<&'a str>,
    /// A file of authorities that it trusts for HTTPS.
    pub(crate) authorities: Option<&'a Path>,
}

impl<'a> Start<'a> {
    pub(crate) fn new(home: &'a Path, torrent: &'a Path, peers: &'a [SocketAddr]) -> Self {
        Self {
            home,
            torrent,
            peers,
            max_up: None,
            setting: Setting::default(),
            encryption: None,
            transport: None,
            authorities: None,
        }
    }

    pub(crate) const fn within(self, setting: Setting<'a>) -> Self {
        Self { setting, ..self }
    }

    pub(crate) const fn max_up(self, rate: &'a str) -> Self {
        Self {
            max_up: Some(rate),
            ..self
        }
    }

    pub(crate) const fn encryption(self, policy: &'a str) -> Self {
        Self {
            encryption: Some(policy),
            ..self
        }
    }

    pub(crate) const fn transport(self, transport: &'a str) -> Self {
        Self {
            transport: Some(transport),
            ..self
        }
    }

    pub(crate) const fn trusting(self, authorities: &'a Path) -> Self {
        Self {
            authorities: Some(authorities),
            ..self
        }
    }

    /// Seeds what is in `data`; returns when it has been checked.
    pub(crate) fn seed(self, data: &Path) -> Ours {
        let ours = self.run("seed", &["--data".as_ref(), data.as_ref()]);
        ours.event("started");
        ours
    }

    /// Super-seeds what is in `data` (BEP 16); returns when it has been checked.
    pub(crate) fn super_seed(self, data: &Path) -> Ours {
        let more = ["--super-seed".as_ref(), "--data".as_ref(), data.as_ref()];
        let ours = self.run("seed", &more);
        ours.event("started");
        ours
    }

    /// Seeds another torrent too, out of the same folder.
    pub(crate) fn seed_with(self, torrent: &Path, data: &Path) -> Ours {
        let more = [torrent.as_ref(), "--data".as_ref(), data.as_ref()];
        let ours = self.run("seed", &more);
        ours.event("started");
        ours.event("started");
        ours
    }

    /// Downloads into `out`, and ends.
    pub(crate) fn download(self, out: &Path) -> Ours {
        self.run("download", &["-o".as_ref(), out.as_ref()])
    }

    /// Downloads into `out`, and seeds.
    pub(crate) fn download_and_seed(self, out: &Path) -> Ours {
        self.run(
            "download",
            &["-o".as_ref(), out.as_ref(), "--seed".as_ref()],
        )
    }

    /// Downloads into memory, and ends.
    pub(crate) fn download_to_memory(self) -> Ours {
        self.run("download", &["--storage", "memory"].map(OsStr::new))
    }

    /// Downloads into memory, and seeds from there.
    pub(crate) fn download_to_memory_and_seed(self) -> Ours {
        let more = ["--storage", "memory", "--seed"];
        self.run("download", &more.map(OsStr::new))
    }

    /// Streams from memory; what it says of its addresses is the event `listening` that has a `page`.
    pub(crate) fn stream(self, memory: &str) -> Ours {
        let more = ["--http", "127.0.0.1:0", "--memory", memory];
        self.run("stream", &more.map(OsStr::new))
    }

    fn run(self, verb: &str, more: &[&OsStr]) -> Ours {
        let setting = self.setting;
        let mut command = tailwater_in(setting, self.home);
        command.arg(verb).arg(self.torrent).args(more);
        command.args(["--no-port-map", "--no-progress", "--json"]);
        if setting.machine.is_none() {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        if setting.dht.is_empty() {
            command.arg("--no-dht");
        }
        for node in setting.dht {
            command.args(["--dht-bootstrap", &node.to_string()]);
        }
        if !setting.local {
            command.arg("--no-lsd");
        }
        if setting.mean {
            command.args(["--max-up", MEAN_UP, "--max-down", MEAN_DOWN]);
        }
        if let Some(file) = self.authorities {
            command.env("SSL_CERT_FILE", file);
        }
        if let Some(policy) = self.encryption {
            command.args(["--encryption", policy]);
        }
        if let Some(transport) = self.transport {
            command.args(["--transport", transport]);
        }
        if let Some(rate) = self.max_up {
            command.args(["--max-up", rate]);
        }
        for peer in self.peers {
            command.arg("--peer").arg(peer.to_string());
        }
        let process = Process::start(&format!("tailwater {verb}"), &mut command);
        let listening = find(&process, "listening", |_| true);
        let addr: SocketAddr = listening["addr"].as_str().unwrap().parse().unwrap();
        let addr = setting
            .machine
            .map_or(addr, |machine| machine.at(addr.port()));
        Ours { process, addr }
    }
}

impl Ours {
    /// Waits for the event of that name.
    pub(crate) fn event(&self, name: &str) -> Value {
        find(&self.process, name, |_| true)
    }

    /// Waits for an event of that name that is also `wanted`.
    pub(crate) fn event_where(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        find(&self.process, name, wanted)
    }

    /// Waits for an event of that name, unless one came while something else was waited for.
    pub(crate) fn event_by_now(&self, name: &str) {
        // Every line is in the log before it can be waited for.
        if self.events(name).is_empty() {
            self.event(name);
        }
    }

    /// All events of that name so far.
    pub(crate) fn events(&self, name: &str) -> Vec<Value> {
        let said = self.process.said();
        said.iter().filter_map(|line| event(line, name)).collect()
    }
}

fn find(process: &Process, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    process.find(&format!("event {name}"), |line| {
        event(line, name).filter(&wanted)
    })
}

fn event(line: &str, name: &str) -> Option<Value> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line["event"] == name).then_some(line)
}

/// The built binary; its state goes to `home`.
pub(crate) fn tailwater(home: &Path) -> Command {
    tailwater_in(Setting::default(), home)
}

/// The same in a setting.
pub(crate) fn tailwater_in(setting: Setting<'_>, home: &Path) -> Command {
    let mut command = setting.command(env!("CARGO_BIN_EXE_tailwater"));
    command
        .current_dir(home)
        .env("XDG_STATE_HOME", home.join("state"))
        .env_remove("RUST_LOG");
    command
}

/// Makes a torrent.
pub(crate) fn create(payload: &Path, torrent: &Path, piece_kib: u64, trackers: &[&str]) {
    let trackers = trackers.iter().flat_map(|tracker| ["--tracker", tracker]);
    create_with(payload, torrent, piece_kib, &trackers.collect::<Vec<_>>());
}

/// Makes a private torrent (BEP 27), whose tracker is not there.
pub(crate) fn create_private(payload: &Path, torrent: &Path, piece_kib: u64) {
    let more = ["--private", "--tracker", "http://127.0.0.1:1/announce"];
    create_with(payload, torrent, piece_kib, &more);
}

/// Makes a torrent, with more arguments.
pub(crate) fn create_with(payload: &Path, torrent: &Path, piece_kib: u64, more: &[&str]) {
    let mut command = tailwater(torrent.parent().unwrap());
    command.arg("create").arg(payload).arg("-o").arg(torrent);
    command.args([
        "--piece-length",
        &format!("{piece_kib}KiB"),
        "--no-progress",
    ]);
    process::run("tailwater create", command.args(more));
}

/// What `tailwater inspect` says of a torrent.
pub(crate) fn inspect(torrent: &Path) -> Value {
    let mut command = tailwater(torrent.parent().unwrap());
    let said = process::run(
        "tailwater inspect",
        command.arg("inspect").arg(torrent).arg("--json"),
    );
    serde_json::from_str(&said).unwrap()
}

/// Its v1 info-hash, in hexadecimal.
pub(crate) fn info_hash(torrent: &Path) -> String {
    let said = inspect(torrent);
    said["info_hash_v1"].as_str().unwrap().to_owned()
}

/// Asserts that `tailwater verify` finds the whole payload in `data`.
pub(crate) fn verify(torrent: &Path, data: &Path) {
    let mut command = tailwater(torrent.parent().unwrap());
    command
        .arg("verify")
        .arg(torrent)
        .arg("--data")
        .arg(data)
        .arg("--no-progress");
    process::run("tailwater verify", &mut command);
}

/// Starts a tracker; its announce URL.
pub(crate) fn tracker(home: &Path) -> (Process, String) {
    let mut command = tailwater(home);
    command.args(["tracker", "--http", "127.0.0.1:0", "--no-progress"]);
    let process = Process::start("tailwater tracker", &mut command);
    let line = process.line("http://");
    let url = line.split_whitespace().last().unwrap().to_owned();
    (process, url)
}
