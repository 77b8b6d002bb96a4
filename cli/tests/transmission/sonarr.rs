//! The calls of Sonarr and Radarr, as their source makes them.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::http::raw;
use crate::rpc::Rpc;
use crate::support::{Place, noise};

/// What Sonarr asks for of torrents.
const FIELDS: [&str; 21] = [
    "id",
    "hashString",
    "name",
    "downloadDir",
    "totalSize",
    "leftUntilDone",
    "isFinished",
    "eta",
    "status",
    "secondsDownloading",
    "secondsSeeding",
    "errorString",
    "uploadedEver",
    "downloadedEver",
    "seedRatioLimit",
    "seedRatioMode",
    "seedIdleLimit",
    "seedIdleMode",
    "fileCount",
    "file-count",
    "labels",
];

/// Its version as Sonarr reads it: numbers with points, and nothing in parentheses.
fn version(session: &Value) -> Vec<u32> {
    let text = session["version"].as_str().unwrap();
    let text = text.split('(').next().unwrap().trim();
    text.split('.').map(|part| part.parse().unwrap()).collect()
}

#[test]
fn sonarr_finds_a_version_adds_follows_limits_and_removes() {
    let place = Place::new();
    place.write("here/Show.S01E01.mkv", &noise(1, 60_000));
    place.write("data/tv/Show.S01E01.mkv", &noise(1, 60_000));
    let torrent = place.create("here/Show.S01E01.mkv", &[]);
    let rpc = Rpc::start(&place, &[]);
    // It begins with a GET, and takes the id from the answer.
    let get = format!(
        "GET /transmission/rpc HTTP/1.1\r\nHost: {}\r\n\r\n",
        rpc.addr
    );
    assert_eq!(raw(&rpc.addr, get.as_bytes()).status, 409);
    let session = rpc.call("session-get", json!({}));
    assert!(version(&session) >= vec![4, 0], "{session}");
    assert!(session["rpc-version"].as_u64() >= Some(17));
    let data = session["download-dir"].as_str().unwrap();
    for (name, is_so) in [
        ("seedRatioLimit", Value::is_number as fn(&Value) -> bool),
        ("seedRatioLimited", Value::is_boolean),
        ("idle-seeding-limit", Value::is_number),
        ("idle-seeding-limit-enabled", Value::is_boolean),
    ] {
        assert!(is_so(&session[name]), "{name}: {session}");
    }
    let bytes = std::fs::read(place.path(&torrent)).unwrap();
    let add = json!({"metainfo": BASE64.encode(&bytes), "paused": false, "download-dir": format!("{data}/tv"),
        "labels": ["tv-sonarr"]});
    let added = rpc.call("torrent-add", add)["torrent-added"].clone();
    let hash = added["hashString"].clone();
    let set = json!({"ids": [hash], "seedRatioLimit": 1.25, "seedRatioMode": 1, "seedIdleLimit": 60, "seedIdleMode": 1});
    rpc.call("torrent-set", set);
    rpc.call(
        "torrent-set",
        json!({"ids": [hash], "labels": ["tv-sonarr", "done"]}),
    );
    rpc.call("queue-move-top", json!({"ids": [hash]}));
    rpc.until(&json!([hash]), "status", |status| status == 6);
    let list = rpc.call("torrent-get", json!({"fields": FIELDS}));
    let torrent = &list["torrents"][0];
    let path = format!(
        "{}/{}",
        torrent["downloadDir"].as_str().unwrap(),
        torrent["name"].as_str().unwrap()
    );
    assert!(std::path::Path::new(&path).is_file(), "{path}");
    assert_eq!(
        (
            &torrent["totalSize"],
            &torrent["leftUntilDone"],
            &torrent["labels"]
        ),
        (&json!(60_000), &json!(0), &json!(["tv-sonarr", "done"]))
    );
    assert_eq!(
        (
            &torrent["seedRatioLimit"],
            &torrent["seedRatioMode"],
            &torrent["seedIdleLimit"]
        ),
        (&json!(1.25), &json!(1), &json!(60))
    );
    assert_eq!(
        (
            &torrent["isFinished"],
            &torrent["file-count"],
            &torrent["errorString"]
        ),
        (&json!(false), &json!(1), &json!(""))
    );
    rpc.call(
        "torrent-remove",
        json!({"ids": [hash], "delete-local-data": true}),
    );
    assert!(!std::path::Path::new(&path).exists());
}
