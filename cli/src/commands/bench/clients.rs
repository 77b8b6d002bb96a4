//! The clients that can be measured: how each is found and started.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::lab::{Lab, Side};
use crate::args::{BenchEncryption, BenchStorage, BenchTransport, BenchVersion, Client};
use crate::error::CliError;

/// What libtorrent does, in Python.
const LIBTORRENT: &str = include_str!("libtorrent_side.py");
/// What Transmission starts when it is done, for us to see it.
const DONE: &str = "#!/bin/sh\n: >\"$(dirname \"$0\")/done\"\n";

/// A client that is installed.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) client: Client,
    pub(super) version: String,
    program: PathBuf,
}

/// How clients talk to each other, and where downloads go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) storage: BenchStorage,
    /// The budget of a download to memory, in bytes.
    pub(super) memory: u64,
    pub(super) transport: BenchTransport,
    pub(super) encryption: BenchEncryption,
    pub(super) torrent: BenchVersion,
}

/// One process of a transfer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task<'a> {
    pub(super) side: Side,
    pub(super) torrents: &'a [PathBuf],
    /// Where the data is, or goes.
    pub(super) data: &'a Path,
    /// For what else the client writes: nothing of its user's is touched.
    pub(super) home: &'a Path,
    pub(super) listen: SocketAddr,
}

impl Found {
    /// Looks for a client.
    ///
    /// # Errors
    ///
    /// Why it cannot be measured, in words.
    pub(super) fn look(client: Client, python: &Path) -> Result<Self, String> {
        let found = |program: PathBuf, version: String| Self {
            client,
            version,
            program,
        };
        let name = client.name();
        match client {
            Client::Ours => {
                let program = std::env::current_exe().map_err(|error| error.to_string())?;
                Ok(found(program, env!("CARGO_PKG_VERSION").to_owned()))
            }
            Client::Libtorrent => {
                // A wrapper script around the interpreter would be measured too.
                let code = "import libtorrent, sys; print(sys.executable, libtorrent.__version__)";
                let said = output(python, &["-W", "ignore", "-c", code]).map_err(|why| {
                    format!(
                        "{name}: {} has no libtorrent ({why}); try `pip install libtorrent`, or --python",
                        python.display()
                    )
                })?;
                let (program, version) = said.rsplit_once(' ').unwrap_or((&said, ""));
                Ok(found(program.into(), version.to_owned()))
            }
            Client::Aria2 => {
                let said = output(Path::new("aria2c"), &["--version"])
                    .map_err(|why| format!("{name}: cannot run aria2c ({why})"))?;
                Ok(found("aria2c".into(), last_word(&said)))
            }
            Client::Transmission => {
                let said = output(Path::new("transmission-cli"), &["--version"])
                    .map_err(|why| format!("{name}: cannot run transmission-cli ({why})"))?;
                let version = said.split_whitespace().nth(1).unwrap_or_default();
                Ok(found("transmission-cli".into(), version.to_owned()))
            }
        }
    }

    /// Why the client cannot do what is asked for; `None` if it can.
    pub(super) fn refuses(
        &self,
        terms: Terms,
        torrents: usize,
        is_loopback: bool,
    ) -> Option<&'static str> {
        match self.client {
            Client::Aria2 | Client::Transmission if terms.torrent != BenchVersion::V1 => {
                Some("it knows v1 torrents alone")
            }
            Client::Aria2 if terms.transport == BenchTransport::Utp => Some("aria2 has no uTP"),
            Client::Transmission if torrents > 1 => {
                Some("transmission-cli takes one torrent at a time")
            }
            Client::Transmission if terms.encryption == BenchEncryption::Rc4 => {
                Some("transmission-cli cannot be told to use RC4")
            }
            Client::Transmission if is_loopback => {
                Some("Transmission takes no peers at loopback addresses")
            }
            _ => None,
        }
    }

    /// The command that seeds or downloads.
    pub(super) fn command(
        &self,
        lab: &Lab,
        task: Task<'_>,
        terms: Terms,
    ) -> Result<Command, CliError> {
        let mut command = lab.command(task.side, &self.program);
        command
            .env("XDG_STATE_HOME", task.home)
            .env("XDG_CONFIG_HOME", task.home)
            .env_remove("RUST_LOG");
        match self.client {
            Client::Ours => command.args(ours(task, terms)),
            Client::Libtorrent => command.args(libtorrent(task, terms)),
            Client::Aria2 => command.args(aria2(task, terms)),
            Client::Transmission => command.args(transmission(task, terms)?),
        };
        command.args(task.torrents);
        Ok(command)
    }

    /// The command of libtorrent in another role, with arguments of its own.
    pub(super) fn libtorrent(
        &self,
        role: &str,
        listen: SocketAddr,
        settings: &str,
        args: &[OsString],
    ) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-W", "ignore", "-c", LIBTORRENT, role]);
        command.arg(listen.to_string()).arg(settings).args(args);
        command
    }

    pub(super) fn program(&self) -> &Path {
        &self.program
    }
}

/// What a program prints, without the space around it.
fn output(program: &Path, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    let output = command.args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    // Some say their version on standard error.
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    match output.status.success() {
        true => Ok(said.trim().to_owned()),
        false => Err(said.trim().lines().last().unwrap_or_default().to_owned()),
    }
}

fn last_word(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    first.rsplit(' ').next().unwrap_or_default().to_owned()
}

