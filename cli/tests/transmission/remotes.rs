//! Other remotes, as they come from Debian, PyPI and npm: each adds, shows, changes and removes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::Process;
use crate::rpc::Rpc;
use crate::seeder::{Seeder, python};
use crate::support::{Place, noise};
use crate::{enabled, process};

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(90);

/// A folder of two files, and what seeds it.
fn show(place: &Place) -> (PathBuf, Seeder) {
    place.write("here/Show/a.mkv", &noise(1, 2_000_000));
    place.write("here/Show/b.srt", &noise(2, 70_000));
    let file = place.path(&place.create("here/Show", &[]));
    let command = Command::new(python());
    let seeder = Seeder::start(command, &file, &place.path("here"), "127.0.0.1", 0);
    (file, seeder)
}

fn connect(rpc: &Rpc<'_>, seeder: &Seeder) {
    let hash = rpc.torrent(&json!(1), &["hashString"])["hashString"].clone();
    rpc.daemon
        .connect(hash.as_str().unwrap(), &seeder.addr.to_string());
}

/// Where `scripts/install-clients.sh` puts what it installs.
fn installed(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("..")
        .join(name)
}

#[test]
fn stig_adds_lists_labels_moves_renames_and_removes() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (file, seeder) = show(&place);
    let rpc = Rpc::start(&place, &[]);
    let stig = |args: &[&str]| {
        let mut command = Command::new(installed("clients-venv/bin/stig"));
        command
            .env("HOME", place.work())
            .env("XDG_CONFIG_HOME", place.path("config"));
        command.args(["-T", "-C", "set", "connect.url", &rpc.addr, "&"]);
        process::run("stig", command.args(args))
    };
    stig(&["add", file.to_str().unwrap()]);
    connect(&rpc, &seeder);
    rpc.until(&json!(1), "percentDone", |done| done == 1.0);
    let listed = stig(&["ls"]);
    assert!(listed.contains("Show"), "{listed}");
    stig(&["stop", "Show"]);
    rpc.until(&json!(1), "status", |it| it == 0);
    stig(&["label", "seen,kept", "Show"]);
    let labels = rpc.torrent(&json!(1), &["labels"])["labels"].clone();
    let mut labels: Vec<&str> = labels
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    labels.sort_unstable();
    assert_eq!(labels, ["kept", "seen"]);
    let files = stig(&["lsf", "Show"]);
    assert!(files.contains("b.srt"), "{files}");
    stig(&["rate", "down", "200kB", "Show"]);
    rpc.until(&json!(1), "downloadLimited", |it| it == true);
    stig(&["start", "Show"]);
    rpc.until(&json!(1), "status", |it| it == 6);
    stig(&["rename", "Show", "New"]);
    rpc.until(&json!(1), "name", |it| it == "New");
    assert!(place.path("data/New/a.mkv").exists());
    stig(&["mv", "New", place.path("data/other").to_str().unwrap()]);
    rpc.until(&json!(1), "downloadDir", |it| {
        it.as_str().unwrap().ends_with("data/other")
    });
    stig(&["rm", "--delete-files", "New"]);
    let left = rpc.call("torrent-get", json!({"fields": ["id"]}));
    assert_eq!(left["torrents"], json!([]));
    assert!(!place.path("data/other/New").exists());
    rpc.daemon.stop();
}

const CTRL: &str = r"
import { readFileSync } from 'node:fs';
import { Transmission } from '@ctrl/transmission';
const [url, file, dir] = process.argv.slice(2);
const client = new Transmission({ baseUrl: url, password: '' });
const expect = (is, what) => { if (!is) throw new Error(JSON.stringify(what)); };
const until = async (is) => {
  const end = Date.now() + 60000;
  for (;;) {
    const { torrents } = await client.getAllData();
    if (is(torrents)) return torrents;
    expect(Date.now() < end, torrents);
  }
};
const session = await client.getSession();
expect(session.arguments.version.startsWith('4.'), session);
// Where it says nothing, it wants /downloads.
const wish = { 'download-dir': dir, paused: true };
const answer = await client.addTorrent(readFileSync(file).toString('base64'), wish);
const added = await client.getTorrent(answer.arguments['torrent-added'].hashString);
expect(added.name === 'Show' && added.state === 'paused', added);
console.log('it is there');
await client.resumeTorrent(added.id);
await until(([it]) => it.isCompleted);
await client.setTorrent(added.id, { downloadLimit: 300, downloadLimited: true, labels: ['seen'] });
const shown = await client.getTorrent(added.id);
expect(shown.label === 'seen' && shown.totalSize === 2070000, shown);
await client.queueTop(added.id);
const space = await client.freeSpace(dir);
expect(space.arguments['size-bytes'] > 0, space);
await client.renamePath(added.id, { path: 'Show', name: 'New' });
await until(([it]) => it.name === 'New');
console.log('changed');
await client.pauseTorrent(added.id);
await until(([it]) => it.state === 'paused');
await client.verifyTorrent(added.id);
await client.moveTorrent(added.id, dir + '/other');
await until(([it]) => it.savePath.endsWith('/other'));
await client.removeTorrent(added.id, true);
await until((all) => all.length === 0);
console.log('removed');
";

