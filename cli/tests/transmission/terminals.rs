//! Remotes in a terminal, driven by their keys in tmux: each adds files, links and URLs, shows and changes them.

use std::process::Command;

use serde_json::{Value, json};

use crate::remotes::{connect, installed, link_and_url, show};
use crate::rpc::Rpc;
use crate::support::Place;
use crate::tmux::Tmux;
use crate::{enabled, process};

fn ends_with(value: &Value, end: &str) -> bool {
    value.as_str().is_some_and(|text| text.ends_with(end))
}

#[test]
fn tewi_adds_shows_stops_starts_and_checks() {
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
    tewi_shows_files(&rpc, &tmux);
    tewi_changes(&rpc, &tmux);
    add(&link);
    add(&url);
    rpc.until(&json!(2), "percentDone", |done| done == 1.0);
    tmux.see("other.mp4");
    assert!(place.path("data/film.mp4").exists());
    rpc.daemon.stop();
}

fn tewi_shows_files(rpc: &Rpc<'_>, tmux: &Tmux) {
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

fn tewi_changes(rpc: &Rpc<'_>, tmux: &Tmux) {
    tmux.press(&["Space"]);
    rpc.until(&json!(1), "status", |it| *it == 0);
    // In the list, which the key goes by; a notice says it before.
    tmux.see("│ stopped");
    tmux.press(&["Space"]);
    rpc.until(&json!(1), "status", |it| *it == 6);
    tmux.see("│ seeding");
    tmux.press(&["p"]);
    rpc.until(&json!(1), "bandwidthPriority", |it| *it == 1);
    tmux.press(&["v"]);
    tmux.see("sent to verification");
    rpc.until(&json!(1), "status", |it| *it == 6);
}

#[test]
fn rustmission_adds_shows_stops_labels_renames_and_moves() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (file, seeder) = show(&place);
    let (link, _second, url, _server) = link_and_url(&place);
    let rpc = Rpc::start(&place, &["--allow-private-urls"]);
    let program = installed("clients-cargo/bin/rustmission");
    let run = |args: &[&str]| {
        let mut command = Command::new(&program);
        let config = place.path("config");
        command.args(args).env("HOME", place.work());
        process::run("rustmission", command.env("XDG_CONFIG_HOME", config))
    };
    // Its own configuration, but for the address and how often it looks.
    let config = run(&["print-default-config"]);
    let config = config.replace("CHANGE_ME:9091", &rpc.addr);
    let config = config.replace("refresh = 5", "refresh = 1");
    place.write("config/rustmission/config.toml", config.as_bytes());
    run(&["add-torrent", file.to_str().unwrap()]);
    connect(&rpc, &seeder);
    rpc.until(&json!(1), "percentDone", |done| done == 1.0);
    let program = program.display();
    let config = place.path("config");
    let command = format!("HOME=. XDG_CONFIG_HOME={} exec {program}", config.display());
    let tmux = Tmux::start(&place, &command, 120, 40);
    tmux.see("Show");
    rustmission_shows_files(&rpc, &tmux);
    rustmission_changes(&rpc, &tmux, &place);
    tmux.press(&["a"]);
    tmux.see("Add magnet URI:");
    tmux.type_in(&link);
    tmux.press(&["Enter"]);
    tmux.see("Directory:");
    tmux.press(&["Enter"]);
    rpc.until_some(&json!(2), "percentDone", |done| *done == 1.0);
    run(&["add-torrent", &url]);
    tmux.see("other.mp4");
    assert!(place.path("data/film.mp4").exists());
    rpc.daemon.stop();
}

fn rustmission_shows_files(rpc: &Rpc<'_>, tmux: &Tmux) {
    tmux.press(&["Home"]);
    tmux.press(&["Enter"]);
    tmux.see("Total uploaded:");
    tmux.press(&["Escape"]);
    tmux.miss("Total uploaded:");
    tmux.press(&["f"]);
    tmux.see("▶ Show");
    // It goes to their folder, opens it, and then chooses the first of them.
    tmux.press(&["Down"]);
    tmux.press(&["Space"]);
    tmux.see("a.mkv");
    tmux.press(&["Down"]);
    tmux.press(&["Space"]);
    rpc.until(&json!(1), "wanted", |it| *it == json!([0, 1]));
    tmux.press(&["Escape"]);
    tmux.miss("a.mkv");
}

fn rustmission_changes(rpc: &Rpc<'_>, tmux: &Tmux, place: &Place) {
    tmux.press(&["p"]);
    rpc.until(&json!(1), "status", |it| *it == 0);
    tmux.press(&["c"]);
    tmux.see("New category:");
    tmux.type_in("seen");
    tmux.press(&["Enter"]);
    rpc.until(&json!(1), "labels", |it| *it == json!(["seen"]));
    tmux.press(&["r"]);
    tmux.see("New name: Show");
    tmux.type_in("2");
    tmux.press(&["Enter"]);
    rpc.until(&json!(1), "name", |it| *it == "Show2");
    tmux.press(&["m"]);
    tmux.see("New directory:");
    // What is typed is added to what is there.
    tmux.type_in("/other");
    tmux.press(&["Enter"]);
    rpc.until(&json!(1), "downloadDir", |it| ends_with(it, "data/other"));
    assert!(place.path("data/other/Show2/a.mkv").exists());
    tmux.see("Show2");
}
