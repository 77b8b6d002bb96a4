//! `--interface`: nothing leaves by another one, whether it is there or not, and all goes on when it comes back.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::client::Setting;
use crate::discovery_lab::Machine;
use crate::payload::ONE_FILE;
use crate::place::Place;
use crate::process::{self, Process};
use crate::{enabled, ours};

/// The address of the machine at the other end of both links, which is on neither of them.
const PEER: &str = "10.30.9.9";
/// Our address on the link that is to be used, and the table of its routes.
const TUNNEL_ADDR: &str = "10.30.2.2";
const TUNNEL_TABLE: &str = "100";
/// The port for peers, over both transports, and for the DHT.
const PEER_PORT: u16 = 6881;
/// What the transfer may take after the interface has come back: by then, dials wait for their turn to be repeated.
const RESUMED_WITHIN: Duration = Duration::from_secs(120);

/// A machine with two links to another one. The default route leads over the wrong one.
struct Fork {
    ours: Machine,
    theirs: Machine,
}

impl Fork {
    fn new(name: &str) -> Self {
        let [ours, theirs] =
            ["ours", "theirs"].map(|side| Machine::bare(&format!("{name}-{side}")));
        for machine in [&ours, &theirs] {
            for setting in ["all", "default"] {
                // What comes by the link that the default route is not on is meant for us all the same.
                let setting = format!("net.ipv4.conf.{setting}.rp_filter=0");
                let mut sysctl = machine.command("sysctl");
                process::run("sysctl", sysctl.args(["-w", &setting]));
            }
        }
        theirs.ip(&["addr", "add", &format!("{PEER}/32"), "dev", "lo"]);
        let fork = Self { ours, theirs };
        fork.link("wide0", 1, "100");
        // The system's own answers, such as a reset for a segment that no socket takes, go back where they came from.
        let rule = ["rule", "add", "from", TUNNEL_ADDR, "lookup", TUNNEL_TABLE];
        fork.ours.ip(&rule);
        fork
    }

    /// Makes a link, and a default route over it.
    fn link(&self, name: &str, net: u8, metric: &str) {
        let theirs = self.theirs.namespace();
        self.ours.ip(&[
            "link", "add", name, "type", "veth", "peer", "name", name, "netns", theirs,
        ]);
        for (machine, host) in [(&self.ours, 2), (&self.theirs, 1)] {
            let addr = format!("10.30.{net}.{host}/24");
            machine.ip(&["addr", "add", &addr, "dev", name]);
            machine.ip(&["link", "set", name, "up"]);
        }
        let via = format!("10.30.{net}.1");
        let route = [
            "route", "add", "default", "via", &via, "dev", name, "metric", metric,
        ];
        self.ours.ip(&route);
    }

    /// The link that is to be used. It is the worse one by its metric.
    fn link_tunnel(&self) {
        self.link("tunnel0", 2, "500");
        let via = ["via", "10.30.2.1", "dev", "tunnel0", "table", TUNNEL_TABLE];
        self.ours
            .ip(&[&["route", "add", "default"], &via[..]].concat());
    }

    fn unlink_tunnel(&self) {
        self.ours.ip(&["link", "del", "tunnel0"]);
    }

    /// Shows what leaves by a link, but for what the system itself sends to find its neighbours by IPv6.
    fn capture(&self, link: &str) -> Process {
        let mut tcpdump = self.ours.command("tcpdump");
        tcpdump.args(["-i", link, "-Q", "out", "-n", "-l", "--immediate-mode"]);
        tcpdump.arg("arp or ip or (ip6 and (tcp or udp))");
        let capture = Process::start("tcpdump", &mut tcpdump);
        capture.line("listening on");
        capture
    }

