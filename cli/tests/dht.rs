//! `tailwater dht` and `tailwater sim dht`: networks of real nodes on the loopback interface, and simulated ones.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use serde_json::Value;
use support::{Finished, Place, Running, noise};

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba98";
/// An address at which no node answers.
const NOBODY: &str = "127.0.0.1:9";

/// Nodes that know each other, and the address of the first.
struct Network {
    addr: String,
    nodes: Vec<(Running, Place)>,
}

impl Network {
    fn new(nodes: usize) -> Self {
        let first = Place::new();
        let node = first.start(&[
            "dht",
            "node",
            "--no-bootstrap",
            "--dht-listen",
            "127.0.0.1:0",
            "--no-progress",
        ]);
        let addr = listening(&node);
        let mut network = Self {
            addr,
            nodes: vec![(node, first)],
        };
        for _ in 1..nodes {
            network.join(Place::new(), &[]);
        }
        network
    }

    /// Another node, when it knows others.
    fn join(&mut self, place: Place, more: &[&str]) {
        let args = [
            "dht",
            "node",
            "--dht-bootstrap",
            &self.addr,
            "--dht-listen",
            "127.0.0.1:0",
            "--no-progress",
        ];
        let node = place.start(&[&args, more].concat());
        node.line("ready");
        self.nodes.push((node, place));
    }

    /// A command that begins with the first node.
    fn run(&self, place: &Place, args: &[&str]) -> Finished {
        let begin = ["--dht-bootstrap", &self.addr, "--timeout", "20"];
        place.run(&[&["dht"], args, &begin].concat())
    }

    fn ok(&self, place: &Place, args: &[&str]) -> String {
        let finished = self.run(place, args);
        assert_eq!(finished.code, Some(0), "{args:?}: {finished:?}");
        finished.out
    }

    fn json(&self, place: &Place, args: &[&str]) -> Vec<Value> {
        values(&self.ok(place, &[args, &["--json"]].concat()))
    }
}

fn listening(node: &Running) -> String {
    let line = node.line("listening on");
    line.rsplit(' ').next().unwrap().to_owned()
}

fn values(lines: &str) -> Vec<Value> {
    let lines = lines.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What follows a name at the beginning of a line.
fn field(out: &str, name: &str) -> String {
    let line = out.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {out}"))
        .trim()
        .to_owned()
}

#[test]
fn what_one_announces_another_finds() {
    let network = Network::new(6);
    let place = Place::new();
    let nobody = network.run(&place, &["peers", HASH]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert!(nobody.err.contains("nothing found"), "{}", nobody.err);

    let announced = network.run(&place, &["peers", HASH, "--announce", "4000", "--seed"]);
    assert_eq!(announced.code, Some(0), "{announced:?}");
    assert!(
        announced.err.contains("port 4000 announced to"),
        "{announced:?}"
    );

    let other = Place::new();
    let magnet = format!("magnet:?xt=urn:btih:{HASH}");
    assert_eq!(network.ok(&other, &["peers", &magnet]), "127.0.0.1:4000\n");
    let lines = network.json(&other, &["peers", HASH, "--scrape"]);
    assert_eq!(lines[0]["event"], "peers");
    assert_eq!(lines[0]["peers"][0], "127.0.0.1:4000");
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["event"], &last["peers"]),
        (&"finished".into(), &1.into())
    );
    assert_eq!(last["seeders"].as_f64().unwrap().round().to_string(), "1");
    assert_eq!(last["leechers"].as_f64().unwrap().round().to_string(), "0");
    assert!(last["asked"].as_u64().unwrap() >= 5);

    assert_eq!(
        network.ok(&other, &["sample", "--limit", "5"]),
        format!("{HASH}\n")
    );
    let lines = network.json(&other, &["sample", "--target", OTHER]);
    assert_eq!(lines.last().unwrap()["info_hashes"], 1);
}

