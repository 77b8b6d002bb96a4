//! Two network namespaces and the link between them.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::{Command, Stdio, id};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::{self, Process};
use crate::seeder::python;

const LINK: &str = include_str!("../../src/commands/bench/link.py");

pub(crate) const SEEDER: &str = "10.79.0.1";
const PLAYER: &str = "10.79.0.2";

/// Bits a second, both ways, of a link that has a rate.
pub(crate) const RATE: u64 = 100_000_000;

/// How long a packet may wait for the link, and how much may pass at once after silence. A home router's queue is longer.
const QUEUE_MS: u32 = 50;
const BURST: &str = "256kb";

/// What joins the namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// As fast as the machine is.
    Free,
    /// [`RATE`], by the kernel's token bucket.
    Rated,
    /// [`RATE`] and this much delay each way, by a program: not every kernel has netem.
    Delayed { one_way_ms: u32 },
}

/// The namespaces; they go when dropped.
pub(crate) struct Net {
    seeder: String,
    player: String,
    /// What delays; ended when dropped.
    link: Option<Process>,
}

impl Net {
    /// Whether the system lets us make namespaces; else why not.
    pub(crate) fn is_possible() -> Result<(), String> {
        let name = format!("tailwater-try-{}", id());
        let mut add = Command::new("ip");
        add.args(["netns", "add", &name]).stdin(Stdio::null());
        let made = add
            .output()
            .map_err(|error| format!("cannot run ip: {error}"))?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).trim().to_owned());
        }
        ip(&["netns", "del", &name]);
        Ok(())
    }

    pub(crate) fn new(link: Link) -> Self {
        let name = |side: &str| format!("tailwater-{side}-{}", id());
        let mut net = Self {
            seeder: name("seeder"),
            player: name("player"),
            link: None,
        };
        ip(&["netns", "add", &net.seeder]);
        ip(&["netns", "add", &net.player]);
        net.connect(link);
        net
    }

    fn connect(&mut self, link: Link) {
        let devices = ["s", "p"].map(|side| format!("tw{side}{}", id()));
        let [from, to] = &devices;
        match link {
            Link::Free | Link::Rated => {
                ip(&["link", "add", from, "type", "veth", "peer", "name", to]);
            }
            Link::Delayed { one_way_ms } => self.link = Some(delayed(from, to, one_way_ms)),
        }
        let ends = [
            (&self.seeder, from, SEEDER, PLAYER),
            (&self.player, to, PLAYER, SEEDER),
        ];
        for (namespace, device, own, other) in ends {
            ip(&["link", "set", device, "netns", namespace]);
            let at = ["-n", namespace];
            let in_it = |args: &[&str]| ip(&[&at, args].concat());
            in_it(&["addr", "add", own, "peer", other, "dev", device]);
            in_it(&["link", "set", device, "up"]);
            in_it(&["link", "set", "lo", "up"]);
            if link == Link::Rated {
                let (rate, latency) = (format!("{RATE}bit"), format!("{QUEUE_MS}ms"));
                let tbf = ["tbf", "rate", &rate, "burst", BURST, "latency", &latency];
                let qdisc = ["qdisc", "add", "dev", device, "root"];
                run("tc", &[&at[..], &qdisc, &tbf].concat());
            }
        }
    }

    /// A command that runs `program` where the seeder is.
    pub(crate) fn at_seeder(&self, program: impl AsRef<OsStr>) -> Command {
        inside(&self.seeder, program.as_ref())
    }

    /// A command that runs `program` where the player is.
    pub(crate) fn at_player(&self, program: impl AsRef<OsStr>) -> Command {
        inside(&self.player, program.as_ref())
    }

    /// Moves the calling thread to where the player is.
    pub(crate) fn enter(&self) -> io::Result<()> {
        let namespace = File::open(format!("/run/netns/{}", self.player))?;
        let kind = Some(LinkNameSpaceType::Network);
        Ok(move_into_link_name_space(namespace.as_fd(), kind)?)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // Before its devices go.
        drop(self.link.take());
        for namespace in [&self.seeder, &self.player] {
            ip(&["netns", "del", namespace]);
        }
    }
}

fn delayed(from: &str, to: &str, one_way_ms: u32) -> Process {
    let mut command = Command::new(python());
    let seconds = |ms: u32| (f64::from(ms) / 1000.0).to_string();
    command.args(["-u", "-c", LINK, from, to, &RATE.to_string()]);
    command.args([seconds(one_way_ms), seconds(QUEUE_MS)]);
    let process = Process::start("link", &mut command);
    process.line("ready");
    process
}

fn inside(namespace: &str, program: &OsStr) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

fn ip(args: &[&str]) {
    run("ip", args);
}

fn run(program: &str, args: &[&str]) {
    process::run(
        &format!("{program} {}", args.join(" ")),
        Command::new(program).args(args),
    );
}
