//! Through proxies: dante (SOCKS5) and tinyproxy (HTTP CONNECT), and not a packet beside them.
//!
//! ```text
//! inside ── eth0 ── 10.8.0.1 gate (the proxy) ── switch ── outside: seed, trackers, web seed, DHT node
//!    └───── eth1, the default route: whatever leaks is seen here
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, id};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

use crate::client::Setting;
use crate::discovery_lab::{Lab, Machine};
use crate::ours::{self, Start};
use crate::payload::{LAST_PIECE_OF_1_BYTE, ONE_FILE};
use crate::place::Place;
use crate::process::{self, Process};
use crate::{enabled, payload};

const INSIDE: &str = "10.8.0.2";
const GATE: &str = "10.8.0.1";
const SOCKS_PORT: u16 = 1080;
const HTTP_PORT: u16 = 8888;
/// The user of the proxies; dante's password, `se:cr3t@`, has to be escaped in a URL.
const USER: &str = "traveller";
const ESCAPED: &str = "se%3Acr3t%40";
/// tinyproxy takes letters and digits alone.
const HTTP_PASSWORD: &str = "secret";
/// The password of dante.
const SHADOW: &str = "$6$rounds=1000$ftibQK8WK0jbsOLi$xaieZKQywopLVclFy4BkpZjfZiHOhvwDJ/GDIH/lEKtpOFamMgvl.EEqLeXgUfZEzoikPsWvBTg.DknkPr9Et.";
/// What the proxy alone can resolve.
const NAME: &str = "outside.test";

/// A client that is connected to a proxy, and a proxy that is connected to the rest.
struct Travel {
    lab: Lab,
    gate: Machine,
    outside: Machine,
    inside: String,
    /// Files that `ip netns exec` puts over those in /etc.
    etc: PathBuf,
}

impl Travel {
    fn new() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let lab = Lab::new();
        let [gate, outside] = [(); 2].map(|()| lab.machine());
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let inside = format!("tailwater-inside-{}-{number}", id());
        let etc = Path::new("/etc/netns").join(gate.namespace());
        let travel = Self {
            lab,
            gate,
            outside,
            inside,
            etc,
        };
        travel.connect();
        fs::create_dir_all(&travel.etc).unwrap();
        let hosts = format!("127.0.0.1 localhost\n{} {NAME}\n", travel.outside.ip_addr());
        fs::write(travel.etc.join("hosts"), hosts).unwrap();
        let passwd = format!("{}{USER}:x:4242:4242::/:/bin/false\n", etc_file("passwd"));
        fs::write(travel.etc.join("passwd"), passwd).unwrap();
        let shadow = format!("{}{USER}:{SHADOW}:1:0:99999:7:::\n", etc_file("shadow"));
        fs::write(travel.etc.join("shadow"), shadow).unwrap();
        travel
    }

    fn connect(&self) {
        let (inside, gate) = (&*self.inside, self.gate.namespace());
        ip(&format!("netns add {inside}"));
        ip(&format!("-n {inside} link set lo up"));
        ip(&format!(
            "-n {inside} link add eth0 type veth peer name inner netns {gate}"
        ));
        ip(&format!("-n {gate} addr add {GATE}/24 dev inner"));
        ip(&format!("-n {gate} link set inner up"));
        ip(&format!("-n {inside} addr add {INSIDE}/24 dev eth0"));
        ip(&format!("-n {inside} link set eth0 up"));
        // The other way out. The next hop is not there, and need not be: packets go out to it.
        ip(&format!(
            "-n {inside} link add eth1 type veth peer name leak"
        ));
        ip(&format!("-n {inside} link set leak up"));
        ip(&format!("-n {inside} link set eth1 up"));
        ip(&format!("-n {inside} addr add 10.7.0.2/24 dev eth1"));
        ip(&format!(
            "-n {inside} -6 addr add fd07::2/64 dev eth1 nodad"
        ));
        for hop in ["10.7.0.9", "fd07::9"] {
            ip(&format!(
                "-n {inside} neigh add {hop} lladdr 02:00:00:00:00:09 dev eth1 nud permanent"
            ));
            ip(&format!("-n {inside} route add default via {hop} dev eth1"));
        }
    }

    /// Starts dante.
    fn dante(&self, place: &Place, commands: &str) -> Process {
        let config = place.path("danted.conf");
        let text = format!(
            "logoutput: stderr\ninternal: {GATE} port = {SOCKS_PORT}\nexternal: {}\n\
             user.privileged: root\nuser.unprivileged: nobody\nclientmethod: none\nsocksmethod: username\n\
             client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\n\
             socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0\n command: {commands} bindreply udpreply }}\n",
            self.gate.ip_addr()
        );
        fs::write(&config, text).unwrap();
        let mut command = self.gate.command("danted");
        command.arg("-f").arg(&config);
        let dante = Process::start("danted", &mut command);
        dante.line("running");
        dante
    }

    /// Starts tinyproxy.
    fn tinyproxy(&self, place: &Place) -> Process {
        let config = place.path("tinyproxy.conf");
        let text = format!(
            "Port {HTTP_PORT}\nListen {GATE}\nTimeout 60\nMaxClients 100\nAllow 10.8.0.0/24\nLogLevel Info\n\
             BasicAuth {USER} {HTTP_PASSWORD}\n"
        );
        fs::write(&config, text).unwrap();
        let mut command = self.gate.command("tinyproxy");
        command.arg("-d").arg("-c").arg(&config);
        let tinyproxy = Process::start("tinyproxy", &mut command);
        tinyproxy.line("listening on fd");
        tinyproxy
    }

    /// Sees every packet of the client, whatever the interface.
    fn capture(&self) -> Capture {
        let mut command = self.command("tcpdump");
        command.args(["-i", "any", "-n", "-t", "-l", "--immediate-mode"]);
        command.arg("ip or ip6");
        let tcpdump = Process::start("tcpdump", &mut command);
        tcpdump.line("listening on");
        Capture(tcpdump)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.inside, program]);
        command
    }

    /// Seeds the payload outside.
    fn seed(&self, place: &Place, torrent: &Path) -> ours::Ours {
        let home = place.folder("seed-home");
        let start = Start::new(&home, torrent, &[]).within(Setting::on(&self.outside));
        start.seed(&place.data())
    }

    /// Downloads inside, through the proxy.
    fn download(&self, place: &Place, source: &str, proxy: &str, more: &[&str]) -> Process {
        let (home, out) = (place.folder("home"), place.folder("out"));
        let mut command = self.command(env!("CARGO_BIN_EXE_tailwater"));
        command
            .current_dir(&home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("TAILWATER_PROXY", proxy)
            .args(["download", source, "--no-progress", "--json", "-v", "-o"])
            .arg(out)
            .args(more);
        Process::start("tailwater download", &mut command)
    }
}