    /// A tracker and a seed, at the address that both links lead to.
    fn serve(&self, home: &Path, torrent: &Path, data: &Path) -> [Process; 2] {
        let mut tracker = self.tailwater(&self.theirs, home);
        let [http, udp] = [6969, 6970].map(|port| format!("{PEER}:{port}"));
        tracker.args(["tracker", "--http", &http, "--udp", &udp, "--no-progress"]);
        let tracker = Process::start("tailwater tracker", &mut tracker);
        tracker.line("http://");
        let mut seed = self.tailwater(&self.theirs, home);
        seed.arg("seed").arg(torrent).arg("--data").arg(data);
        seed.args(["--listen", &format!("{PEER}:{PEER_PORT}")]);
        // A node of the DHT that begins alone.
        seed.args(["--dht-bootstrap", &format!("{PEER}:1")]);
        seed.args(["--no-lsd", "--no-port-map", "--no-progress", "--json"]);
        seed.args(["--max-up", "400kB"]);
        let seed = Process::start("tailwater seed", &mut seed);
        event(&seed, "started", |_| true);
        [tracker, seed]
    }

    /// A download by a link, with all that finds peers.
    fn download(&self, home: &Path, torrent: &Path, out: &Path) -> Process {
        let mut command = self.tailwater(&self.ours, home);
        command.arg("download").arg(torrent).arg("-o").arg(out);
        command.args(["--interface", "tunnel0", "--no-progress", "--json"]);
        command.args(["--dht-bootstrap", &format!("{PEER}:{PEER_PORT}")]);
        Process::start("tailwater download", &mut command)
    }

    fn tailwater(&self, machine: &Machine, home: &Path) -> Command {
        ours::tailwater_in(Setting::on(machine), home)
    }
}

fn event(process: &Process, name: &str, wanted: impl Fn(&Value) -> bool) {
    process.find(&format!("event {name}"), |line| {
        let line: Value = serde_json::from_str(line).ok()?;
        (line["event"] == name && wanted(&line)).then_some(())
    });
}

/// The download begins before its interface is there, loses it in the middle, and gets it back. All the while the other
/// link leads to the same peer, and carries not a packet.
#[test]
fn nothing_leaves_by_another_interface_and_all_goes_on_when_it_is_back() {
    if !enabled() {
        return;
    }
    let fork = Fork::new("fork");
    let place = Place::new(ONE_FILE);
    let trackers = [
        // Its port is closed, so that the next one is asked too.
        format!("http://{PEER}:6971/announce"),
        format!("udp://{PEER}:6970/announce"),
    ];
    let torrent = place.torrent(&trackers.each_ref().map(String::as_str));
    let _served = fork.serve(&place.folder("theirs"), &torrent, &place.data());
    let wrong = fork.capture("wide0");

    let out = place.folder("out");
    let mut download = fork.download(&place.folder("home"), &torrent, &out);
    download.line("interface tunnel0 does not exist, or has no address: waiting for it");
    event(&download, "progress", |line| {
        line["state"] == "no_interface"
    });

    fork.link_tunnel();
    let right = fork.capture("tunnel0");
    event(&download, "interface_changed", |line| line["is_up"] == true);
    event(&download, "progress", |line| {
        line["done"].as_u64() > Some(1_000_000)
    });
    // What was in play: the local network, both trackers, the DHT and uTP on one port.
    for there in [
        "239.192.152.143.6771: UDP".to_owned(),
        format!("{PEER}.6971: Flags [S]"),
        format!("{PEER}.6970: UDP"),
        format!("{PEER}.{PEER_PORT}: UDP"),
    ] {
        let said = right.said();
        assert!(
            said.iter().any(|line| line.contains(&there)),
            "{there}: {said:#?}"
        );
    }

    fork.unlink_tunnel();
    event(&download, "interface_changed", |line| {
        line["is_up"] == false
    });
    // Long enough to try all ways.
    for _ in 0..3 {
        event(&download, "progress", |line| {
            line["state"] == "no_interface"
        });
    }
    fork.link_tunnel();
    event(&download, "interface_changed", |line| line["is_up"] == true);
    download.succeed_within(RESUMED_WITHIN);
    place.assert_arrived(&out);

    let leaked = wrong.said();
    let is_packet = |line: &&String| [" IP", " ARP"].iter().any(|kind| line.contains(kind));
    let leaked: Vec<_> = leaked.iter().filter(is_packet).collect();
    assert!(leaked.is_empty(), "{leaked:#?}");
}
