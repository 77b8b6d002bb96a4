//! `tailwater bench swarm` measures every client that it knows.

use std::process::Command;

use serde_json::Value;

use crate::enabled;
use crate::libtorrent;
use crate::process;

/// Each client with us, both ways; those with themselves take as long again.
const PAIRS: &str =
    "ours-ours,lt-ours,ours-lt,aria2-ours,ours-aria2,transmission-ours,ours-transmission";

#[test]
fn every_client_is_measured_with_ours() {
    if !enabled() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tailwater"));
    command.args(["bench", "swarm", "--size", "8MiB", "--rounds", "1"]);
    command.args(["--pairs", PAIRS]);
    command.args(["--network", "namespaces", "--json", "--no-config"]);
    command.arg("--python").arg(libtorrent::python());
    command.arg("--dir").arg(dir.path());
    let said = process::run("tailwater bench swarm", &mut command);
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let skipped: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "skipped")
        .collect();
    assert!(skipped.is_empty(), "{skipped:?}");
    let rates = lines.iter().filter(|line| line["measure"] == "rate");
    assert_eq!(rates.count(), PAIRS.split(',').count(), "{said}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
