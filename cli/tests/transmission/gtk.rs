//! `transmission-remote-gtk`, in Xvfb, used by the names of what it shows (AT-SPI).

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::process::Process;
use crate::remotes::{connect, damage, link_and_url, removed, repaired, show};
use crate::rpc::Rpc;
use crate::seeder::Seeder;
use crate::support::Place;
use crate::{enabled, process};

/// What uses it.
const HAND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transmission/gtk.py");
/// Debian's own, which has Debian's module for AT-SPI.
const PYTHON: &str = "/usr/bin/python3";

/// A screen with a bus of its own, over which programs are told what is on it.
struct Screen {
    _server: Process,
    _bus: Process,
    display: String,
    bus: String,
}

impl Screen {
    fn start() -> Self {
        // It says which display was free.
        let mut xvfb = Command::new("Xvfb");
        let args = "-displayfd 1 -screen 0 1280x800x24 -nolisten tcp";
        xvfb.args(args.split(' '));
        let server = Process::start("Xvfb", &mut xvfb);
        let number = server.find("its display", |line| line.trim().parse::<u32>().ok());
        let display = format!(":{number}");
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--session", "--nofork", "--print-address"]);
        let process = Process::start("dbus-daemon", bus.env("DISPLAY", &display));
        let bus = process.line("unix:");
        Self {
            _server: server,
            _bus: process,
            display,
            bus,
        }
    }

    /// A command that is run on it.
    fn command(&self, place: &Place, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .env("HOME", place.work())
            .env("XDG_CONFIG_HOME", place.path("config"))
            .env_remove("NO_AT_BRIDGE");
        command
    }
}

/// A remote that runs.
struct Remote<'a> {
    screen: Screen,
    place: &'a Place,
    _process: Process,
}

impl<'a> Remote<'a> {
    /// Runs it with a file that it is to add.
    fn start(place: &'a Place, rpc: &Rpc<'_>, file: &Path) -> Self {
        let (host, port) = rpc.addr.split_once(':').unwrap();
        let profile = json!({"profile-name": "test", "profile-id": 0, "hostname": host, "port": port.parse::<u16>().unwrap(),
            "username": "", "password": "", "auto-connect": true, "ssl": false, "timeout": 40, "retries": 3,
            "update-interval": 1, "update-active-only": false, "rpc-url-path": "/transmission/rpc"});
        let config = json!({"profiles": [profile], "profile-id": 0, "add-options-dialog": false, "start-paused": false});
        place.write(
            "config/transmission-remote-gtk/config.json",
            config.to_string().as_bytes(),
        );
        let screen = Screen::start();
        let mut remote = screen.command(place, "transmission-remote-gtk");
        let process = Process::start("transmission-remote-gtk", remote.arg(file));
        Self {
            screen,
            place,
            _process: process,
        }
    }

    /// Does what `gtk.py` has names for.
    fn does(&self, steps: &[&str]) {
        let mut hand = self.screen.command(self.place, PYTHON);
        process::run("gtk.py", hand.arg(HAND).args(steps));
    }

    /// Chooses a torrent, and from the menu what is to be done with it.
    fn tells(&self, torrent: &str, command: &str) {
        self.does(&[&format!("choose {torrent}"), &format!("click {command}")]);
    }
}

#[test]
fn transmission_remote_gtk_goes_through_all_that_it_has() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (file, seeder) = show(&place);
    let (link, _second, url, _server) = link_and_url(&place);
    let rpc = Rpc::start(&place, &["--allow-private-urls"]);
    let remote = Remote::start(&place, &rpc, &file);
    rpc.until_some(&json!(1), "status", |it| *it == 4);
    connect(&rpc, &seeder);
    rpc.until(&json!(1), "percentDone", |done| done == 1.0);
    remote.does(&["click Classic Style", "click Torrent Details"]);
    shows_details_and_files(&rpc, &remote);
    limits(&rpc, &remote);
    stops_checks_and_starts(&rpc, &remote, &place, &seeder);
    moves(&rpc, &remote, &place);
    let adds = |source: &str, more: &[&str]| {
        let write = format!("write {source}");
        let dialog = "dialog Add torrent from URL";
        let steps = ["click Add from URL", dialog, &write, "click Add"];
        remote.does(&[&steps[..], more].concat());
    };
    // It finds a link hopeless without a DHT, and says so first.
    adds(
        &link,
        &["dialog Warning", "click OK", "dialog", "choose film.mp4"],
    );
    adds(&url, &["dialog", "choose other.mp4"]);
    rpc.until(&json!(2), "percentDone", |done| done == 1.0);
    assert!(place.path("data/film.mp4").exists());
    for (name, data) in [
        ("film.mp4", "film.mp4"),
        ("other.mp4", "other.mp4"),
        ("Show", "other/Show"),
    ] {
        remote.tells(name, "Remove and delete data");
        let question = format!("see Remove and delete \"{name}\"?");
        remote.does(&["dialog Question", &question, "click Delete", "dialog"]);
        removed(&rpc, &place, name, &format!("data/{data}"));
    }
    rpc.daemon.stop();
}

fn shows_details_and_files(rpc: &Rpc<'_>, remote: &Remote<'_>) {
    let hash = rpc.torrent(&json!(1), &["hashString"])["hashString"].clone();
    let hash = format!("see {}", hash.as_str().unwrap());
    remote.does(&["choose Show", "tab General", &hash, "see 1.97 MiB"]);
    remote.does(&[
        "tab Files",
        "see a.mkv",
        "menu b.srt",
        "click High Priority",
        "dialog",
    ]);
    rpc.until(&json!(1), "priorities", |it| *it == json!([0, 1]));
    remote.does(&["menu b.srt", "click Skip", "dialog"]);
    rpc.until(&json!(1), "wanted", |it| *it == json!([1, 0]));
    remote.does(&["menu b.srt", "click Download", "dialog"]);
    rpc.until(&json!(1), "wanted", |it| *it == json!([1, 1]));
}

fn limits(rpc: &Rpc<'_>, remote: &Remote<'_>) {
    remote.tells("Show", "Properties");
    let down = "limit Limit download speed (KiB/s) 350";
    let up = "limit Limit upload speed (KiB/s) 70";
    remote.does(&["dialog Show", down, up, "click OK", "dialog"]);
    let fields = [
        "downloadLimit",
        "downloadLimited",
        "uploadLimit",
        "uploadLimited",
    ];
    let limits = json!({"downloadLimit": 350, "downloadLimited": true, "uploadLimit": 70, "uploadLimited": true});
    rpc.wait("its limits", || rpc.torrent(&json!(1), &fields) == limits);
}

fn stops_checks_and_starts(rpc: &Rpc<'_>, remote: &Remote<'_>, place: &Place, seeder: &Seeder) {
    remote.tells("Show", "Pause");
    rpc.until(&json!(1), "status", |it| *it == 0);
    damage(place, "data/Show/a.mkv");
    remote.tells("Show", "Verify");
    rpc.until(&json!(1), "leftUntilDone", |it| *it != 0);
    rpc.until(&json!(1), "status", |it| *it == 0);
    remote.tells("Show", "Resume");
    repaired(rpc, seeder);
}

fn moves(rpc: &Rpc<'_>, remote: &Remote<'_>, place: &Place) {
    let other = place.path("data/other");
    let write = format!("write {}", other.display());
    remote.tells("Show", "Move");
    remote.does(&["dialog Move Show", &write, "click Move", "dialog"]);
    rpc.until(&json!(1), "downloadDir", |it| {
        it.as_str().unwrap().ends_with("data/other")
    });
    assert!(other.join("Show/a.mkv").exists());
}
