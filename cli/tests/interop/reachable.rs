//! `tailwater daemon` says that its port is open when a peer with a public address has connected to it.

use std::fs;
use std::time::{Duration, Instant};

use crate::discovery_lab::{Lab, Machine};
use crate::enabled;
use crate::payload::ONE_FILE;
use crate::place::Place;
use crate::process::{self, Process};

/// Where the daemon listens for programs, on its own machine.
const RPC: &str = "127.0.0.1:9091";

fn tailwater(place: &Place, machine: &Machine, home: &str, args: &[&str]) -> Process {
    let home = place.path(home);
    fs::create_dir_all(&home).unwrap();
    let mut command = machine.command(env!("CARGO_BIN_EXE_tailwater"));
    command.env("XDG_STATE_HOME", &home).current_dir(&home);
    command.args(args);
    command.args(["--no-dht", "--no-lsd", "--no-port-map", "--no-progress"]);
    Process::start(&format!("tailwater {}", args[0]), &mut command)
}

/// What the daemon says while it is not known.
const UNKNOWN: &str = "no peer from outside is connected that came by itself";

/// What `transmission-remote` says of the daemon's port.
fn remote(machine: &Machine, args: &[&str]) -> String {
    let mut command = machine.command("transmission-remote");
    process::run("transmission-remote", command.arg(RPC).args(args))
}

/// What it says when it is asked to test the port; it fails when that is not known.
fn says(machine: &Machine) -> String {
    let mut command = machine.command("transmission-remote");
    let output = command.args([RPC, "--port-test"]).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    format!("{out}{err}")
}

#[test]
fn the_port_is_open_when_a_peer_has_come_from_a_public_address() {
    if !enabled() {
        return;
    }
    let place = Place::new(ONE_FILE);
    let torrent = place.torrent(&[]);
    let torrent = torrent.to_str().unwrap();
    for (name, lab, is_public) in [
        ("public", Lab::with_public_addresses(), true),
        ("private", Lab::new(), false),
    ] {
        let (ours, theirs) = (lab.machine(), lab.machine());
        let [home, data] = ["daemon", "data"].map(|it| format!("{name}-{it}"));
        let args = ["daemon", "--http", "127.0.0.1:0", "--transmission", RPC];
        let daemon = tailwater(
            &place,
            &ours,
            &home,
            &[&args[..], &["--data", &data]].concat(),
        );
        daemon.line("daemon:");
        remote(&ours, &["--add", torrent]);
        assert!(says(&ours).contains(UNKNOWN), "{name}: {}", says(&ours));
        let peer = ours.at(6881).to_string();
        let source = place.data();
        let seed = ["seed", torrent, "--peer", &peer, "--max-up", "4kB"];
        let with_data = ["--data", source.to_str().unwrap()];
        let seed = [&seed[..], &with_data].concat();
        // It sends slowly, so that it stays connected once it is.
        let _seed = tailwater(&place, &theirs, &format!("{name}-seed"), &seed);
        wait_for_peer(&ours);
        let expected = if is_public {
            "Port is open: Yes"
        } else {
            UNKNOWN
        };
        assert!(says(&ours).contains(expected), "{name}: {}", says(&ours));
    }
}

/// Waits until the daemon lists the peer with its address, and its figures count it.
fn wait_for_peer(machine: &Machine) {
    let deadline = Instant::now() + Duration::from_secs(120);
    let [a, b, ..] = machine.ip_addr().octets();
    let network = format!("{a}.{b}.");
    let of_torrent = |what: &str| remote(machine, &["--torrent", "1", what]);
    while !of_torrent("--peer-info").contains(&network)
        || !of_torrent("--info").contains("connected to 1,")
    {
        assert!(Instant::now() < deadline, "no peer has connected");
    }
}