impl Drop for Travel {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.etc);
        ip(&format!("netns del {}", self.inside));
        let _ = &self.lab;
    }
}

/// tcpdump.
struct Capture(Process);

impl Capture {
    /// Asserts that nothing was exchanged with anything but the proxy, at its port and at one more for its relay.
    /// The system's own search for neighbours (ICMPv6) does not count. Proves by a packet that leaks that such a one is
    /// seen.
    fn assert_tight(self, travel: &Travel, port: u16) {
        let leak = "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
                    s.sendto(b'leak', ('192.0.2.77', 7777))";
        let mut python = travel.command("python3");
        process::run("a leak", python.args(["-c", leak]));
        self.0.line("192.0.2.77.7777");
        let said = self.0.said();
        let is_packet = |line: &&String| line.contains(" > ") && !line.contains("ICMP6,");
        let packets: Vec<_> = said.iter().filter(is_packet).collect();
        let others: Vec<_> = packets
            .iter()
            .filter(|line| far_end(line).is_none() && !is_fragment(line))
            .filter(|line| !line.contains("192.0.2.77.7777"))
            .take(10)
            .collect();
        assert!(others.is_empty(), "beside the proxy: {others:#?}");
        let ports: BTreeSet<_> = packets.iter().filter_map(|line| far_end(line)).collect();
        assert!(ports.contains(&port), "{ports:?}");
        assert!(ports.len() <= 2, "{ports:?}");
    }
}

/// The port of the proxy that a packet goes to or comes from; `None` if it goes elsewhere or leaves by another interface.
fn far_end(line: &str) -> Option<u16> {
    let line = line.trim();
    let (_, packet) = line.split_once(" IP ")?;
    let (from, rest) = packet.split_once(" > ")?;
    let (to, _) = rest.split_once(": ")?;
    let prefix = |ip: &str| format!("{ip}.");
    let port = match line.starts_with("eth0") {
        true if from.starts_with(&prefix(INSIDE)) => to.strip_prefix(&prefix(GATE)),
        true if to.starts_with(&prefix(INSIDE)) => from.strip_prefix(&prefix(GATE)),
        _ => None,
    };
    port?.parse().ok()
}

/// A later part of a datagram of the relay, which shows no ports.
fn is_fragment(line: &str) -> bool {
    let packet = line.trim().strip_prefix("eth0").unwrap_or_default();
    packet.contains(&format!(" IP {GATE} > {INSIDE}: "))
}

