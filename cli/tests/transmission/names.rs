//! Files and folders get other names, files are found in another folder, lists of addresses are read again.

use serde_json::json;

use crate::rpc::Rpc;
use crate::support::{Place, noise};

#[test]
fn files_and_folders_are_renamed_and_stay_so() {
    let place = Place::new();
    for root in ["here", "data"] {
        place.write(&format!("{root}/Show/s1/a.mkv"), &noise(1, 50_000));
        place.write(&format!("{root}/Show/b.mkv"), &noise(2, 60_000));
    }
    // What is not the torrent's own goes with its folder.
    place.write("data/Show/notes.txt", b"mine");
    let torrent = place.create("here/Show", &[]);
    let rpc = Rpc::start(&place, &[]);
    rpc.add(&place, &torrent, json!({}));
    rpc.until(&json!(1), "status", |it| it == 6);
    let rename = |path: &str, name: &str| {
        let asked = json!({"ids": [1], "path": path, "name": name});
        rpc.call("torrent-rename-path", asked)
    };
    assert_eq!(
        rename("Show/s1", "season 1"),
        json!({"id": 1, "path": "Show/s1", "name": "season 1"})
    );
    rename("Show/season 1/a.mkv", "first.mkv");
    rename("Show", "The Show");
    rpc.until(&json!(1), "status", |it| it == 6);
    let shown = rpc.torrent(&json!(1), &["name", "files", "leftUntilDone"]);
    assert_eq!(
        (
            &shown["name"],
            &shown["files"][1]["name"],
            &shown["leftUntilDone"]
        ),
        (
            &json!("The Show"),
            &json!("The Show/season 1/first.mkv"),
            &json!(0)
        )
    );
    let film = place.path("data/The Show/season 1/first.mkv");
    assert!(std::fs::read(&film).unwrap() == noise(1, 50_000));
    assert!(place.path("data/The Show/notes.txt").exists() && !place.path("data/Show").exists());
    // What cannot be is said, and changes nothing.
    place.write("data/Other", b"mine");
    for (path, name) in [
        ("The Show", "Other"),
        ("The Show", ".."),
        ("The Show", "a/b"),
        ("The Show", ""),
        ("The Show/b.mkv", "SEASON 1"),
        ("The Show/none", "x"),
        ("../Other", "x"),
        ("", "x"),
    ] {
        let asked = json!({"ids": [1], "path": path, "name": name});
        let words = rpc.refused("torrent-rename-path", asked);
        assert!(!words.is_empty(), "{path} {name}");
    }
    rpc.refused(
        "torrent-rename-path",
        json!({"path": "x", "name": "y", "ids": []}),
    );
    rpc.until(&json!(1), "status", |it| it == 6);
    assert!(film.exists());
    rpc.daemon.stop();
    let rpc = Rpc::start(&place, &[]);
    rpc.until(&json!(1), "status", |it| it == 6);
    assert_eq!(rpc.torrent(&json!(1), &["name"])["name"], "The Show");
    let remove = json!({"ids": 1, "delete-local-data": true});
    rpc.call("torrent-remove", remove);
    assert!(!film.exists() && place.path("data/The Show/notes.txt").exists());
    rpc.daemon.stop();
}

#[test]
fn files_that_are_elsewhere_are_found_there() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(7, 20_000));
    place.write("data/other/film.mp4", &noise(7, 20_000));
    let torrent = place.create("here/film.mp4", &[]);
    let rpc = Rpc::start(&place, &[]);
    rpc.add(&place, &torrent, json!({}));
    rpc.until(&json!(1), "status", |it| it == 4);
    let set = |location: &str| json!({"ids": 1, "location": place.path(location), "move": false});
    rpc.call("torrent-set-location", set("data/other"));
    rpc.until(&json!(1), "status", |it| it == 6);
    assert!(place.path("data/other/film.mp4").exists());
    let words = rpc.refused("torrent-set-location", set("elsewhere"));
    assert!(words.contains("below"), "{words}");
    rpc.daemon.stop();
}

#[test]
fn lists_of_addresses_are_read_again() {
    let place = Place::new();
    let list = place.write("list.txt", b"192.0.2.0 - 192.0.2.9\n");
    let rpc = Rpc::start(&place, &["--ip-filter", list.to_str().unwrap()]);
    let session = |fields: &[&str]| rpc.call("session-get", json!({"fields": fields}));
    let fields = ["blocklist-enabled", "blocklist-size", "blocklist-url"];
    assert_eq!(
        session(&fields),
        json!({"blocklist-enabled": true, "blocklist-size": 1, "blocklist-url": ""})
    );
    place.write(
        "list.txt",
        b"192.0.2.0 - 192.0.2.9\n198.51.100.0 - 198.51.100.255\n",
    );
    let updated = rpc.call("blocklist-update", json!({}));
    assert_eq!(updated, json!({"blocklist-size": 2}));
    place.write("list.txt", b"<html>");
    let words = rpc.refused("blocklist-update", json!({}));
    assert!(words.starts_with("Couldn't fetch blocklist"), "{words}");
    assert_eq!(session(&["blocklist-size"]), json!({"blocklist-size": 2}));
    rpc.daemon.stop();
}
