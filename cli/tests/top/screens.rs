//! Screens at three widths, compared with pictures of them as text; `TAILWATER_ACCEPT_PICTURES=1` writes new ones.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::daemon::Daemon;
use crate::enabled;
use crate::seeder::{Seeder, python};
use crate::support::{Place, noise};
use crate::tmux::Tmux;

const ACCEPT: &str = "TAILWATER_ACCEPT_PICTURES";
const ROWS: u16 = 20;

/// Lines of a torrent whose values are of the moment or of the machine.
const VARYING: [&str; 7] = [
    "added",
    "completed",
    "time",
    "folder",
    "made by",
    "down",
    "up",
];

/// A line without what is not the same each time.
fn masked(line: &str) -> String {
    const HOST: &str = "127.0.0.1:";
    if let Some((before, after)) = line.split_once(HOST) {
        let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
        return format!("{before}{HOST}PORT{after}");
    }
    let named = VARYING
        .iter()
        .find(|name| line.starts_with(&format!("{name:<13}")));
    match named {
        Some(name) => format!("{name:<13}…"),
        None => line.to_owned(),
    }
}

fn masked_all(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        writeln!(text, "{}", masked(line)).unwrap();
    }
    text
}

/// The pictures of one width, in one file, each below its name.
struct Pictures {
    file: PathBuf,
    text: String,
    accepted: String,
}

impl Pictures {
    fn of(columns: u16) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/top/pictures");
        let file = folder.join(format!("{columns}.txt"));
        Self {
            text: std::fs::read_to_string(&file).unwrap_or_default(),
            file,
            accepted: String::new(),
        }
    }

    /// Waits until the screen shows `mark`, and then until it is as in the picture of this name.
    fn compare(&mut self, tmux: &Tmux, name: &str, mark: &str) {
        let head = format!("== {name}\n");
        tmux.see(mark);
        let lines = match std::env::var_os(ACCEPT) {
            Some(_) => tmux.settled(),
            None => {
                let (_, rest) = self.text.split_once(&head).unwrap_or_default();
                let picture = rest.split("== ").next().unwrap_or_default();
                let what = format!("the picture {name} of {}:\n{picture}", self.file.display());
                tmux.until(&what, |lines| masked_all(lines) == picture)
            }
        };
        write!(self.accepted, "{head}{}", masked_all(&lines)).unwrap();
    }
}

impl Drop for Pictures {
    fn drop(&mut self) {
        if std::env::var_os(ACCEPT).is_some() && !std::thread::panicking() {
            std::fs::write(&self.file, &self.accepted).unwrap();
        }
    }
}

#[test]
fn what_libtorrent_seeded_is_shown_at_three_widths() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    for (song, len) in [
        ("1 first", 300_000),
        ("2 second", 200_000),
        ("3 third", 100_000),
    ] {
        place.write(&format!("here/album/{song}.flac"), &noise(1, len));
    }
    let album = place.create("here/album", &[]);
    place.write("here/film.mkv", &noise(2, 2_000_000));
    let film = place.create("here/film.mkv", &[]);
    let daemon = Daemon::start(&place, &[]);
    let top = format!("--daemon http://{}", daemon.addr);
    let tmux = Tmux::top(&place, &top, 100, ROWS);
    tmux.see("no torrents; press a to add one");
    tmux.press(&["a"]);
    tmux.type_in(place.path(&album).to_str().unwrap());
    tmux.press(&["Enter"]);
    tmux.see("3 of 3 files wanted");
    tmux.press(&["Tab", "Tab"]);
    tmux.type_in("music, lossless");
    let add = |pictures: &mut Pictures| pictures.compare(&tmux, "add", "music, lossless");
    let widths = [60, 100, 200];
    let mut pictures = widths.map(Pictures::of);
    for (columns, pictures) in widths.into_iter().zip(&mut pictures) {
        tmux.resize(columns, ROWS);
        add(pictures);
    }
    tmux.press(&["Enter"]);
    tmux.see("added album");
    let seeder = Seeder::start(
        Command::new(python()),
        &place.path(&album),
        &place.path("here"),
        "127.0.0.1",
        0,
    );
    let list = daemon.get("/api/v1/torrents?fields=id,labels");
    let id = list["torrents"][0]["id"].as_str().unwrap();
    assert_eq!(
        list["torrents"][0]["labels"],
        serde_json::json!(["music", "lossless"])
    );
    daemon.connect(id, &seeder.addr.to_string());
    tmux.see("seeding");
    drop(seeder);
    daemon.add(&film, "paused=true");
    let mut of_list = |name: &str, keys: &[&str], mark: &str, back: &[&str]| {
        tmux.press(keys);
        for (columns, pictures) in widths.into_iter().zip(&mut pictures) {
            tmux.resize(columns, ROWS);
            pictures.compare(&tmux, name, mark);
        }
        if !back.is_empty() {
            tmux.press(back);
            tmux.miss(mark);
        }
    };
    of_list("list", &["Home"], "1 of 2  by added", &[]);
    of_list("remove", &["d"], "its files stay", &["n"]);
    of_list("limits", &["m"], "500kB", &["Escape"]);
    of_list("help", &["?"], "look at the torrent", &["Escape"]);
    of_list("overview", &["Enter"], "info-hash", &[]);
    of_list("files", &["2"], "2 second.flac", &[]);
    of_list("peers", &["3"], "no peer is connected", &[]);
    of_list("trackers", &["4"], "no trackers", &[]);
    of_list("pieces", &["5"], "pieces of 16.0 KiB held", &["Escape"]);
    of_list(
        "rates",
        &["End", "Enter", "6"],
        "sent in 5 minutes",
        &["Escape"],
    );
    tmux.press(&["q"]);
    tmux.ended();
}
