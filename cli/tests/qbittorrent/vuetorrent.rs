//! The requests of VueTorrent 2.34.1, as its page sent them from Chromium: it is in no package registry, so its files are not here.

use serde_json::{Value, json};

use crate::api::{Api, form, get, hash, text};
use crate::support::{Place, noise};

/// Parameters, where `HASH` is the torrent.
type Params = &'static [(&'static str, &'static str)];
/// Whether a value is as it should be.
type Is = fn(&Value) -> bool;

/// What it asks for to show its pages, and what the answer has to be.
const READS: [(&str, Params, Is); 13] = [
    ("app/buildInfo", &[], |it| it["libtorrent"].is_string()),
    ("app/cookies", &[], Value::is_array),
    ("app/preferences", &[], |it| it["save_path"].is_string()),
    (
        "log/main",
        &[
            ("last_known_id", "-1"),
            ("info", "true"),
            ("normal", "true"),
            ("warning", "true"),
            ("critical", "true"),
        ],
        Value::is_array,
    ),
    ("rss/items", &[("withData", "true")], Value::is_object),
    ("rss/rules", &[], Value::is_object),
    ("search/plugins", &[], Value::is_array),
    ("sync/torrentPeers", &[("hash", "HASH")], |it| {
        it["peers"].is_object()
    }),
    ("torrentcreator/status", &[], Value::is_array),
    ("torrents/files", &[("hash", "HASH")], |it| {
        it[1]["name"] == "Show/b.srt" && it[1]["index"] == 1
    }),
    ("torrents/pieceStates", &[("hash", "HASH")], Value::is_array),
    ("torrents/properties", &[("hash", "HASH")], |it| {
        it["piece_size"].is_u64()
    }),
    ("torrents/trackers", &[("hash", "HASH")], |it| {
        it[0]["url"] == "** [DHT] **"
    }),
];
/// What its menus do with the torrent, and a field of it afterwards.
const DEEDS: [(&str, Params, &str, Is); 7] = [
    ("torrents/stop", &[("hashes", "HASH")], "state", |it| {
        it == "stoppedUP"
    }),
    ("torrents/start", &[("hashes", "HASH")], "state", |it| {
        it == "stalledUP"
    }),
    (
        "torrents/recheck",
        &[("hashes", "HASH")],
        "progress",
        |it| it == 1.0,
    ),
    (
        "torrents/setCategory",
        &[("hashes", "HASH"), ("category", "")],
        "category",
        |it| it == "",
    ),
    (
        "torrents/setDownloadLimit",
        &[("hashes", "HASH"), ("limit", "500000")],
        "dl_limit",
        |it| it == 500_000,
    ),
    (
        "torrents/filePrio",
        &[("hash", "HASH"), ("id", "1"), ("priority", "0")],
        "progress",
        |it| it == 1.0,
    ),
    (
        "torrents/renameFile",
        &[
            ("hash", "HASH"),
            ("oldPath", "Show/b.srt"),
            ("newPath", "Show/c.srt"),
        ],
        "state",
        |it| it == "stalledUP",
    ),
];

#[test]
fn the_requests_of_vuetorrents_page_are_answered() {
    let place = Place::new();
    for root in ["here", "data"] {
        place.write(&format!("{root}/Show/a.mkv"), &noise(1, 300_000));
        place.write(&format!("{root}/Show/b.srt"), &noise(2, 70_000));
    }
    let torrent = place.create("here/Show", &[]);
    let known = hash(&place, &torrent);
    let api = Api::start(&place, &[]);
    // The state of its own optional server.
    let ping = crate::http::raw(
        &api.addr,
        format!("GET /backend/ping HTTP/1.1\r\nHost: {}\r\n\r\n", api.addr).as_bytes(),
    );
    assert_eq!(ping.status, 404);
    assert_eq!(text(&get(&api.addr, "app/version", "", &[])), "v5.1.4");
    let whole = api.get("sync/maindata", &[]);
    assert_eq!(whole["full_update"], true);
    it_adds(&api, &place, &torrent);
    let rid = whole["rid"].to_string();
    let changes = api.get("sync/maindata", &[("rid", &rid)]);
    assert_eq!(changes["torrents"][&known]["category"], "tv", "{changes}");
    assert_eq!(changes.get("full_update"), None, "{changes}");
    api.until(&known, "state", |it| it == "stalledUP");
    let filled = |params: &[(&'static str, &'static str)]| -> Vec<(&'static str, String)> {
        let params = params.iter();
        params
            .map(|(name, value)| (*name, value.replace("HASH", &known)))
            .collect()
    };
    for (call, params, is_so) in READS {
        let params = filled(params);
        let params: Vec<_> = params.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let answer = api.get(call, &params);
        assert!(is_so(&answer), "{call}: {answer}");
    }
    for (call, params, field, is_so) in DEEDS {
        let params = filled(params);
        let params: Vec<_> = params.iter().map(|(n, v)| (*n, v.as_str())).collect();
        api.post(call, &params);
        api.until(&known, field, is_so);
    }
    let files = api.get("torrents/files", &[("hash", &known)]);
    assert_eq!(files[1]["priority"], 0, "{files}");
    assert!(place.path("data/Show/c.srt").exists() && !place.path("data/Show/b.srt").exists());
    let delete = [("hashes", known.as_str()), ("deleteFiles", "true")];
    api.post("torrents/delete", &delete);
    assert_eq!(api.get("torrents/info", &[]), json!([]));
    assert!(!place.path("data/Show").exists());
    api.daemon.stop();
}

/// What its dialog sends without a choice is the word `null`.
fn it_adds(api: &Api<'_>, place: &Place, torrent: &str) {
    let options = [
        ("addToTopOfQueue", "false"),
        ("autoTMM", "false"),
        ("category", "tv"),
        ("contentLayout", "null"),
        ("firstLastPiecePrio", "false"),
        ("forced", "null"),
        ("inactiveSeedingTimeLimit", "-2"),
        ("paused", "false"),
        ("stopped", "false"),
        ("ratioLimit", "-2"),
        ("savepath", ""),
        ("seedingTimeLimit", "-2"),
        ("sequentialDownload", "false"),
        ("skip_checking", "false"),
        ("stopCondition", "null"),
        ("tags", ""),
        ("useDownloadPath", "false"),
    ];
    let bytes = std::fs::read(place.path(torrent)).unwrap();
    let origin = format!("Origin: http://{}\r\n", api.addr);
    let added = form(&api.addr, &origin, &options, &[("Show.torrent", &bytes)]);
    assert_eq!((added.status, text(&added).as_str()), (200, "Ok."));
}