/// Options of ours that keep it to the peers of its tracker.
pub(super) fn alone(listen: SocketAddr) -> [OsString; 7] {
    let listen = listen.to_string();
    [
        "--listen",
        &listen,
        "--no-dht",
        "--no-lsd",
        "--no-port-map",
        "--no-progress",
        "--no-config",
    ]
    .map(OsString::from)
}

fn ours(task: Task<'_>, terms: Terms) -> Vec<OsString> {
    let mut args: Vec<OsString> = Vec::new();
    let data = task.data.as_os_str();
    match (task.side, terms.storage) {
        (Side::Seeder, _) => args.extend(["seed".into(), "--data".into(), data.to_owned()]),
        (Side::Downloader, BenchStorage::Disk) => {
            args.extend(["download".into(), "--output".into(), data.to_owned()]);
        }
        (Side::Downloader, BenchStorage::Memory) => {
            let memory = terms.memory.to_string();
            args.extend(["download", "--storage", "memory", "--memory", &memory].map(Into::into));
        }
    }
    args.extend(alone(task.listen));
    let transport = match terms.transport {
        BenchTransport::Tcp => "tcp",
        BenchTransport::Utp => "utp",
    };
    let encryption = match terms.encryption {
        BenchEncryption::Plain => "off",
        BenchEncryption::Rc4 => "require",
    };
    args.extend(["--transport", transport, "--encryption", encryption].map(Into::into));
    args
}

fn libtorrent(task: Task<'_>, terms: Terms) -> Vec<OsString> {
    let (is_utp, is_rc4) = (
        terms.transport == BenchTransport::Utp,
        terms.encryption == BenchEncryption::Rc4,
    );
    // 0 forced, 2 disabled; level 2 is RC4 alone.
    let policy = if is_rc4 { 0 } else { 2 };
    let settings = json!({
        "enable_incoming_utp": is_utp,
        "enable_outgoing_utp": is_utp,
        "enable_incoming_tcp": !is_utp,
        "enable_outgoing_tcp": !is_utp,
        "in_enc_policy": policy,
        "out_enc_policy": policy,
        "allowed_enc_level": if is_rc4 { 2 } else { 3 },
        "prefer_rc4": is_rc4,
    });
    let role = match task.side {
        Side::Seeder => "seed",
        Side::Downloader => "download",
    };
    let mut args = ["-W", "ignore", "-c", LIBTORRENT, role]
        .map(OsString::from)
        .to_vec();
    args.extend([
        task.listen.to_string().into(),
        settings.to_string().into(),
        task.data.into(),
    ]);
    args
}

fn aria2(task: Task<'_>, terms: Terms) -> Vec<OsString> {
    let mut args: Vec<OsString> = [
        "--no-conf",
        "--enable-dht=false",
        "--enable-dht6=false",
        "--bt-enable-lpd=false",
        "--enable-peer-exchange=false",
        "--file-allocation=none",
        "--summary-interval=0",
        "--show-console-readout=false",
        "--allow-overwrite=true",
        "--bt-max-peers=0",
        "--max-concurrent-downloads=1000",
    ]
    .map(OsString::from)
    .to_vec();
    args.push(format!("--listen-port={}", task.listen.port()).into());
    args.push(format!("--stop-with-process={}", std::process::id()).into());
    match task.side {
        Side::Seeder => {
            args.extend(["--seed-ratio=0.0", "--bt-seed-unverified=true"].map(Into::into));
        }
        Side::Downloader => args.push("--seed-time=0".into()),
    }
    if terms.encryption == BenchEncryption::Rc4 {
        args.extend(["--bt-require-crypto=true", "--bt-min-crypto-level=arc4"].map(Into::into));
    }
    args.extend(["--dir".into(), task.data.into()]);
    args
}

fn transmission(task: Task<'_>, terms: Terms) -> Result<Vec<OsString>, CliError> {
    let is_utp = terms.transport == BenchTransport::Utp;
    let settings: Value = json!({
        "bind-address-ipv4": task.listen.ip().to_string(),
        "cache-size-mb": 64,
        "dht-enabled": false,
        // 0: plain connections are preferred.
        "encryption": 0,
        "lpd-enabled": false,
        "peer-port": task.listen.port(),
        "pex-enabled": false,
        "port-forwarding-enabled": false,
        "preallocation": 0,
        "rename-partial-files": false,
        "rpc-enabled": false,
        "speed-limit-down-enabled": false,
        "speed-limit-up-enabled": false,
        "tcp-enabled": !is_utp,
        "utp-enabled": is_utp,
    });
    let write = |name: &str, text: &str| {
        let path = task.home.join(name);
        fs::write(&path, text).map_err(CliError::io("write", path))
    };
    write("settings.json", &settings.to_string())?;
    write("done.sh", DONE)?;
    let script = task.home.join("done.sh");
    make_executable(&script).map_err(CliError::io("change", &script))?;
    let port = task.listen.port().to_string();
    Ok(vec![
        "--config-dir".into(),
        task.home.into(),
        "--no-portmap".into(),
        "--port".into(),
        port.into(),
        "--finish".into(),
        script.into(),
        "--download-dir".into(),
        task.data.into(),
    ])
}

/// Whether Transmission, which goes on seeding, has everything.
pub(super) fn transmission_is_done(home: &Path) -> bool {
    home.join("done").exists()
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}
