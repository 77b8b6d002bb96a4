//! Measures the time from a bare magnet link to the first byte of the payload, in a DHT of real nodes.
//!
//! ```text
//! cargo bench -p tailwater --bench magnet -- [--json] [--runs N] [--nodes N]
//! ```
//!
//! Fifty libtorrent nodes (`scripts/install-clients.sh`), a libtorrent seeder that has announced its torrents to them,
//! and the release binary run in network namespaces on one switch. That needs root; without it, the bench prints so and
//! measures nothing. The clock starts before the process is started, and stops when libtorrent says that the first
//! block has gone to the socket. libtorrent does the same task in turn; its clock starts when its interpreter is up.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the measurement")]

#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/interop/dht_nodes.rs"]
mod dht_nodes;
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/interop/discovery_lab.rs"]
mod discovery_lab;
#[allow(dead_code, reason = "the other bench uses the rest of it")]
#[path = "stream/figures.rs"]
mod figures;
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/interop/process.rs"]
mod process;
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/stream/seeder.rs"]
mod seeder;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use clap::Parser;
use serde::Serialize;
use tempfile::TempDir;

use crate::dht_nodes::Nodes;
use crate::discovery_lab::{Lab, Machine};
use crate::figures::{Percentiles, Target};
use crate::process::Process;

const CLIENTS: &str = include_str!("magnet/clients.py");
const PORT: u16 = 6881;
/// An address that no host has.
const NOBODY: &str = "10.9.255.1:6881";
/// Milliseconds from the link to the first byte.
const WANTED_MS: f64 = 2000.0;

/// Measures `tailwater download` of a magnet link.
#[derive(Parser)]
struct Args {
    /// Prints a line of JSON for each case.
    #[arg(long)]
    json: bool,
    /// How often each client does it in each case.
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// Nodes in the DHT.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(10..=200))]
    nodes: u8,
    /// Passed by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a client knows of the DHT at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    /// The address of one node.
    FirstStart,
    /// The routing table of an earlier run, and no other node.
    SecondStart,
}

/// One case's figures: one line of JSON.
#[derive(Serialize)]
struct Figures {
    case: &'static str,
    nodes: u8,
    first_byte_ms: Percentiles,
    libtorrent_first_byte_ms: Percentiles,
    /// Our median to libtorrent's.
    ratio: f64,
    target: Target,
}

/// The network, with its seeder.
struct Bed {
    seeder: Process,
    nodes: Nodes,
    player: Machine,
    /// Torrents that no client has requested yet.
    fresh: Vec<String>,
    dir: TempDir,
    _lab: Lab,
}

fn main() {
    let args = Args::parse();
    if !args.bench {
        println!("nothing is measured: this runs by `cargo bench`");
        return;
    }
    if let Err(reason) = Lab::is_possible() {
        println!("nothing is measured: this needs root, for network namespaces ({reason})");
        return;
    }
    // One more for each client, to learn the nodes for the second start.
    let mut bed = Bed::new(args.nodes, 4 * args.runs + 2);
    for case in [Case::FirstStart, Case::SecondStart] {
        let figures = bed.measure(case, &args);
        if args.json {
            println!("{}", serde_json::to_string(&figures).unwrap());
        } else {
            show(&figures);
        }
    }
}

fn show(figures: &Figures) {
    println!("{}, among {} nodes", figures.case, figures.nodes);
    for (who, ms) in [
        ("tailwater", figures.first_byte_ms),
        ("libtorrent", figures.libtorrent_first_byte_ms),
    ] {
        let Percentiles {
            n, p50, p90, max, ..
        } = ms;
        println!("  {who}: {n} times; p50 {p50:.0} ms, p90 {p90:.0}, worst {max:.0}");
    }
    let verdict = if figures.target.met { "met" } else { "MISSED" };
    println!("  ratio {:.2}; target {verdict}", figures.ratio);
}

