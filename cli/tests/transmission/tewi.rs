//! `tewi`, driven by its keys in tmux.

use std::process::Command;

use serde_json::{Value, json};

use crate::keys::{comes, fill, press_until, shows};
use crate::remotes::{connect, damage, installed, link_and_url, removed, repaired, show};
use crate::rpc::Rpc;
use crate::support::Place;
use crate::tmux::Tmux;
use crate::{enabled, process};

fn ends_with(value: &Value, end: &str) -> bool {
    value.as_str().is_some_and(|text| text.ends_with(end))
}

#[test]
fn tewi_goes_through_all_that_it_has() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (file, seeder) = show(&place);
    let (link, _second, url, _server) = link_and_url(&place);
    let rpc = Rpc::start(&place, &[]);
    let (host, port) = rpc.addr.split_once(':').unwrap();
    let tewi = installed("clients-venv/bin/tewi");
    let add = |what: &str| {
        let mut command = Command::new(&tewi);
        command.args(["--host", host, "--port", port, "-a", what]);
        process::run("tewi", command.env("HOME", place.work()));
    };
    add(file.to_str().unwrap());
    connect(&rpc, &seeder);
    rpc.until(&json!(1), "percentDone", |done| done == 1.0);
    let tewi = tewi.display();
    let command = format!("HOME=. exec {tewi} --host {host} --port {port} --refresh-interval 1");
    let tmux = Tmux::start(&place, &command, 120, 40);
    tmux.see("seeding");
    shows_files(&rpc, &tmux);
    changes(&rpc, &tmux);
    damage(&place, "data/Show/a.mkv");
    checks(&rpc, &tmux);
    repaired(&rpc, &seeder);
    labels_and_moves(&rpc, &tmux, &place);
    removes(&tmux);
    removed(&rpc, &place, "Show", "data/other/Show");
    tmux.miss("Show");
    add(&link);
    add(&url);
    rpc.until(&json!(2), "percentDone", |done| done == 1.0);
    tmux.see("other.mp4");
    assert!(place.path("data/film.mp4").exists());
    rpc.daemon.stop();
}

fn shows_files(rpc: &Rpc<'_>, tmux: &Tmux) {
    tmux.press(&["g"]);
    tmux.press(&["Enter"]);
    tmux.see("Privacy: Public torrent");
    tmux.press(&["f"]);
    tmux.see("b.srt");
    // The first line is their folder.
    tmux.press(&["H"]);
    rpc.until(&json!(1), "priorities", |it| *it == json!([1, 1]));
    tmux.see("100%  ↑");
    tmux.press(&["Space"]);
    rpc.until(&json!(1), "wanted", |it| *it == json!([0, 0]));
    tmux.see("100%  -");
    tmux.press(&["Space"]);
    rpc.until(&json!(1), "wanted", |it| *it == json!([1, 1]));
    tmux.press(&["p"]);
    tmux.see("Client");
    tmux.press(&["x"]);
    tmux.see("seeding");
}

fn changes(rpc: &Rpc<'_>, tmux: &Tmux) {
    tmux.press(&["Space"]);
    rpc.until(&json!(1), "status", |it| *it == 0);
    // In the list, which the key goes by; a notice says it before.
    tmux.see("│ stopped");
    tmux.press(&["Space"]);
    rpc.until(&json!(1), "status", |it| *it == 6);
    tmux.see("│ seeding");
    tmux.press(&["p"]);
    rpc.until(&json!(1), "bandwidthPriority", |it| *it == 1);
}

fn checks(rpc: &Rpc<'_>, tmux: &Tmux) {
    let left = || rpc.torrent(&json!(1), &["leftUntilDone"])["leftUntilDone"].clone();
    let is_idle = || rpc.torrent(&json!(1), &["status"])["status"] == 6;
    press_until(tmux, "v", is_idle, || left() != 0);
}

/// What a field of a dialog holds, two lines below a title.
fn field(lines: &[String], title: &str) -> Option<String> {
    let title = lines.iter().position(|line| line.contains(title))?;
    let is_edge = |it: char| !it.is_ascii_graphic();
    let held = lines.get(title + 2)?.trim_matches(is_edge);
    // What an empty one shows.
    let is_empty = matches!(held, "Torrent location..." | "Torrent name...");
    Some(if is_empty { "" } else { held }.to_owned())
}

fn labels_and_moves(rpc: &Rpc<'_>, tmux: &Tmux, place: &Place) {
    let title = "Update torrent labels";
    press_until(tmux, "L", || true, || shows(tmux, title));
    fill(tmux, |lines| field(lines, title), "seen");
    tmux.press(&["Enter"]);
    rpc.until(&json!(1), "labels", |it| *it == json!(["seen"]));
    tmux.miss(title);
    let title = "Edit torrent";
    press_until(tmux, "e", || true, || shows(tmux, title));
    let other = place.path("data/other");
    edits(tmux, "Show", other.to_str().unwrap());
    tmux.press(&["Enter"]);
    rpc.until(&json!(1), "downloadDir", |it| ends_with(it, "data/other"));
    assert!(other.join("Show/a.mkv").exists());
    tmux.miss(title);
}

/// Fills both fields of the dialog. A key that comes soon after Tab still goes to the field before: what is there then is put
/// right before the dialog is confirmed.
fn edits(tmux: &Tmux, name: &str, location: &str) {
    let name_held = |lines: &[String]| field(lines, "Name:");
    let location_held = |lines: &[String]| field(lines, "Location:");
    let is_at = |title: &str| {
        let row = tmux.lines().iter().position(|line| line.contains(title));
        row.is_some_and(|row| tmux.fact("cursor_y") == (row + 2).to_string())
    };
    for _ in 0..10 {
        fill(tmux, name_held, name);
        tmux.press(&["Tab"]);
        comes(|| is_at("Location:"));
        fill(tmux, location_held, location);
        if name_held(&tmux.lines()).as_deref() == Some(name) {
            return;
        }
        tmux.press(&["BTab"]);
        comes(|| is_at("Name:"));
    }
    panic!("the fields are never right\n{}", tmux.lines().join("\n"));
}

fn removes(tmux: &Tmux) {
    let question = "Remove torrent and delete data?";
    press_until(tmux, "R", || true, || shows(tmux, question));
    press_until(
        tmux,
        "y",
        || shows(tmux, question),
        || !shows(tmux, question),
    );
}
