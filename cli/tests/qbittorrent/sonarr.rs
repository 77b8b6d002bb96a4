//! The calls of Sonarr and Radarr, as their source makes them.

use serde_json::{Value, json};

use crate::api::{Api, get, hash, post, text};
use crate::support::{Place, noise};

/// A field, and what it has to be.
type Field = (&'static str, fn(&Value) -> bool);

/// Fields of preferences that Sonarr reads, and whether it can.
const PREFERENCES: [Field; 11] = [
    ("save_path", Value::is_string),
    ("max_ratio_enabled", Value::is_boolean),
    ("max_ratio", Value::is_number),
    ("max_seeding_time_enabled", Value::is_boolean),
    ("max_seeding_time", Value::is_i64),
    ("max_inactive_seeding_time_enabled", Value::is_boolean),
    ("max_inactive_seeding_time", Value::is_i64),
    ("max_ratio_act", Value::is_u64),
    ("queueing_enabled", Value::is_boolean),
    ("dht", Value::is_boolean),
    ("temp_path_enabled", Value::is_boolean),
];
/// The same for torrents.
const FIELDS: [Field; 16] = [
    ("hash", Value::is_string),
    ("name", Value::is_string),
    ("size", Value::is_u64),
    ("progress", Value::is_number),
    ("eta", Value::is_u64),
    ("state", Value::is_string),
    ("category", Value::is_string),
    ("save_path", Value::is_string),
    ("content_path", Value::is_string),
    ("ratio", Value::is_number),
    ("ratio_limit", Value::is_number),
    ("seeding_time", Value::is_u64),
    ("seeding_time_limit", Value::is_i64),
    ("inactive_seeding_time_limit", Value::is_i64),
    ("last_activity", Value::is_u64),
    ("amount_left", Value::is_u64),
];

#[test]
fn sonarr_adds_with_a_category_follows_limits_and_removes() {
    let place = Place::new();
    place.write("here/Show.S01E01.mkv", &noise(1, 60_000));
    place.write("data/tv/Show.S01E01.mkv", &noise(1, 60_000));
    let torrent = place.create("here/Show.S01E01.mkv", &[]);
    let hash = hash(&place, &torrent);
    let api = Api::start(&place, &[]);
    let data = place.path("data").to_str().unwrap().to_owned();
    it_tests_its_settings(&api, &data);
    it_adds_a_release(&api, &place, &torrent, &hash);
    let path = format!("{data}/tv/Show.S01E01.mkv");
    it_finds_it_complete(&api, &hash, &data, &path);
    // It is imported: another category, then it goes with its files.
    api.post(
        "torrents/setCategory",
        &[("hashes", &hash), ("category", "tv-done")],
    );
    assert_eq!(
        api.refused(
            "torrents/setCategory",
            409,
            &[("hashes", &hash), ("category", "none")]
        ),
        "Incorrect category name"
    );
    assert_eq!(api.get("torrents/info", &[("category", "tv")]), json!([]));
    let moved = api.torrent(&hash);
    assert_eq!(
        (&moved["category"], &moved["tags"]),
        (&json!("tv-done"), &json!("hd, new"))
    );
    api.post(
        "torrents/setForceStart",
        &[("hashes", &hash), ("value", "false")],
    );
    api.post("torrents/stop", &[("hashes", &hash)]);
    api.until(&hash, "state", |state| state == "stoppedUP");
    api.post(
        "torrents/delete",
        &[("hashes", &hash), ("deleteFiles", "true")],
    );
    assert_eq!(api.get("torrents/info", &[]), json!([]));
    assert!(!std::path::Path::new(&path).exists());
    api.daemon.stop();
}

fn it_tests_its_settings(api: &Api<'_>, data: &str) {
    // It asks for the version before it logs in, and compares it as text with points.
    let version = get(&api.addr, "app/webapiVersion", "", &[]);
    assert_eq!((version.status, text(&version).as_str()), (200, "2.11.4"));
    assert_eq!(text(&get(&api.addr, "app/version", "", &[])), "v5.1.4");
    // On this machine a login needs no password, and is answered with the cookie that it keeps.
    let login = post(
        &api.addr,
        "auth/login",
        "",
        &[("username", "sonarr"), ("password", "")],
    );
    assert_eq!(text(&login), "Ok.");
    assert!(login.header("set-cookie").unwrap().starts_with("SID="));
    let preferences = api.get("app/preferences", &[]);
    for (name, is_so) in PREFERENCES {
        assert!(is_so(&preferences[name]), "{name}: {}", preferences[name]);
    }
    assert_eq!(preferences["save_path"], data);
    // The test of its settings.
    assert_eq!(api.get("torrents/categories", &[]), json!({}));
    api.post(
        "torrents/createCategory",
        &[("category", "tv"), ("savePath", "tv")],
    );
    api.post("torrents/createCategory", &[("category", "tv-done")]);
    assert_eq!(
        api.refused("torrents/createCategory", 409, &[("category", "tv")]),
        "Unable to create category"
    );
    let categories = api.get("torrents/categories", &[]);
    assert_eq!(categories["tv"], json!({"name": "tv", "savePath": "tv"}));
}

fn it_adds_a_release(api: &Api<'_>, place: &Place, torrent: &str, hash: &str) {
    // A release, with the limits of its indexer.
    let options = [
        ("category", "tv"),
        ("stopped", "False"),
        ("sequentialDownload", "True"),
        ("firstLastPiecePrio", "False"),
        ("contentLayout", "Original"),
    ];
    assert_eq!(api.add(place, torrent, &options), "Ok.");
    assert_eq!(
        api.add(place, torrent, &options),
        "Fails.",
        "it is there already"
    );
    let limits = [
        ("hashes", hash),
        ("ratioLimit", "1.25"),
        ("seedingTimeLimit", "60"),
        ("inactiveSeedingTimeLimit", "-2"),
    ];
    api.post("torrents/setShareLimits", &limits);
    api.post("torrents/addTags", &[("hashes", hash), ("tags", "hd,new")]);
    assert_eq!(
        api.refused("torrents/topPrio", 409, &[("hashes", hash)]),
        "Torrent queueing must be enabled"
    );
    api.post(
        "torrents/setForceStart",
        &[("hashes", hash), ("value", "true")],
    );
    api.until(hash, "state", |state| state == "forcedUP");
}

fn it_finds_it_complete(api: &Api<'_>, hash: &str, data: &str, path: &str) {
    let list = api.get("torrents/info", &[("category", "tv")]);
    let torrent = &list[0];
    for (name, is_so) in FIELDS {
        assert!(is_so(&torrent[name]), "{name}: {}", torrent[name]);
    }
    assert_eq!(
        (&torrent["save_path"], &torrent["content_path"]),
        (&json!(format!("{data}/tv")), &json!(path))
    );
    assert!(std::path::Path::new(path).is_file());
    assert_eq!(
        (
            &torrent["ratio_limit"],
            &torrent["seeding_time_limit"],
            &torrent["inactive_seeding_time_limit"]
        ),
        (&json!(1.25), &json!(60), &json!(-2))
    );
    assert_eq!(
        (&torrent["tags"], &torrent["progress"]),
        (&json!("hd, new"), &json!(1.0))
    );
    let properties = api.get("torrents/properties", &[("hash", hash)]);
    assert_eq!(properties["save_path"], torrent["save_path"]);
    let files = api.get("torrents/files", &[("hash", hash)]);
    assert_eq!(files[0]["name"], "Show.S01E01.mkv");
}

#[test]
fn a_category_outlasts_the_daemon_and_a_queue_has_a_top() {
    let place = Place::new();
    let names = ["a", "b", "c"];
    for (seed, name) in (0..).zip(names) {
        place.write(&format!("here/{name}"), &noise(seed, 40_000));
    }
    let torrents = names.map(|name| place.create(&format!("here/{name}"), &[]));
    let hashes = torrents.each_ref().map(|torrent| hash(&place, torrent));
    let api = Api::start(&place, &[]);
    api.post(
        "app/setPreferences",
        &[(
            "json",
            r#"{"queueing_enabled":true,"max_active_downloads":1}"#,
        )],
    );
    for torrent in &torrents {
        assert_eq!(
            api.add(&place, torrent, &[("category", "made/here"), ("tags", "x")]),
            "Ok."
        );
    }
    api.until(&hashes[2], "state", |state| state == "queuedDL");
    api.post("torrents/topPrio", &[("hashes", &hashes[2])]);
    api.until(&hashes[2], "state", |state| state == "stalledDL");
    api.until(&hashes[0], "state", |state| state == "queuedDL");
    let places = |api: &Api<'_>| {
        hashes
            .each_ref()
            .map(|hash| api.torrent(hash)["priority"].as_u64().unwrap())
    };
    assert_eq!(places(&api), [2, 3, 1]);
    api.post("torrents/bottomPrio", &[("hashes", &hashes[2])]);
    api.post("torrents/increasePrio", &[("hashes", &hashes.join("|"))]);
    assert_eq!(places(&api), [1, 2, 3]);
    api.post("torrents/decreasePrio", &[("hashes", &hashes[0])]);
    assert_eq!(places(&api), [2, 1, 3]);
    api.daemon.stop();
    let api = Api::start(&place, &[]);
    let torrent = api.torrent(&hashes[2]);
    assert_eq!(
        (&torrent["category"], &torrent["tags"]),
        (&json!("made/here"), &json!("x"))
    );
    let categories = api.get("torrents/categories", &[]);
    assert_eq!(categories["made/here"]["savePath"], "");
    // The category goes from the torrents with it.
    api.post(
        "torrents/removeCategories",
        &[("categories", "made/here\nx")],
    );
    assert_eq!(api.torrent(&hashes[2])["category"], "");
    assert_eq!(
        api.get("torrents/tags", &[]),
        json!(["x"]),
        "a tag is no category"
    );
    api.post("torrents/deleteTags", &[("tags", "x")]);
    assert_eq!(api.torrent(&hashes[2])["tags"], "");
}
