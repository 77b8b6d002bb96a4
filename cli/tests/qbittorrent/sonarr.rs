//! The calls of Sonarr and Radarr, as their source makes them.

use std::cell::RefCell;
use std::process::Command;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::api::{Api, form, get, hash, post, text};
use crate::enabled;
use crate::http::Answer;
use crate::seeder::{Seeder, python};
use crate::support::{Place, noise};

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(120);

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

/// Sonarr with a user name and a password: it sends them with each request, and logs in besides.
struct Sonarr<'a> {
    addr: &'a str,
    password: &'a str,
    cookie: RefCell<Option<String>>,
}

impl<'a> Sonarr<'a> {
    fn new(addr: &'a str, password: &'a str) -> Self {
        Self {
            addr,
            password,
            cookie: RefCell::default(),
        }
    }

    fn headers(&self) -> String {
        let basic = BASE64.encode(format!("sonarr:{}", self.password).as_bytes());
        let cookie = self.cookie.borrow();
        let cookie = cookie.as_ref().map(|it| format!("Cookie: {it}\r\n"));
        format!(
            "User-Agent: Sonarr/4.0.17.2950 (debian 13)\r\nAccept-Encoding: gzip, br\r\nAuthorization: Basic {basic}\r\n{}",
            cookie.unwrap_or_default()
        )
    }

    /// Whether it is let in; what it does before the first request, and after one that was refused.
    fn log_in(&self) -> bool {
        let params = [("username", "sonarr"), ("password", self.password)];
        let answer = post(self.addr, "auth/login", &self.headers(), &params);
        let is_in = answer.status == 200 && text(&answer) == "Ok.";
        let cookie = answer.header("set-cookie").unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default();
        *self.cookie.borrow_mut() = is_in.then(|| cookie.to_owned());
        is_in
    }

    #[track_caller]
    fn ask(&self, send: impl Fn(&str) -> Answer) -> Answer {
        if self.cookie.borrow().is_none() {
            assert!(self.log_in());
        }
        let mut answer = send(&self.headers());
        if answer.status == 403 {
            assert!(self.log_in());
            answer = send(&self.headers());
        }
        answer
    }

    #[track_caller]
    fn get(&self, call: &str, params: &[(&str, &str)]) -> Value {
        let answer = self.ask(|headers| get(self.addr, call, headers, params));
        assert_eq!(answer.status, 200, "{call}: {answer:?}");
        answer.json()
    }

    #[track_caller]
    fn post(&self, call: &str, status: u16, params: &[(&str, &str)]) -> String {
        let answer = self.ask(|headers| post(self.addr, call, headers, params));
        assert_eq!(answer.status, status, "{call}: {answer:?}");
        text(&answer)
    }

    /// Waits until a torrent of a category is in one of some states; the torrent.
    fn until(&self, category: &str, hash: &str, states: &[&str]) -> Value {
        let begun = Instant::now();
        loop {
            let list = self.get("torrents/info", &[("category", category)]);
            let all = list.as_array().unwrap();
            let found = all.iter().find(|it| it["hash"] == hash);
            if let Some(found) = found
                && states.contains(&found["state"].as_str().unwrap())
            {
                return found.clone();
            }
            assert!(begun.elapsed() < HANGS_AFTER, "{states:?}: {list}");
        }
    }
}

#[test]
fn sonarr_downloads_a_file_and_a_magnet_with_a_password() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    place.write("here/Show.S01E01.mkv", &noise(1, 600_000));
    place.write("here/Show.S01E02/Show.S01E02.mkv", &noise(2, 500_000));
    place.write("here/Show.S01E02/Show.S01E02.srt", &noise(3, 5_000));
    let (_tracker, announce) = place.tracker();
    let names = ["here/Show.S01E01.mkv", "here/Show.S01E02"];
    let torrents = names.map(|name| place.create(name, &["--tracker", &announce]));
    let _seeders = torrents.each_ref().map(|torrent| {
        let command = Command::new(python());
        let (torrent, data) = (place.path(torrent), place.path("here"));
        Seeder::start(command, &torrent, &data, "127.0.0.1", 0)
    });
    let [first, second] = torrents.each_ref().map(|torrent| hash(&place, torrent));
    let magnet = place.ok(&["inspect", "--json", &torrents[1]]);
    let magnet: Value = serde_json::from_str(&magnet).unwrap();
    let args = ["daemon", "--state", "daemon", "--create-token", "sonarr"];
    let token = place.ok(&args).trim().to_owned();
    let api = Api::start(&place, &["--require-token"]);
    it_is_told_what_is_wrong_with_its_password(&api.addr);
    let sonarr = Sonarr::new(&api.addr, &token);
    let data = place.path("data").to_str().unwrap().to_owned();
    it_looks_at_the_settings(&sonarr, &data);
    it_grabs_both(
        &sonarr,
        &place,
        &torrents[0],
        &first,
        magnet["magnet"].as_str().unwrap(),
    );
    for (hash, names) in [
        (&first, &["Show.S01E01.mkv"][..]),
        (
            &second,
            &["Show.S01E02/Show.S01E02.mkv", "Show.S01E02/Show.S01E02.srt"],
        ),
    ] {
        let done = ["uploading", "stalledUP", "forcedUP"];
        let torrent = sonarr.until("tv", hash, &done);
        for (name, is_so) in FIELDS {
            assert!(is_so(&torrent[name]), "{name}: {}", torrent[name]);
        }
        let files = sonarr.get("torrents/files", &[("hash", hash)]);
        let listed: Vec<&str> = files
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        assert_eq!(listed, names);
        let properties = sonarr.get("torrents/properties", &[("hash", hash)]);
        assert_eq!(properties["save_path"], format!("{data}/tv"));
        assert!(std::path::Path::new(&format!("{data}/tv/{}", names[0])).is_file());
        assert_ne!(torrent["content_path"], torrent["save_path"]);
    }
    let limits = &sonarr.until("tv", &first, &["forcedUP"]);
    assert_eq!(
        (
            &limits["ratio_limit"],
            &limits["inactive_seeding_time_limit"],
            &limits["seeding_time_limit"]
        ),
        (&json!(2.5), &json!(90), &json!(-2))
    );
    it_imports_and_removes(&sonarr, &first, &second, &data);
    api.daemon.stop();
}