impl Bed {
    fn new(count: u8, torrents: usize) -> Self {
        let lab = Lab::new();
        let nodes = Nodes::start(&lab, count, seeder::python());
        let (machine, player) = (lab.machine(), lab.machine());
        let dir = tempfile::tempdir().unwrap();
        let payloads = folder(dir.path(), "seeder");
        let node = nodes.addrs()[1];
        let mut command = python(&machine, "seed", node.to_string());
        command.arg(payloads).arg(torrents.to_string());
        let seeder = Process::start("libtorrent seeder", &mut command);
        seeder.line("ready");
        let said = seeder.said();
        let fresh: Vec<_> = said
            .iter()
            .filter_map(|line| line.strip_prefix("torrent ").map(str::to_owned))
            .collect();
        for torrent in &fresh {
            nodes.announced(torrent);
        }
        Self {
            seeder,
            nodes,
            player,
            fresh,
            dir,
            _lab: lab,
        }
    }

    fn measure(&mut self, case: Case, args: &Args) -> Figures {
        if case == Case::SecondStart {
            self.ours(Case::FirstStart, "kept", true);
            self.libtorrent("kept");
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for run in 0..args.runs {
            let home = match case {
                Case::FirstStart => format!("fresh-{run}"),
                Case::SecondStart => "kept".to_owned(),
            };
            ours.push(self.ours(case, &home, false));
            theirs.push(self.libtorrent(&home));
        }
        let (ours, theirs) = (Percentiles::of(ours), Percentiles::of(theirs));
        Figures {
            case: match case {
                Case::FirstStart => "first-start",
                Case::SecondStart => "second-start",
            },
            nodes: args.nodes,
            first_byte_ms: ours,
            libtorrent_first_byte_ms: theirs,
            ratio: ours.p50 / theirs.p50,
            target: Target::at_most("median first byte, ms", WANTED_MS, ours.p50),
        }
    }

    /// One download with `home` for its state; with `keeps`, to the disk, so that the table of nodes is kept.
    fn ours(&mut self, case: Case, home: &str, keeps: bool) -> Duration {
        let torrent = self.fresh.pop().unwrap();
        let home = folder(self.dir.path(), home);
        let mut command = self.player.command(env!("CARGO_BIN_EXE_tailwater"));
        command
            .arg("download")
            .arg(format!("magnet:?xt=urn:btih:{torrent}"));
        match keeps {
            true => command.arg("--output").arg(&home),
            false => command.args(["--storage", "memory"]),
        };
        command.args(["--no-progress", "--no-lsd", "--no-port-map"]);
        let node = match case {
            Case::FirstStart => self.nodes.addrs()[0].to_string(),
            Case::SecondStart => NOBODY.to_owned(),
        };
        command.args(["--dht-bootstrap", &node]);
        command.env("XDG_STATE_HOME", &home).env_remove("RUST_LOG");
        let began = SystemTime::now();
        let mut process = Process::start("tailwater download", &mut command);
        process.succeed();
        self.sent(&torrent, since_epoch(began))
    }

    /// The same with libtorrent, which keeps what it knows of the DHT in `home` if there is nothing yet.
    fn libtorrent(&mut self, home: &str) -> Duration {
        let torrent = self.fresh.pop().unwrap();
        let home = folder(self.dir.path(), home);
        let state = home.join("libtorrent.state");
        let node = match state.exists() {
            true => "-".to_owned(),
            false => self.nodes.addrs()[0].to_string(),
        };
        let mut command = python(&self.player, "leech", node);
        command.arg(&home).arg(&torrent).arg(&state);
        let mut process = Process::start("libtorrent leech", &mut command);
        let began = process.line("began ");
        process.succeed();
        let began = began.rsplit(' ').next().unwrap().parse().unwrap();
        self.sent(&torrent, Duration::from_nanos(began))
    }

    /// How long after `began` the seeder sent the first block.
    fn sent(&self, torrent: &str, began: Duration) -> Duration {
        let line = self.seeder.line(&format!("sent {torrent}"));
        let sent = line.rsplit(' ').next().unwrap().parse().unwrap();
        Duration::from_nanos(sent).checked_sub(began).unwrap()
    }
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

fn folder(dir: &Path, name: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn python(machine: &Machine, role: &str, node: String) -> std::process::Command {
    let mut command = machine.command(seeder::python());
    let listen: SocketAddr = machine.at(PORT);
    command.args(["-u", "-c", CLIENTS, role]);
    command.args([listen.to_string(), node]);
    command
}
