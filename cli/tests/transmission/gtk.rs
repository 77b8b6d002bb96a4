//! `transmission-remote-gtk`, in Xvfb, driven by its keys and a mouse.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::process::Process;
use crate::remotes::{connect, show};
use crate::rpc::Rpc;
use crate::support::Place;
use crate::{enabled, process};

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(90);
/// How often is looked for a window before keys are pressed again: they may have come too early.
const LOOKS: usize = 100;

/// A screen, and the hand that presses keys on it.
struct Screen {
    _server: Process,
    display: String,
    /// Clicks so far.
    clicks: Cell<usize>,
}

impl Screen {
    fn start() -> Self {
        // It says which display was free.
        let mut xvfb = Command::new("Xvfb");
        let args = "-displayfd 1 -screen 0 1280x800x24 -nolisten tcp";
        xvfb.args(args.split(' '));
        let server = Process::start("Xvfb", &mut xvfb);
        let number = server.find("its display", |line| line.trim().parse::<u32>().ok());
        Self {
            _server: server,
            display: format!(":{number}"),
            clicks: Cell::new(0),
        }
    }

    /// Runs the remote with a file that it is to add.
    fn remote(&self, place: &Place, file: &Path) -> Process {
        let mut remote = Command::new("transmission-remote-gtk");
        remote
            .arg(file)
            .env("DISPLAY", &self.display)
            .env("HOME", place.work())
            .env("XDG_CONFIG_HOME", place.path("config"))
            // Without a bus it is not told of another test's.
            .env("DBUS_SESSION_BUS_ADDRESS", "disabled:");
        Process::start("transmission-remote-gtk", &mut remote)
    }

    fn hand(&self, args: &[&str]) -> String {
        let mut hand = Command::new("xdotool");
        process::run("xdotool", hand.args(args).env("DISPLAY", &self.display))
    }

    /// Presses a key with the first torrent of the list selected. It clicks at another place each time: a double click opens a
    /// window, which takes the keys until Escape closes it.
    fn press(&self, key: &str) {
        let place = ["300", "400", "500", "600"][self.clicks.get() % 4];
        self.clicks.set(self.clicks.get() + 1);
        let click = ["mousemove", place, "100", "key", "Escape", "click", "1"];
        self.hand(&[&click[..], &["key", key]].concat());
    }

    /// Presses a key until something is so.
    fn press_until(&self, key: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            self.press(key);
            assert!(begun.elapsed() < HANGS_AFTER, "{key} does nothing");
        }
    }

    /// The windows that can be seen, with their widths and heights.
    fn windows(&self) -> BTreeMap<String, (u32, u32)> {
        let mut search = Command::new("xdotool");
        search.args(["search", "--onlyvisible", "--name", ".*"]);
        let found = search.env("DISPLAY", &self.display).output().unwrap();
        let ids = String::from_utf8(found.stdout).unwrap();
        let size = |id: &str| {
            let mut ask = Command::new("xdotool");
            ask.args(["getwindowgeometry", "--shell", id]);
            // One that has gone meanwhile has none.
            let said = ask.env("DISPLAY", &self.display).output().ok()?;
            let said = String::from_utf8(said.stdout).ok()?;
            let number = |name: &str| {
                let value = said.lines().find_map(|line| line.strip_prefix(name))?;
                value.parse::<u32>().ok()
            };
            Some((number("WIDTH=")?, number("HEIGHT=")?))
        };
        let sized = ids
            .lines()
            .filter_map(|id| Some((id.to_owned(), size(id)?)));
        // Those of a pixel are not for people.
        sized.filter(|(_, (width, _))| *width > 1).collect()
    }

    /// Presses a key until it opens a window; its id, width and height.
    fn open(&self, key: &str) -> (String, u32, u32) {
        let before = self.windows();
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < HANGS_AFTER, "{key} opens nothing");
            self.press(key);
            for _ in 0..LOOKS {
                let mut new = self.windows().into_iter();
                if let Some((id, (width, height))) = new.find(|(id, _)| !before.contains_key(id)) {
                    return (id, width, height);
                }
            }
        }
    }

    /// Does something in a window until something is so: one that has just been opened is moved to its place, and the first
    /// click may miss it.
    fn act_until(&self, window: &str, what: &str, is_so: impl Fn() -> bool, act: impl Fn()) {
        let begun = Instant::now();
        loop {
            if self.windows().contains_key(window) {
                act();
            }
            for _ in 0..LOOKS {
                if is_so() {
                    return;
                }
            }
            assert!(begun.elapsed() < HANGS_AFTER, "not so: {what}");
        }
    }

    /// Clicks in a window, and presses keys or types. One that is gone meanwhile is none.
    fn click(&self, window: &str, [x, y]: [u32; 2], keys: &[&str]) {
        let (x, y) = (x.to_string(), y.to_string());
        let click = ["mousemove", "--window", window, &x, &y, "click", "1"];
        let mut hand = Command::new("xdotool");
        hand.args(click).args(keys).env("DISPLAY", &self.display);
        let _ = hand.output().unwrap();
    }
}

#[test]
fn transmission_remote_gtk_adds_pauses_checks_and_moves() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (file, seeder) = show(&place);
    let rpc = Rpc::start(&place, &[]);
    let screen = Screen::start();
    let (host, port) = rpc.addr.split_once(':').unwrap();
    let profile = json!({"profile-name": "test", "profile-id": 0, "hostname": host, "port": port.parse::<u16>().unwrap(),
        "username": "", "password": "", "auto-connect": true, "ssl": false, "timeout": 40, "retries": 3,
        "update-interval": 1, "update-active-only": false, "rpc-url-path": "/transmission/rpc"});
    let config = json!({"profiles": [profile], "profile-id": 0, "add-options-dialog": false, "start-paused": false});
    place.write(
        "config/transmission-remote-gtk/config.json",
        config.to_string().as_bytes(),
    );
    let _remote = screen.remote(&place, &file);
    rpc.until_some(&json!(1), "status", |it| *it == 4);
    connect(&rpc, &seeder);
    rpc.until(&json!(1), "percentDone", |done| done == 1.0);
    let status = |wanted: i64| rpc.torrent(&json!(1), &["status"])["status"] == wanted;
    screen.press_until("ctrl+p", || status(0));
    // What was damaged is found, and fetched again when it goes on.
    let film = place.path("data/Show/a.mkv");
    let mut bytes = fs::read(&film).unwrap();
    bytes[1_000_000] ^= 1;
    fs::write(&film, &bytes).unwrap();
    let left = || rpc.torrent(&json!(1), &["leftUntilDone"])["leftUntilDone"].clone();
    screen.press_until("ctrl+h", || left() != 0);
    screen.press_until("ctrl+r", || status(6));
    let (window, width, height) = screen.open("ctrl+m");
    let other = place.path("data/other");
    let write = ["key", "ctrl+a", "type", other.to_str().unwrap()];
    let moves = || {
        screen.click(&window, [width / 2, 30], &write);
        screen.click(&window, [width - 50, height - 25], &[]);
    };
    let is_moved = || {
        let folder = rpc.torrent(&json!(1), &["downloadDir"])["downloadDir"].clone();
        folder.as_str().unwrap().ends_with("data/other")
    };
    screen.act_until(&window, "it is moved", is_moved, moves);
    assert!(other.join("Show/a.mkv").exists());
    rpc.daemon.stop();
}