#[test]
fn ctrl_transmission_of_npm_runs_its_methods() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (file, seeder) = show(&place);
    let rpc = Rpc::start(&place, &[]);
    // Modules are looked for beside the script.
    let script = installed("clients-npm").join(format!("test-{}.mjs", std::process::id()));
    fs::write(&script, CTRL).unwrap();
    let mut command = Command::new("node");
    command.arg(&script).arg(format!("http://{}/", rpc.addr));
    command.arg(&file).arg(place.path("data"));
    let mut client = Process::start("@ctrl/transmission", &mut command);
    client.line("it is there");
    // It resumes it: what is named while it starts would be forgotten.
    rpc.until(&json!(1), "status", |it| it == 4);
    connect(&rpc, &seeder);
    client.succeed();
    fs::remove_file(&script).unwrap();
    let said = client.said();
    assert!(
        said.contains(&"changed".to_owned()) && said.contains(&"removed".to_owned()),
        "{said:?}"
    );
    assert!(!place.path("data/other/New").exists());
    rpc.daemon.stop();
}

#[test]
fn transmission_remote_gtk_adds_a_torrent_which_appears_and_is_paused() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (file, seeder) = show(&place);
    let rpc = Rpc::start(&place, &[]);
    // It says which display was free.
    let mut xvfb = Command::new("Xvfb");
    xvfb.args([
        "-displayfd",
        "1",
        "-screen",
        "0",
        "1280x800x24",
        "-nolisten",
        "tcp",
    ]);
    let screen = Process::start("Xvfb", &mut xvfb);
    let number = screen.find("its display", |line| line.trim().parse::<u32>().ok());
    let display = format!(":{number}");
    let (host, port) = rpc.addr.split_once(':').unwrap();
    let profile = json!({"profile-name": "test", "profile-id": 0, "hostname": host, "port": port.parse::<u16>().unwrap(),
        "username": "", "password": "", "auto-connect": true, "ssl": false, "timeout": 40, "retries": 3,
        "update-interval": 1, "update-active-only": false, "rpc-url-path": "/transmission/rpc"});
    let config = json!({"profiles": [profile], "profile-id": 0, "add-options-dialog": false, "start-paused": false});
    place.write(
        "config/transmission-remote-gtk/config.json",
        config.to_string().as_bytes(),
    );
    let mut remote = Command::new("transmission-remote-gtk");
    remote
        .arg(&file)
        .env("DISPLAY", &display)
        .env("HOME", place.work());
    remote.env("XDG_CONFIG_HOME", place.path("config"));
    // Without a bus it is not told of another test's.
    remote.env("DBUS_SESSION_BUS_ADDRESS", "disabled:");
    let _remote = Process::start("transmission-remote-gtk", &mut remote);
    let begun = Instant::now();
    while rpc.call("torrent-get", json!({"fields": ["id"]}))["torrents"] == json!([]) {
        assert!(begun.elapsed() < HANGS_AFTER, "it was not added");
    }
    // It is listed before it has started.
    rpc.until(&json!(1), "status", |it| it == 4);
    connect(&rpc, &seeder);
    rpc.until(&json!(1), "percentDone", |done| done == 1.0);
    // It acts on what is selected in its list: the first row, once it is there.
    // Never twice at one place: a double click opens a window, which takes the keys until Escape closes it.
    let mut places = ["300", "400", "500", "600"].into_iter().cycle();
    let mut press = |key: &str, status: i64| {
        let begun = Instant::now();
        while rpc.torrent(&json!(1), &["status"])["status"] != status {
            let place = places.next().unwrap();
            let mut mouse = Command::new("xdotool");
            mouse.args([
                "mousemove",
                place,
                "100",
                "key",
                "Escape",
                "click",
                "1",
                "key",
                key,
            ]);
            process::run("xdotool", mouse.env("DISPLAY", &display));
            assert!(begun.elapsed() < HANGS_AFTER, "{key} does nothing");
        }
    };
    press("ctrl+p", 0);
    press("ctrl+r", 6);
    rpc.daemon.stop();
}
