//! Items in the DHT (BEP 44): what ours stores libtorrent reads, and the other way round.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::dht::{dht_command, network};
use crate::dht_nodes::Nodes;
use crate::discovery_lab::{Lab, Machine};
use crate::enabled;

/// A guest of a network.
struct Guest {
    nodes: Nodes,
    machine: Machine,
    home: TempDir,
    _lab: Lab,
}

impl Guest {
    fn new() -> Self {
        let lab = Lab::new();
        Self {
            nodes: network(&lab),
            machine: lab.machine(),
            home: tempfile::tempdir().unwrap(),
            _lab: lab,
        }
    }

    /// What `tailwater dht` says, in one line.
    fn run(&self, args: &[&str]) -> Value {
        let known = self.nodes.addrs();
        let said = dht_command(&self.machine, self.home.path(), &known, args);
        assert_eq!(said.len(), 1, "{said:?}");
        said[0].clone()
    }
}

#[test]
fn immutable_items_go_both_ways() {
    if !enabled() {
        return;
    }
    let guest = Guest::new();
    // With an entry that its hash depends on, beyond ASCII.
    let theirs = "Von dort, mit 12:x — é";
    let target = guest.nodes.ask(&json!({"do": "put", "value": theirs}));
    let said = guest.run(&["get", target.as_str().unwrap()]);
    assert_eq!(said["text"], theirs);

    let ours = "Von hier, mit i0e — ü";
    let said = guest.run(&["put", ours]);
    let asked = json!({"do": "get", "target": said["target"]});
    assert_eq!(guest.nodes.ask(&asked), ours);
}

/// With one key: ours stores the first version, libtorrent the second, ours the third.
fn versions(salt: &str) {
    if !enabled() {
        return;
    }
    let guest = Guest::new();
    let salt_flags = match salt {
        "" => vec![],
        salt => vec!["--salt", salt],
    };
    let run = |verb: &str, what: &str, more: &[&str]| {
        guest.run(&[&[verb, what], more, &salt_flags[..]].concat())
    };
    let put = |text: &str| run("put", text, &["--key", "my.key"]);

    let first = put("the first");
    assert_eq!(first["seq"], 1);
    let key = first["key"].as_str().unwrap();
    let asked = |text: &str| json!({"do": "get_mutable", "key": key, "salt": salt, "value": text});
    assert_eq!(guest.nodes.ask(&asked("the first"))["seq"], 1);

    let seed = fs::read_to_string(guest.home.path().join("my.key")).unwrap();
    let theirs = guest.nodes.ask(&json!({
        "do": "put_mutable", "seed": seed.trim(), "key": key, "salt": salt, "value": "the second",
    }));
    assert_eq!(theirs["seq"], 2);
    let said = run("get", key, &[]);
    assert_eq!(
        (&said["seq"], &said["text"]),
        (&json!(2), &json!("the second"))
    );

    assert_eq!(put("the third")["seq"], 3);
    assert_eq!(guest.nodes.ask(&asked("the third"))["seq"], 3);
}

#[test]
fn mutable_items_go_both_ways() {
    versions("");
}

#[test]
fn mutable_items_with_salt_go_both_ways() {
    versions("a grain of salt");
}
