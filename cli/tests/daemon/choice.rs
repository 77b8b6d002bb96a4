//! Files are chosen before a torrent starts.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::Events;
use crate::support::{Place, noise};

const INSPECT: &str = "/api/v1/torrents/inspect";
const TORRENTS: &str = "/api/v1/torrents";

fn paths(inspection: &Value) -> Vec<(u64, &str, u64)> {
    let files = inspection["files"].as_array().unwrap().iter();
    let number = |value: &Value| value.as_u64().unwrap();
    let file = |it: &'_ Value| (number(&it["index"]), number(&it["size"]));
    files
        .map(|it| (file(it).0, it["path"].as_str().unwrap(), file(it).1))
        .collect()
}

#[test]
fn a_person_looks_into_a_torrent_and_takes_some_files() {
    let place = Place::new();
    for (seed, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        place.write(&format!("here/album/{name}"), &noise(seed as u64, 40_000));
    }
    let torrent = place.create("here/album", &["--piece-length", "16KiB"]);
    let (_seeder, peer) = place.seed(&torrent, "here");
    let daemon = Daemon::start(&place, &[]);
    let bytes = std::fs::read(place.path(&torrent)).unwrap();
    let file = json!({ "torrent": BASE64.encode(&bytes) });
    let looked = daemon.json("POST", INSPECT, &file.to_string());
    assert_eq!(looked.status, 200, "{looked:?}");
    let of_file = looked.json();
    assert_eq!(
        (&of_file["name"], &of_file["is_known"], &of_file["torrent"]),
        (&"album".into(), &false.into(), &Value::Null)
    );
    assert_eq!(daemon.get(TORRENTS)["total"], 0, "nothing was added");

    // The same of a link, whose metadata a peer has; it comes with the file for the next step.
    let link = json!({ "link": of_file["id"], "peers": [peer] });
    let looked = daemon.json("POST", INSPECT, &link.to_string());
    assert_eq!(looked.status, 200, "{looked:?}");
    let of_link = looked.json();
    assert_eq!(paths(&of_link), paths(&of_file));
    assert_eq!(paths(&of_link)[1], (1, "album/b", 40_000));
    assert_eq!(daemon.get(TORRENTS)["total"], 0);

    let mut events = Events::open(&daemon.addr, None);
    let add = |priorities: Value| {
        json!({
            "torrent": of_link["torrent"], "files": [0, 1], "priorities": priorities, "peers": [peer],
        })
    };
    // A file that is not there: nothing is added.
    let wrong = add(json!([{ "index": 9, "priority": "low" }])).to_string();
    daemon
        .json("POST", TORRENTS, &wrong)
        .is_problem(422, "invalid");
    assert_eq!(daemon.get(TORRENTS)["total"], 0);
    let right = add(json!([{ "index": 1, "priority": "high" }, { "index": 2, "priority": "low" }]));
    let added = daemon.json("POST", TORRENTS, &right.to_string());
    assert_eq!(added.status, 201, "{added:?}");
    let id = added.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(of_link["id"], id.as_str());
    events.next_named("completed");
    let files = daemon.get(&format!("{TORRENTS}/{id}/files"));
    let files = files.as_array().unwrap().iter();
    let got: Vec<_> = files
        .map(|file| {
            let priority = file["priority"].as_str().unwrap();
            (priority, file["have"] == file["size"])
        })
        .collect();
    assert_eq!(
        got,
        [
            ("normal", true),
            ("high", true),
            ("low", true),
            ("skip", false)
        ]
    );
    let looked = daemon.json("POST", INSPECT, &file.to_string());
    assert_eq!(looked.json()["is_known"], true);
}

#[test]
fn what_cannot_be_looked_into_is_refused() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    for body in [
        json!({}),
        json!({ "link": "magnet:?x" }),
        json!({ "torrent": "ZGll" }),
        json!({ "link": "0123", "torrent": "ZGll" }),
    ] {
        daemon
            .json("POST", INSPECT, &body.to_string())
            .is_problem(422, "invalid");
    }
    let inside = json!({ "link": "http://127.0.0.1:9/x.torrent" });
    daemon
        .json("POST", INSPECT, &inside.to_string())
        .is_problem(502, "fetch-failed");
    daemon
        .send("POST", INSPECT, "Content-Type: text/plain\r\n", b"x")
        .is_problem(415, "wrong-type");
}