fn etc_file(name: &str) -> String {
    fs::read_to_string(Path::new("/etc").join(name)).unwrap()
}

fn ip(args: &str) {
    let mut command = Command::new("ip");
    process::run(&format!("ip {args}"), command.args(args.split(' ')));
}

fn socks() -> String {
    format!("socks5://{USER}:{ESCAPED}@{GATE}:{SOCKS_PORT}")
}

fn http() -> String {
    format!("http://{USER}:{HTTP_PASSWORD}@{GATE}:{HTTP_PORT}")
}

#[test]
fn peers_are_reached_through_dante_and_nothing_leaks() {
    if !enabled() {
        return;
    }
    let place = Place::new(ONE_FILE);
    let travel = Travel::new();
    let torrent = place.torrent(&[]);
    let seed = travel.seed(&place, &torrent);
    let _dante = travel.dante(&place, "connect");
    let capture = travel.capture();
    let (torrent, peer) = (torrent.display().to_string(), seed.addr.to_string());
    let mut ours = travel.download(&place, &torrent, &socks(), &["--peer", &peer]);
    // It allows no UDP ASSOCIATE.
    ours.line("no uTP, no DHT and no UDP trackers: the proxy refuses");
    ours.succeed();
    place.assert_arrived(&place.path("out"));
    capture.assert_tight(&travel, SOCKS_PORT);
}

#[test]
fn utp_goes_through_the_relay_of_dante() {
    if !enabled() {
        return;
    }
    let place = Place::new(ONE_FILE);
    let travel = Travel::new();
    let torrent = place.torrent(&[]);
    let seed = travel.seed(&place, &torrent);
    let _dante = travel.dante(&place, "connect udpassociate");
    let capture = travel.capture();
    let (torrent, peer) = (torrent.display().to_string(), seed.addr.to_string());
    let more = ["--peer", &peer, "--transport", "utp", "--no-dht"];
    let mut ours = travel.download(&place, &torrent, &socks(), &more);
    ours.succeed();
    place.assert_arrived(&place.path("out"));
    capture.assert_tight(&travel, SOCKS_PORT);
}

/// A tracker over HTTP and UDP at one port outside.
fn tracker(travel: &Travel, place: &Place, port: u16) -> Process {
    let home = place.folder("tracker-home");
    let mut command = travel.outside.command(env!("CARGO_BIN_EXE_tailwater"));
    command.current_dir(&home).arg("tracker");
    for protocol in ["--http", "--udp"] {
        command.args([protocol, &travel.outside.at(port).to_string()]);
    }
    let process = Process::start("tailwater tracker", command.arg("--no-progress"));
    process.line("udp://");
    process
}

/// Waits for answers of trackers, by the schemes of their URLs, and for other events by their names, in any order.
fn wait_for(process: &Process, mut awaited: Vec<&str>) {
    process.find(&format!("{awaited:?}"), |line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let tracker = line["tracker"].as_str().unwrap_or_default();
        awaited.retain(|&awaited| match line["event"].as_str() {
            Some("tracker_answered") => !tracker.starts_with(awaited),
            event => event != Some(awaited),
        });
        awaited.is_empty().then_some(())
    });
}

/// nginx outside, which serves the whole place.
fn web(travel: &Travel, place: &Place, port: u16) -> Process {
    let folder = place.folder("nginx");
    let (home, root, at) = (folder.display(), place.path(""), travel.outside.at(port));
    let root = root.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {home}/{kind};\n"))
        .concat();
    let text = format!(
        "daemon off;\nmaster_process off;\nuser root;\npid {home}/nginx.pid;\nerror_log stderr notice;\n\
         events {{}}\nhttp {{\naccess_log off;\n{temporary}server {{ listen {at}; root {root}; }}\n}}\n"
    );
    let config = folder.join("nginx.conf");
    fs::write(&config, text).unwrap();
    let mut command = travel.outside.command("nginx");
    command.arg("-c").arg(&config).args(["-e", "stderr"]);
    let nginx = Process::start("nginx", &mut command);
    // It says so when it listens.
    nginx.line("OS: ");
    nginx
}

