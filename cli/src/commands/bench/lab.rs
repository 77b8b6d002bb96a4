//! The two sides of a transfer: network namespaces of their own, joined by a link, or the loopback interface.

use std::ffi::OsStr;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio, id};
use std::time::Duration;

use super::process::Process;
use crate::args::BenchNetwork;
use crate::error::CliError;

/// What the names of all namespaces of benches begin with; the process id follows.
const PREFIX: &str = "tailwater-bench-";
const SEEDER: Ipv4Addr = Ipv4Addr::new(10, 97, 0, 1);
const DOWNLOADER: Ipv4Addr = Ipv4Addr::new(10, 97, 0, 2);
/// Where ports begin to be given out in namespaces, which have them all to themselves.
const FIRST_PORT: u16 = 20_000;
/// How much may pass at once after silence.
const BURST: &str = "256kb";
/// Joins the namespaces where there is a delay: not every kernel has netem.
const LINK: &str = include_str!("link.py");
/// Nothing that sets up a link takes longer.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// A side of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Seeder,
    Downloader,
}

/// What the link between namespaces is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link<'a> {
    /// In Mbit/s; `None` is what the machine can do.
    pub(super) rate: Option<u32>,
    /// In milliseconds.
    pub(super) rtt: Option<u32>,
    /// What may wait for the link, in bytes.
    pub(super) queue: u64,
    /// Runs the program that delays.
    pub(super) python: &'a Path,
}

/// The network of a bench. Its namespaces go when it is dropped.
pub(super) struct Lab {
    namespaces: Option<[String; 2]>,
    next_port: u16,
    /// What delays.
    link: Option<Process>,
}

impl Lab {
    pub(super) async fn new(
        network: BenchNetwork,
        link: Link<'_>,
        dir: &Path,
    ) -> Result<Self, CliError> {
        let mut lab = Self::loopback();
        if network == BenchNetwork::Loopback {
            return lab.without_link(link);
        }
        remove_stale();
        match lab.join(link, dir).await {
            Ok(()) => Ok(lab),
            // What was made of it goes.
            Err(_) if network == BenchNetwork::Auto => {
                drop(lab);
                Self::loopback().without_link(link)
            }
            Err(error) => Err(error),
        }
    }

    /// Both sides on the loopback interface.
    pub(super) const fn loopback() -> Self {
        Self {
            namespaces: None,
            next_port: FIRST_PORT,
            link: None,
        }
    }

    fn without_link(self, link: Link<'_>) -> Result<Self, CliError> {
        match link.rate {
            None => Ok(self),
            Some(_) => Err(CliError::Bench(
                "a link with a rate needs network namespaces: run it as root on Linux".to_owned(),
            )),
        }
    }

    async fn join(&mut self, link: Link<'_>, dir: &Path) -> Result<(), CliError> {
        let name = |side: &str| format!("{PREFIX}{}-{side}", id());
        let names = [name("s"), name("d")];
        // From here on, they are removed when dropped.
        self.namespaces = Some(names.clone());
        for name in &names {
            ip(&["netns", "add", name])?;
        }
        let devices = ["s", "d"].map(|side| format!("twb{}{side}", id()));
        let [from, to] = &devices;
        match link.rtt {
            None => ip(&["link", "add", from, "type", "veth", "peer", "name", to])?,
            Some(rtt) => self.link = Some(delayed(link, rtt, &devices, dir).await?),
        }
        let ends = [(SEEDER, DOWNLOADER), (DOWNLOADER, SEEDER)];
        for ((name, device), (own, other)) in names.iter().zip(&devices).zip(ends) {
            let (own, other) = (own.to_string(), other.to_string());
            ip(&["link", "set", device, "netns", name])?;
            for args in [
                &["addr", "add", &own, "peer", &other, "dev", device][..],
                &["link", "set", device, "up"],
                &["link", "set", "lo", "up"],
                &["route", "add", "default", "dev", device],
            ] {
                ip(&[&["-n", name], args].concat())?;
            }
            if let (Some(rate), None) = (link.rate, link.rtt) {
                let (rate, limit) = (format!("{rate}mbit"), link.queue.to_string());
                let qdisc = ["-n", name, "qdisc", "add", "dev", device, "root"];
                let tbf = ["tbf", "rate", &rate, "burst", BURST, "limit", &limit];
                run("tc", &[&qdisc[..], &tbf].concat())?;
            }
        }
        Ok(())
    }

    /// What it is, for people.
    pub(super) const fn name(&self) -> &'static str {
        match self.namespaces {
            Some(_) => "network namespaces",
            None => "the loopback interface",
        }
    }

    pub(super) const fn is_loopback(&self) -> bool {
        self.namespaces.is_none()
    }

    /// An address of that side with a port that nothing has used yet.
    pub(super) fn addr(&mut self, side: Side) -> Result<SocketAddr, CliError> {
        if self.is_loopback() {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
            return free
                .and_then(|free| free.local_addr())
                .map_err(|source| CliError::System {
                    operation: "find a free port",
                    source,
                });
        }
        self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
        let ip = match side {
            Side::Seeder => SEEDER,
            Side::Downloader => DOWNLOADER,
        };
        Ok(SocketAddr::new(IpAddr::V4(ip), self.next_port))
    }

    /// A command that runs `program` on that side.
    pub(super) fn command(&self, side: Side, program: impl AsRef<OsStr>) -> Command {
        let Some([seeder, downloader]) = &self.namespaces else {
            return Command::new(program);
        };
        let name = match side {
            Side::Seeder => seeder,
            Side::Downloader => downloader,
        };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name]).arg(program);
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.link.take());
        for name in self.namespaces.iter().flatten() {
            // It may not have been made.
            let _ = ip(&["netns", "del", name]);
        }
    }
}

async fn delayed(
    link: Link<'_>,
    rtt: u32,
    devices: &[String; 2],
    dir: &Path,
) -> Result<Process, CliError> {
    let rate = u64::from(link.rate.unwrap_or(100)) * 1_000_000;
    let delay = f64::from(rtt) / 2_000.0;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a queue is far below 2^52 bytes"
    )]
    let queue = link.queue as f64 * 8.0 / rate as f64;
    let mut command = Command::new(link.python);
    command.args(["-u", "-c", LINK]).args(devices);
    command.args([rate.to_string(), delay.to_string(), queue.to_string()]);
    let mut process = Process::start("link", dir, command)?;
    let is_ready = |said: &str| said.contains("ready");
    process.says(READY_WITHIN, is_ready).await?;
    Ok(process)
}

/// Removes the namespaces of benches that were killed.
fn remove_stale() {
    let Ok(entries) = fs::read_dir("/run/netns") else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let process = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('-'));
        if let Some((process, _)) = process
            && process.parse::<u32>().is_ok()
            && !Path::new("/proc").join(process).exists()
        {
            // Another one may do the same.
            let _ = ip(&["netns", "del", name]);
        }
    }
}

fn ip(args: &[&str]) -> Result<(), CliError> {
    run("ip", args)
}

fn run(program: &str, args: &[&str]) -> Result<(), CliError> {
    let failed = |why: String| {
        let args = args.join(" ");
        CliError::Bench(format!(
            "cannot set up the network: {program} {args}: {why}"
        ))
    };
    let mut command = Command::new(program);
    let output = command.args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        )),
    }
}
