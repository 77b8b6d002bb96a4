//! Other remotes, as they come from Debian, PyPI and npm: each adds, shows, changes and removes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::process::Process;
use crate::rpc::{Rpc, magnet, served};
use crate::seeder::{Seeder, python};
use crate::support::{Place, noise};
use crate::{enabled, process};

/// A second torrent with its seeder, by a link that names the seeder; and a third one by a URL, and what serves it.
pub(crate) fn link_and_url(place: &Place) -> (String, Seeder, String, Process) {
    place.write("here/film.mp4", &noise(3, 300_000));
    let torrent = place.create("here/film.mp4", &[]);
    let file = place.path(&torrent);
    let command = Command::new(python());
    let seeder = Seeder::start(command, &file, &place.path("here"), "127.0.0.1", 0);
    let link = magnet(place, &torrent, &seeder);
    place.write("here/other.mp4", &noise(4, 50_000));
    let other = place.create("here/other.mp4", &[]);
    let (server, url) = served(place, &other);
    (link, seeder, url, server)
}

/// A folder of two files, and what seeds it.
pub(crate) fn show(place: &Place) -> (PathBuf, Seeder) {
    place.write("here/Show/a.mkv", &noise(1, 2_000_000));
    place.write("here/Show/b.srt", &noise(2, 70_000));
    let file = place.path(&place.create("here/Show", &[]));
    let command = Command::new(python());
    let seeder = Seeder::start(command, &file, &place.path("here"), "127.0.0.1", 0);
    (file, seeder)
}

pub(crate) fn connect(rpc: &Rpc<'_>, seeder: &Seeder) {
    let hash = rpc.torrent(&json!(1), &["hashString"])["hashString"].clone();
    rpc.daemon
        .connect(hash.as_str().unwrap(), &seeder.addr.to_string());
}

/// Changes a byte, which a check finds.
pub(crate) fn damage(place: &Place, name: &str) {
    let path = place.path(name);
    let mut bytes = fs::read(&path).unwrap();
    bytes[1_000_000] ^= 1;
    fs::write(&path, &bytes).unwrap();
}

/// Waits until the first torrent, which has just been started, is whole again: it is a while before peers that hung up are
/// dialled again by themselves.
#[track_caller]
pub(crate) fn repaired(rpc: &Rpc<'_>, seeder: &Seeder) {
    rpc.until(&json!(1), "status", |it| *it != 0);
    connect(rpc, seeder);
    rpc.until(&json!(1), "status", |it| *it == 6);
    rpc.until(&json!(1), "leftUntilDone", |it| *it == 0);
}

/// Waits until a torrent is gone, and its files too: they are deleted after it has left the list.
#[track_caller]
pub(crate) fn removed(rpc: &Rpc<'_>, place: &Place, name: &str, data: &str) {
    rpc.wait(&format!("{name} is gone"), || {
        let left = rpc.call("torrent-get", json!({"fields": ["name"]}));
        let mut left = left["torrents"].as_array().unwrap().iter();
        left.all(|torrent| torrent["name"] != name)
    });
    let data = place.path(data);
    rpc.wait(&format!("{} is gone", data.display()), || !data.exists());
}

/// Where `scripts/install-clients.sh` puts what it installs.
pub(crate) fn installed(name: &str) -> PathBuf {
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
    let (link, _second, url, _server) = link_and_url(&place);
    let rpc = Rpc::start(&place, &["--allow-private-urls"]);
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
    let details = stig(&["details", "Show"]);
    assert!(details.contains("data"), "{details}");
    stig(&["priority", "high", "Show", "b.srt"]);
    rpc.until(&json!(1), "priorities", |it| *it == json!([0, 1]));
    stig(&["priority", "off", "Show", "b.srt"]);
    rpc.until(&json!(1), "wanted", |it| *it == json!([1, 0]));
    stig(&["verify", "Show"]);
    rpc.until(&json!(1), "percentDone", |done| done == 1.0);
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
    stig(&["add", &link, &url]);
    rpc.until_some(&json!(2), "percentDone", |done| *done == 1.0);
    assert_eq!(rpc.torrent(&json!(3), &["name"])["name"], "other.mp4");
    for name in ["New", "film.mp4", "other.mp4"] {
        stig(&["rm", "--delete-files", name]);
    }
    assert!(!place.path("data/film.mp4").exists());
    let left = rpc.call("torrent-get", json!({"fields": ["id"]}));
    assert_eq!(left["torrents"], json!([]));
    assert!(!place.path("data/other/New").exists());
    rpc.daemon.stop();
}

const CTRL: &str = r"
import { readFileSync } from 'node:fs';
import { Transmission } from '@ctrl/transmission';
const [url, file, dir, magnet, other] = process.argv.slice(2);
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
const [{ files, peers }] = (await client.listTorrents(added.id, ['files', 'peers'])).arguments.torrents;
expect(files.length === 2 && Array.isArray(peers), files);
const args = { downloadLimit: 300, downloadLimited: true, labels: ['seen'], 'priority-high': [0], 'files-unwanted': [1] };
await client.setTorrent(added.id, args);
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
const second = await client.addMagnet(magnet, { 'download-dir': dir });
await until(([it]) => it.isCompleted);
const third = await client.addUrl(other, { 'download-dir': dir });
for (const it of [second, third]) {
  await client.removeTorrent(it.arguments['torrent-added'].hashString, true);
}
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
    let (link, _second, url, _server) = link_and_url(&place);
    let rpc = Rpc::start(&place, &["--allow-private-urls"]);
    // Modules are looked for beside the script.
    let script = installed("clients-npm").join(format!("test-{}.mjs", std::process::id()));
    fs::write(&script, CTRL).unwrap();
    let mut command = Command::new("node");
    command.arg(&script).arg(format!("http://{}/", rpc.addr));
    command.arg(&file).arg(place.path("data"));
    command.args([&link, &url]);
    let mut client = Process::start("@ctrl/transmission", &mut command);
    client.line("it is there");
    // It may be starting: what is named then is not forgotten.
    connect(&rpc, &seeder);
    client.succeed();
    fs::remove_file(&script).unwrap();
    let said = client.said();
    assert!(
        said.contains(&"changed".to_owned()) && said.contains(&"removed".to_owned()),
        "{said:?}"
    );
    assert!(!place.path("data/other/New").exists());
    assert!(!place.path("data/film.mp4").exists());
    rpc.daemon.stop();
}