#[test]
fn items_are_stored_replaced_and_read() {
    let network = Network::new(5);
    let (place, reader) = (Place::new(), Place::new());
    // The example of the help, and of BEP 44.
    let put = network.ok(&place, &["put", "Hello World!"]);
    let target = field(&put, "target");
    assert_eq!(target, "e5f96f6f38320f0f33959cb4d3d656452117aadb");
    assert_eq!(network.ok(&reader, &["get", &target]), "Hello World!\n");
    let raw = network.ok(&reader, &["get", &target, "--raw"]);
    assert_eq!(raw.trim_end(), "Hello World!");

    place.write("odd", b"d1:nli1ei2ee4:text3:\x1b[me");
    let put = network.ok(&place, &["put", "--file", "odd", "--bencode"]);
    let shown = network.ok(&reader, &["get", &field(&put, "target")]);
    assert_eq!(shown, "{\"n\": [1, 2], \"text\": \"\\u{1b}[m\"}\n");

    let put = network.ok(&place, &["put", "first", "--key", "my.key"]);
    let key = field(&put, "key");
    assert_eq!(field(&put, "version"), "1");
    let put = network.json(&place, &["put", "second", "--key", "my.key"]);
    // A node that is asked twice, for the item and to store it, is one node.
    for number in ["asked", "answered", "stored"] {
        assert_eq!(put[0][number], 5, "{number}: {put:?}");
    }
    assert_eq!(
        (&put[0]["seq"], &put[0]["key"]),
        (&2.into(), &key.as_str().into())
    );
    let got = network.json(&reader, &["get", &key]);
    assert_eq!(
        (&got[0]["seq"], &got[0]["text"]),
        (&2.into(), &"second".into())
    );

    // An old number, and one that is to replace what is not there.
    for wrong in [["--seq", "1"], ["--cas", "7"]] {
        let args = [&["put", "third", "--key", "my.key"], &wrong[..]].concat();
        let refused = network.run(&place, &args);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(
            refused.err.contains("no node has stored it"),
            "{}",
            refused.err
        );
    }
    assert_eq!(network.ok(&reader, &["get", &key]), "second\n");
    let other = network.run(&reader, &["get", &key, "--salt", "n"]);
    assert_eq!(other.code, Some(1), "{other:?}");
    network.ok(&place, &["put", "salted", "--key", "my.key", "--salt", "n"]);
    assert_eq!(
        network.ok(&reader, &["get", &key, "--salt", "n"]),
        "salted\n"
    );
}

#[test]
fn a_publication_leads_to_its_newest_torrent() {
    let network = Network::new(4);
    let (place, reader) = (Place::new(), Place::new());
    for hash in [HASH, OTHER] {
        let args = ["put", "--torrent", hash, "--key", "k", "--salt", "n"];
        let link = field(&network.ok(&place, &args), "magnet");
        assert!(link.starts_with("magnet:?xs=urn:btpk:"), "{link}");
        assert!(link.ends_with("&s=6e"), "{link}");
        let torrent = network.ok(&reader, &["get", &link]);
        assert_eq!(torrent, format!("magnet:?xt=urn:btih:{hash}\n"));
        assert_eq!(network.json(&reader, &["get", &link])[0]["info_hash"], hash);
    }
}