/// A .torrent file and its web seed, both of which the proxy alone can resolve, and no peer.
#[test]
fn a_torrent_file_and_a_web_seed_come_through_both_proxies_by_name() {
    if !enabled() {
        return;
    }
    for port in [SOCKS_PORT, HTTP_PORT] {
        let place = Place::new(ONE_FILE);
        let travel = Travel::new();
        let _web = web(&travel, &place, 80);
        let torrent = place.path("named.torrent");
        let seed = format!("http://{NAME}/data/");
        let piece_kib = place.shape().piece_kib;
        ours::create_with(
            &place.payload(),
            &torrent,
            piece_kib,
            &["--web-seed", &seed],
        );
        let (_proxy, url) = match port {
            SOCKS_PORT => (travel.dante(&place, "connect"), socks()),
            _ => (travel.tinyproxy(&place), http()),
        };
        let capture = travel.capture();
        let source = format!("http://{NAME}/named.torrent");
        let mut ours = travel.download(&place, &source, &url, &[]);
        ours.succeed();
        place.assert_arrived(&place.path("out"));
        capture.assert_tight(&travel, port);
    }
}

/// With the DHT, trackers over HTTP and UDP and a web seed, all of them by name, and uTP and TCP in play.
#[test]
fn a_magnet_link_with_everything_goes_through_dante_and_nothing_leaks() {
    if !enabled() {
        return;
    }
    let place = Place::new(LAST_PIECE_OF_1_BYTE);
    let travel = Travel::new();
    let _tracker = tracker(&travel, &place, 7000);
    let at = travel.outside.at(7000);
    // The seed outside needs no proxy, and cannot resolve the name.
    let trackers = [format!("http://{at}/announce"), format!("udp://{at}")];
    let torrent = place.torrent(&[&trackers[0], &trackers[1]]);
    let seed = travel.seed(&place, &torrent);
    seed.event("tracker_answered");
    let _web = web(&travel, &place, 7080);
    let node = travel.outside.at(7001);
    let mut dht = travel.outside.command(env!("CARGO_BIN_EXE_tailwater"));
    dht.args(["dht", "node", "--no-bootstrap", "--json", "--every", "1s"]);
    dht.args(["--dht-listen", &node.to_string()]);
    let dht = Process::start("tailwater dht node", &mut dht);
    let _dante = travel.dante(&place, "connect udpassociate");
    let capture = travel.capture();
    let link = format!(
        "magnet:?xt=urn:btih:{}&tr=http%3A%2F%2F{NAME}%3A7000%2Fannounce&tr=udp%3A%2F%2F{NAME}%3A7000\
         &ws=http%3A%2F%2F{NAME}%3A7080%2Fdata%2F&x.pe={NAME}%3A6881",
        ours::info_hash(&torrent)
    );
    let bootstrap = format!("{NAME}:{}", node.port());
    let more = ["--dht-bootstrap", &bootstrap, "--seed"];
    let ours = travel.download(&place, &link, &socks(), &more);
    wait_for(&ours, vec!["http://", "udp://", "completed"]);
    // The node outside has seen us, through the relay.
    dht.find("a node in its table", |line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let nodes = line["nodes"].as_array()?.iter().filter_map(Value::as_u64);
        (nodes.sum::<u64>() > 0).then_some(())
    });
    ours.interrupt();
    place.assert_arrived(&place.path("out"));
    capture.assert_tight(&travel, SOCKS_PORT);
}

#[test]
fn tinyproxy_carries_tcp_and_the_user_is_told_of_the_rest() {
    if !enabled() {
        return;
    }
    let place = Place::new(payload::MANY_FILES);
    let travel = Travel::new();
    let _tracker = tracker(&travel, &place, 7000);
    let url = format!("http://{}/announce", travel.outside.at(7000));
    let torrent = place.torrent(&[&url]);
    let seed = travel.seed(&place, &torrent);
    seed.event("tracker_answered");
    let _tinyproxy = travel.tinyproxy(&place);
    let capture = travel.capture();
    let torrent = torrent.display().to_string();
    // Where the tracker is, is not known, and so it may name no peers of private networks.
    let more = ["--peer", &seed.addr.to_string(), "--seed"];
    let ours = travel.download(&place, &torrent, &http(), &more);
    ours.line("an HTTP proxy carries no UDP");
    wait_for(&ours, vec!["http://", "completed"]);
    place.assert_arrived(&place.path("out"));
    capture.assert_tight(&travel, HTTP_PORT);
}

#[test]
fn a_wrong_password_is_said_to_be_wrong() {
    if !enabled() {
        return;
    }
    let place = Place::new(LAST_PIECE_OF_1_BYTE);
    let travel = Travel::new();
    let _dante = travel.dante(&place, "connect udpassociate");
    let torrent = place.torrent(&[]).display().to_string();
    let proxy = format!("socks5://{USER}:wrong@{GATE}:{SOCKS_PORT}");
    let ours = travel.download(&place, &torrent, &proxy, &["--peer", "10.9.1.1:6881"]);
    ours.line("it refuses the user name or the password");
}
