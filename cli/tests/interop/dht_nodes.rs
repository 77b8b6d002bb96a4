//! Nodes of a DHT that are not ours: libtorrent's, in one process.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::discovery_lab::{Lab, Machine};
use crate::process::{DEADLINE, Process};

const NODES: &str = include_str!("dht_nodes.py");
const PORT: u16 = 6881;

/// A warm network of nodes.
pub(crate) struct Nodes {
    /// Ends them when dropped.
    process: Process,
    machine: Machine,
    control: PathBuf,
    _dir: TempDir,
}

impl Nodes {
    /// Starts `count` nodes, and one more that only asks; `python` is an interpreter that has libtorrent. Returns when
    /// they know each other.
    pub(crate) fn start(lab: &Lab, count: u8, python: PathBuf) -> Self {
        let machine = lab.machine_with(count + 1);
        let dir = tempfile::tempdir().unwrap();
        let control = dir.path().join("control");
        let mut command = machine.command(python);
        command.args(["-u", "-c", NODES]).arg(&control);
        command.args(machine.all_at(PORT).iter().map(ToString::to_string));
        let process = Process::start("libtorrent nodes", &mut command);
        process.line("warm");
        Self {
            process,
            machine,
            control,
            _dir: dir,
        }
    }

    /// All but the one that only asks.
    pub(crate) fn addrs(&self) -> Vec<SocketAddr> {
        let mut addrs = self.machine.all_at(PORT);
        addrs.pop();
        addrs
    }

    /// Waits until a peer of the torrent has been announced to one of them; returns the peer.
    pub(crate) fn announced(&self, info_hash: &str) -> Value {
        self.ask(&json!({"do": "announced", "hash": info_hash}))
    }

    /// How often one of them was asked for the torrent so far, or told of a peer.
    pub(crate) fn asked(&self, info_hash: &str) -> u64 {
        let answer = self.ask(&json!({"do": "asked", "hash": info_hash}));
        answer.as_u64().unwrap()
    }

    /// Asks them to do something, as their program says; waits for the answer.
    pub(crate) fn ask(&self, request: &Value) -> Value {
        let stream = UnixStream::connect(&self.control).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        writeln!(&stream, "{request}").unwrap();
        let mut line = String::new();
        let read = BufReader::new(stream).read_line(&mut line);
        assert!(
            read.is_ok_and(|len| len > 0),
            "no answer came to {request}: {}",
            self.process.said().join("\n")
        );
        serde_json::from_str(&line).unwrap()
    }
}