#[test]
fn a_publication_is_downloaded_without_tracker_and_address() {
    let network = Network::new(3);
    let (publisher, reader) = (Place::new(), Place::new());
    let film = noise(1, 200_000);
    publisher.write("here/film.bin", &film);
    let created = publisher.ok(&["create", "here/film.bin", "-o", "film.torrent", "--json"]);
    let hash = values(&created)[0]["info_hash_v1"].clone();
    let begin = ["--dht-bootstrap", &network.addr, "--listen", "127.0.0.1:0"];
    let alone = ["--no-lsd", "--no-port-map", "--no-progress"];
    let seed = ["seed", "film.torrent", "--data", "here"];
    let seeder = publisher.start(&[&seed, &begin[..], &alone[..]].concat());
    seeder.line("seeding ");
    let put = ["put", "--torrent", hash.as_str().unwrap(), "--key", "k"];
    let link = field(&network.ok(&publisher, &put), "magnet");
    let download = ["download", &link, "-o", "there", "--json"];
    let said = values(&reader.ok(&[&download, &begin[..], &alone[..]].concat()));
    let found = said.iter().find(|line| line["event"] == "publication");
    assert_eq!(found.unwrap()["info_hash"], hash);
    assert!(std::fs::read(reader.path("there/film.bin")).unwrap() == film);
    // Without the DHT there is nowhere to look.
    let refused = reader.run(&["download", &link, "--no-dht"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("--no-dht"), "{}", refused.err);
}

#[test]
fn ping_asks_one_node_and_nobody_else() {
    let network = Network::new(1);
    let place = Place::new();
    let args = ["ping", &network.addr, NOBODY, "--count", "2", "--json"];
    let said = values(&network.ok(&place, &args));
    assert_eq!(said.len(), 4);
    for pong in &said[..2] {
        assert_eq!(pong["addr"], network.addr.as_str());
        assert_eq!(pong["id"].as_str().unwrap().len(), 40);
        assert!(pong["rtt_ms"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(said[2]["error"], "no answer");
    assert!(place.state().is_empty(), "{:?}", place.state());
    let silent = network.run(&place, &["ping", NOBODY]);
    assert_eq!(silent.code, Some(1), "{silent:?}");
}

#[test]
fn without_a_network_it_says_so_and_what_to_do() {
    let place = Place::new();
    for args in [
        &["peers", HASH][..],
        &["put", "text"],
        &["put", "text", "--key", "k"],
        &["get", HASH],
        &["sample"],
    ] {
        let limit = ["--dht-bootstrap", NOBODY, "--timeout", "1"];
        let finished = place.run(&[&["dht"], args, &limit].concat());
        assert_eq!(finished.code, Some(1), "{args:?}: {finished:?}");
        assert!(
            finished.err.contains("no DHT node answered"),
            "{}",
            finished.err
        );
        assert!(finished.err.contains("--dht-bootstrap"), "{}", finished.err);
        assert_eq!(finished.out, "");
    }
    assert!(place.state().is_empty(), "{:?}", place.state());
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_is_wrong() {
    let place = Place::new();
    place.write("long", &[b'a'; 2000]);
    place.write("odd", b"i-0e");
    let key = "ab".repeat(32);
    let cases: [(&[&str], &str); 17] = [
        (&["dht"], "Usage:"),
        (&["dht", "peers", "xyz"], "not a v1 info-hash"),
        (&["dht", "peers", HASH, "--announce", "0"], "--announce"),
        (&["dht", "peers", HASH, "--seed"], "--announce"),
        (&["dht", "get", "abc"], "64 of a public key"),
        (&["dht", "get", HASH, "--salt", "n"], "--salt"),
        (&["dht", "get", HASH, "--raw", "--json"], "--raw"),
        (&["dht", "put"], "TEXT"),
        (&["dht", "put", "a", "--file", "b"], "--file"),
        (&["dht", "put", "--torrent", HASH], "--key"),
        (&["dht", "put", "--file", "long"], "1000 bytes"),
        (&["dht", "put", "--file", "odd", "--bencode"], "bencode"),
        (&["dht", "get", &key, "--timeout", "0"], "--timeout"),
        (
            &["sim", "dht", "--malicious", "2"],
            "from 0 (none) to 1 (all)",
        ),
        (
            &["sim", "dht", "--loss", "101%"],
            "from 0 (none) to 1 (all)",
        ),
        (
            &["sim", "dht", "--nodes", "-1"],
            "-1 is not from 2 to 1000000",
        ),
        (
            &["sim", "dht", "--seed", "x"],
            "'x' for '--seed <NUMBER>': not a whole number\n",
        ),
    ];
    for (args, text) in cases {
        let finished = place.run(args);
        assert_eq!(finished.code, Some(2), "{args:?}: {finished:?}");
        assert!(finished.err.contains(text), "{args:?}: {}", finished.err);
    }
}

#[test]
fn a_file_that_is_no_key_is_refused_and_left_alone() {
    let place = Place::new();
    place.write("note", b"hello");
    let refused = place.run(&["dht", "put", "a", "--key", "note"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("not a secret key"), "{}", refused.err);
    assert_eq!(std::fs::read(place.path("note")).unwrap(), b"hello");
}

#[cfg(unix)]
#[test]
fn a_node_keeps_its_table_and_starts_from_it() {
    let mut network = Network::new(4);
    network.join(Place::new(), &["--table"]);
    let (node, place) = network.nodes.pop().unwrap();
    node.signal("INT");
    let finished = node.finish();
    assert_eq!(finished.code, Some(130), "{finished:?}");
    assert!(finished.out.contains(&network.addr), "{}", finished.out);
    assert!(place.state().contains(&"tailwater/dht.nodes".to_owned()));

    // The host that it is told to begin with is not there: what it knows must do.
    let begin = ["--dht-bootstrap", NOBODY, "--timeout", "20"];
    let run = |args: &[&str]| place.run(&[&["dht"], args, &begin].concat());
    assert_eq!(run(&["put", "warm"]).code, Some(0));

    // A table that cannot be read is no reason to fail.
    let path = place.work().join("../state/tailwater/dht.nodes");
    std::fs::write(&path, "not a table").unwrap();
    let warned = network.run(&place, &["put", "cold"]);
    assert_eq!(warned.code, Some(0), "{warned:?}");
    assert!(warned.err.contains("cannot be read"), "{}", warned.err);
    assert_eq!(run(&["put", "warm again"]).code, Some(0));
}

#[cfg(unix)]
#[test]
fn a_node_tells_programs_what_it_does() {
    let network = Network::new(3);
    let place = Place::new();
    let node = place.start(&[
        "dht",
        "node",
        "--dht-bootstrap",
        &network.addr,
        "--dht-listen",
        "127.0.0.1:0",
        "--json",
        "--every",
        "1",
        "--table",
    ]);
    let value = |line: String| serde_json::from_str::<Value>(&line).unwrap();
    let listening = value(node.line("listening"));
    assert_eq!(listening["ids"][0].as_str().unwrap().len(), 40);
    assert!(value(node.line("ready"))["nodes"][0].as_u64().unwrap() >= 1);
    let stats = value(node.line("\"stats\""));
    assert_eq!(stats["ids"][0], listening["ids"][0]);
    assert!(stats["answers_received"].as_u64().unwrap() >= 1);
    assert!(stats["sent_bytes"].as_u64().unwrap() > 0);
    node.signal("TERM");
    let finished = node.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let table = values(&finished.out);
    let nodes = table.iter().filter(|line| line["event"] == "node");
    let addrs: Vec<_> = nodes.map(|node| node["addr"].clone()).collect();
    assert!(addrs.contains(&network.addr.as_str().into()), "{addrs:?}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_whatever_it_waits_for() {
    let place = Place::new();
    let waiting = place.start(&["dht", "peers", HASH, "--dht-bootstrap", NOBODY, "-vv"]);
    waiting.error_line("a node has been started");
    waiting.signal("INT");
    let finished = waiting.finish();
    assert_eq!(finished.code, Some(130), "{finished:?}");
    assert!(!finished.err.contains("error"), "{}", finished.err);
}

#[test]
fn the_same_seed_gives_the_same_report_byte_for_byte_and_a_chart() {
    let place = Place::new();
    let run = |seed: &str, more: &[&str]| {
        let args = [
            "sim",
            "dht",
            "--nodes",
            "200",
            "--minutes",
            "5",
            "--torrents",
            "20",
            "--lookups",
            "100",
            "--json",
            "--seed",
            seed,
        ];
        place.ok(&[&args, more].concat())
    };
    let report = run("7", &["--chart", "lookups.svg"]);
    assert_eq!(run("7", &[]), report);
    assert_ne!(run("8", &[]), report);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert!(
        report["found_percent"].as_f64().unwrap() >= 99.0,
        "{report}"
    );
    let hops = report["hops_histogram"]["counts"].as_array().unwrap();
    let lookups: u64 = hops.iter().filter_map(Value::as_u64).sum();
    assert!(lookups >= 90, "{report}");
    let svg = std::fs::read_to_string(place.path("lookups.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("Hops to the first peer"));
}

/// A chart is there when there is something to see, and what was there before stays until then.
#[cfg(unix)]
#[test]
fn an_interrupted_simulation_leaves_no_chart() {
    let place = Place::new();
    place.write("old.svg", b"old");
    let before = place.everything();
    for chart in ["new.svg", "old.svg"] {
        let long = ["--nodes", "20000", "--malicious", "1", "--chart", chart];
        let simulating = place.start(&[&["sim", "dht", "--force"], &long[..]].concat());
        // The file has been looked at by then.
        simulating.error_line("with `--malicious 1` all nodes lie but the ten");
        assert_eq!(place.everything(), before);
        simulating.signal("INT");
        let finished = simulating.finish();
        assert_eq!(finished.code, Some(130), "{finished:?}");
        assert_eq!(place.everything(), before);
    }
    assert_eq!(std::fs::read(place.path("old.svg")).unwrap(), b"old");
    // What the user has not asked to replace stays; that is said before a minute of work too.
    let refused = place.run(&["sim", "dht", "--chart", "old.svg"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.err.contains("old.svg exists already\n  help: ")
            && refused.err.contains("`--force`"),
        "{}",
        refused.err
    );
    assert_eq!(std::fs::read(place.path("old.svg")).unwrap(), b"old");
    // What cannot be written is said before a minute of work.
    let refused = place.run(&["sim", "dht", "--chart", "no/such/chart.svg"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("no/such/chart.svg"), "{}", refused.err);
}

#[test]
fn one_of_a_thing_is_said_in_the_singular() {
    let place = Place::new();
    let small = [
        "--nodes",
        "2",
        "--minutes",
        "1",
        "--torrents",
        "1",
        "--lookups",
        "1",
    ];
    let report = place.ok(&[&["sim", "dht"], &small[..]].concat());
    for told in [" for 1 minute\n", " by 1 node (median)\n", " of 1 lookup\n"] {
        assert!(report.contains(told), "{told:?} is not in {report}");
    }
    place.write("chart.svg", b"old");
    let chart = ["--chart", "chart.svg", "--force"];
    let report = place.ok(&[&["sim", "dht"], &small[..], &chart[..]].concat());
    assert!(report.ends_with("\nwritten: chart.svg\n"), "{report}");
    let svg = std::fs::read(place.path("chart.svg")).unwrap();
    assert!(svg.starts_with(b"<svg"));
}
