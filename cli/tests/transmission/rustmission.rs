//! `rustmission`, driven by its keys in tmux.

use serde_json::{Value, json};
use std::process::Command;

use crate::keys::{fill, press_until, shows};
use crate::remotes::{connect, installed, link_and_url, removed, show};
use crate::rpc::Rpc;
use crate::support::Place;
use crate::tmux::Tmux;
use crate::{enabled, process};

/// What its list shows at a torrent that is stopped.
const STOPPED: char = '‖';

fn ends_with(value: &Value, end: &str) -> bool {
    value.as_str().is_some_and(|text| text.ends_with(end))
}

#[test]
fn rustmission_goes_through_all_that_it_has() {
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
    // Its own configuration, but for the address, how often it looks, and a column that shows what is stopped.
    let mut config = run(&["print-default-config"]);
    for (default, ours) in [
        ("CHANGE_ME:9091", rpc.addr.as_str()),
        ("refresh = 5", "refresh = 1"),
        ("[\"Name\", ", "[\"SmallStatus\", \"Name\", "),
        ("[icons]", &format!("[icons]\npause = \"{STOPPED}\"")),
    ] {
        assert!(config.contains(default), "{config}");
        config = config.replace(default, ours);
    }
    place.write("config/rustmission/config.toml", config.as_bytes());
    run(&["add-torrent", file.to_str().unwrap()]);
    connect(&rpc, &seeder);
    rpc.until(&json!(1), "percentDone", |done| done == 1.0);
    let program = program.display();
    let config = place.path("config");
    let command = format!("HOME=. XDG_CONFIG_HOME={} exec {program}", config.display());
    let tmux = Tmux::start(&place, &command, 160, 40);
    tmux.see("Show");
    shows_files(&rpc, &tmux);
    changes(&rpc, &tmux, &place);
    stops_and_starts(&rpc, &tmux);
    // It has one torrent, so that it cannot be another that is removed.
    answer(&tmux, "d", "Delete selected with files? (Y/n)", "y");
    removed(&rpc, &place, "Show2", "data/other/Show2");
    tmux.miss("Show2");
    answer(&tmux, "a", "Add magnet URI:", &link);
    tmux.see("Directory:");
    tmux.press(&["Enter"]);
    rpc.until_some(&json!(2), "percentDone", |done| *done == 1.0);
    run(&["add-torrent", &url]);
    tmux.see("other.mp4");
    assert!(place.path("data/film.mp4").exists());
    rpc.daemon.stop();
}

/// What a prompt on the last line holds.
fn held(lines: &[String], prompt: &str) -> Option<String> {
    let held = lines.last()?.strip_prefix(prompt)?;
    Some(held.trim_start().to_owned())
}

/// Opens a prompt by its key, and answers it.
#[track_caller]
fn answer(tmux: &Tmux, key: &str, prompt: &str, text: &str) {
    let is_open = || held(&tmux.lines(), prompt).is_some();
    press_until(tmux, key, || true, is_open);
    fill(tmux, |lines| held(lines, prompt), text);
    tmux.press(&["Enter"]);
}

fn shows_files(rpc: &Rpc<'_>, tmux: &Tmux) {
    tmux.press(&["Home"]);
    press_until(tmux, "Enter", || true, || shows(tmux, "Total uploaded:"));
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

fn changes(rpc: &Rpc<'_>, tmux: &Tmux, place: &Place) {
    answer(tmux, "c", "New category:", "seen");
    rpc.until(&json!(1), "labels", |it| *it == json!(["seen"]));
    answer(tmux, "r", "New name:", "Show2");
    rpc.until(&json!(1), "name", |it| *it == "Show2");
    let other = place.path("data/other");
    answer(tmux, "m", "New directory:", other.to_str().unwrap());
    rpc.until(&json!(1), "downloadDir", |it| ends_with(it, "data/other"));
    assert!(other.join("Show2/a.mkv").exists());
    tmux.see("Show2");
}

/// The key does the one or the other by what the list says, which lags behind.
fn stops_and_starts(rpc: &Rpc<'_>, tmux: &Tmux) {
    let is_stopped = || {
        let lines = tmux.lines();
        let mut lines = lines.iter().filter(|line| line.contains("Show2"));
        lines.any(|line| line.contains(STOPPED))
    };
    let status = || rpc.torrent(&json!(1), &["status"])["status"].clone();
    press_until(tmux, "p", || !is_stopped(), || status() == 0);
    press_until(tmux, "p", is_stopped, || status() == 6);
}