fn it_is_told_what_is_wrong_with_its_password(addr: &str) {
    let version = "app/webapiVersion";
    // Without one, it knows that it has to log in.
    assert_eq!(get(addr, version, "", &[]).status, 403);
    let wrong = Sonarr::new(addr, "adminadmin");
    assert_eq!(get(addr, version, &wrong.headers(), &[]).status, 401);
    assert!(!wrong.log_in());
    // With the API key of its newer versions.
    let key = "Authorization: Bearer wrong\r\n";
    assert!([401, 403].contains(&get(addr, version, key, &[]).status));
}

fn it_looks_at_the_settings(sonarr: &Sonarr<'_>, data: &str) {
    for (call, words) in [("app/webapiVersion", "2.11.4"), ("app/version", "v5.1.4")] {
        let answer = sonarr.ask(|headers| get(sonarr.addr, call, headers, &[]));
        assert_eq!(text(&answer), words);
    }
    let preferences = sonarr.get("app/preferences", &[]);
    for (name, is_so) in PREFERENCES {
        assert!(is_so(&preferences[name]), "{name}: {}", preferences[name]);
    }
    assert_eq!(preferences["save_path"], data);
    assert_eq!(sonarr.get("torrents/categories", &[]), json!({}));
    for category in ["tv", "tv-imported"] {
        sonarr.post("torrents/createCategory", 200, &[("category", category)]);
    }
    let folder = [("category", "tv"), ("savePath", "tv")];
    sonarr.post("torrents/editCategory", 200, &folder);
    assert_eq!(
        sonarr.get("torrents/info", &[("category", "tv")]),
        json!([])
    );
}

fn it_grabs_both(sonarr: &Sonarr<'_>, place: &Place, torrent: &str, hash: &str, magnet: &str) {
    let bytes = std::fs::read(place.path(torrent)).unwrap();
    let options = [
        ("category", "tv"),
        ("stopped", "True"),
        ("sequentialDownload", "True"),
        ("contentLayout", "Original"),
        ("ratioLimit", "2.5"),
        ("inactiveSeedingTimeLimit", "90"),
    ];
    let name = "Show S01E01 [1080p] 'x' – é.torrent";
    let added = sonarr.ask(|headers| form(sonarr.addr, headers, &options, &[(name, &bytes)]));
    assert_eq!((added.status, text(&added).as_str()), (200, "Ok."));
    sonarr.get("torrents/properties", &[("hash", hash)]);
    sonarr.until("tv", hash, &["stoppedDL"]);
    let words = sonarr.post("torrents/topPrio", 409, &[("hashes", hash)]);
    assert_eq!(words, "Torrent queueing must be enabled");
    let force = [("hashes", hash), ("value", "true")];
    sonarr.post("torrents/setForceStart", 200, &force);
    let link = [("urls", magnet), ("category", "tv"), ("stopped", "False")];
    assert_eq!(sonarr.post("torrents/add", 200, &link), "Ok.");
    assert_eq!(sonarr.post("torrents/add", 200, &link), "Fails.");
}

fn it_imports_and_removes(sonarr: &Sonarr<'_>, first: &str, second: &str, data: &str) {
    sonarr.post(
        "torrents/addTags",
        200,
        &[("hashes", second), ("tags", "show,hd")],
    );
    // It names one of the two times; the other one stays.
    let limits = [
        ("hashes", second),
        ("ratioLimit", "0"),
        ("seedingTimeLimit", "-2"),
    ];
    sonarr.post("torrents/setShareLimits", 200, &limits);
    let reached = sonarr.until("tv", second, &["stoppedUP"]);
    assert_eq!(reached["inactive_seeding_time_limit"], -2);
    let imported = [("hashes", second), ("category", "tv-imported")];
    sonarr.post("torrents/setCategory", 200, &imported);
    sonarr.until("tv-imported", second, &["stoppedUP"]);
    // Without a word on files, they stay.
    sonarr.post("torrents/delete", 200, &[("hashes", first)]);
    let gone = [("hashes", second), ("deleteFiles", "true")];
    sonarr.post("torrents/delete", 200, &gone);
    assert_eq!(sonarr.get("torrents/info", &[]), json!([]));
    assert!(std::path::Path::new(&format!("{data}/tv/Show.S01E01.mkv")).is_file());
    assert!(!std::path::Path::new(&format!("{data}/tv/Show.S01E02")).exists());
}
