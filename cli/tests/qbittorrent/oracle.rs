//! Debian's qbittorrent-nox as the oracle: the same calls go to both, and the answers are compared: status, type, words, and of
//! JSON each key with its type. What differs is expected, and stands in docs/qbittorrent.md.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::api::{Api, form, get, hash, post, text};
use crate::enabled;
use crate::http::Answer;
use crate::process::Process;
use crate::seeder::python;
use crate::support::{Place, noise};

/// Differences, with the reason in docs/qbittorrent.md: `+` is in our answer alone, `-` in the oracle's alone. The oracle is
/// version 4.5.2; what is ours alone came with 5.x.
const DIFFERENCES: &str = include_str!("differences.txt");

const PEER: &str = include_str!("../interop/libtorrent_peer.py");

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// Debian's program.
struct Oracle {
    _process: Process,
    addr: String,
    peers: String,
}

impl Oracle {
    /// It listens where a port was free; another program may have taken that meanwhile, and then it is tried anew.
    fn start(place: &Place) -> Self {
        for attempt in 0..5 {
            let oracle = Self::begin(place, &format!("oracle{attempt}"));
            if oracle.answers() {
                return oracle;
            }
        }
        panic!("qbittorrent-nox does not answer");
    }

    fn begin(place: &Place, name: &str) -> Self {
        let port = || {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        let (web, peers) = (port(), port());
        let data = place.path("oracle-data");
        let config = format!(
            "[LegalNotice]\nAccepted=true\n[Preferences]\nWebUI\\LocalHostAuth=false\nWebUI\\Address=127.0.0.1\n\
            WebUI\\Port={web}\n[BitTorrent]\nSession\\DHTEnabled=false\nSession\\LSDEnabled=false\n\
            Session\\Port={peers}\nSession\\DefaultSavePath={}\nSession\\QueueingSystemEnabled=false\n[Network]\n\
            PortForwardingEnabled=false\n",
            data.display()
        );
        place.write(
            &format!("{name}/qBittorrent/config/qBittorrent.conf"),
            config.as_bytes(),
        );
        let mut command = Command::new("qbittorrent-nox");
        command.arg(format!("--profile={}", place.path(name).display()));
        Self {
            _process: Process::start("qbittorrent-nox", &mut command),
            addr: format!("127.0.0.1:{web}"),
            peers: format!("127.0.0.1:{peers}"),
        }
    }

    fn answers(&self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < HANGS_AFTER {
            if std::net::TcpStream::connect(&self.addr).is_ok() {
                let version = get(&self.addr, "app/version", "", &[]);
                return text(&version).starts_with("v4.");
            }
            std::thread::yield_now();
        }
        false
    }
}

/// The two of them, and what differs.
struct Pair<'a> {
    ours: Api<'a>,
    oracle: Oracle,
    found: BTreeMap<String, ()>,
}

impl Pair<'_> {
    fn addrs(&self) -> [&str; 2] {
        [&self.ours.addr, &self.oracle.addr]
    }

    fn get(&mut self, call: &str, params: &[(&str, &str)]) -> [Answer; 2] {
        let answers = self.addrs().map(|addr| get(addr, call, "", params));
        self.compare(call, params, answers)
    }

    fn post(&mut self, call: &str, params: &[(&str, &str)]) -> [Answer; 2] {
        let answers = self.addrs().map(|addr| post(addr, call, "", params));
        self.compare(call, params, answers)
    }

    fn compare(
        &mut self,
        call: &str,
        params: &[(&str, &str)],
        answers: [Answer; 2],
    ) -> [Answer; 2] {
        let what = match params.iter().find(|(name, _)| *name != "hash") {
            Some((name, value)) if value.len() < 20 => format!("{call} {name}={value}"),
            _ => call.to_owned(),
        };
        let [ours, theirs] = &answers;
        if ours.status != theirs.status {
            self.add(format!("{what}: {}, not {}", ours.status, theirs.status));
            return answers;
        }
        let kind = |answer: &Answer| {
            answer
                .header("content-type")
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        if kind(ours) != kind(theirs) {
            self.add(format!("{what}: {}, not {}", kind(ours), kind(theirs)));
        }
        if kind(theirs).starts_with("application/json") {
            let mut shapes = [BTreeMap::new(), BTreeMap::new()];
            for (shapes, answer) in shapes.iter_mut().zip(&answers) {
                shape("", &answer.json(), shapes);
            }
            self.differences(&what, &shapes);
        } else if text(ours) != text(theirs) {
            self.add(format!("{what}: {:?}, not {:?}", text(ours), text(theirs)));
        }
        answers
    }

    fn differences(&mut self, what: &str, [ours, theirs]: &[BTreeMap<String, &str>; 2]) {
        for (path, kind) in ours {
            match theirs.get(path) {
                None => self.add(format!("{what}: +{path}")),
                Some(other) if other != kind => {
                    self.add(format!("{what}: {path} is {kind}, not {other}"));
                }
                Some(_) => {}
            }
        }
        for path in theirs.keys().filter(|path| !ours.contains_key(*path)) {
            self.add(format!("{what}: -{path}"));
        }
    }

    fn add(&mut self, difference: String) {
        self.found.insert(difference, ());
    }

    /// Waits until an answer of both is as it should be; those answers.
    fn until(&self, call: &str, hash: &str, is_so: impl Fn(&Value) -> bool) -> [Answer; 2] {
        let begun = Instant::now();
        loop {
            let params = [("hash", hash), ("hashes", hash)];
            let answers = self.addrs().map(|addr| get(addr, call, "", &params));
            if answers.iter().all(|answer| is_so(&answer.json())) {
                return answers;
            }
            assert!(begun.elapsed() < HANGS_AFTER, "{call}: {answers:?}");
        }
    }
}

/// The types of all keys, by their paths; elements of a list are one, and so are keys that are addresses.
fn shape(path: &str, value: &Value, into: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(values) => {
            for value in values {
                shape(&format!("{path}[]"), value, into);
            }
            "a list"
        }
        Value::Object(map) => {
            for (name, value) in map {
                let is_name = name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                    && name.len() < 40;
                let name = if is_name { name } else { "*" };
                shape(&format!("{path}.{name}"), value, into);
            }
            "an object"
        }
    };
    into.insert(path.to_owned(), kind);
}

#[test]
fn answers_have_the_shapes_of_those_of_qbittorrent() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    place.write("here/Show/a.mkv", &noise(1, 24_000_000));
    place.write("here/Show/b.srt", &noise(2, 70_000));
    let (_tracker, announce) = place.tracker();
    let torrent = place.create(
        "here/Show",
        &[
            "--tracker",
            &announce,
            "--web-seed",
            "http://127.0.0.1:1/x/",
        ],
    );
    let file = place.path(&torrent);
    let known = hash(&place, &torrent);
    let mut pair = Pair {
        ours: Api::start(&place, &[]),
        oracle: Oracle::start(&place),
        found: BTreeMap::new(),
    };
    before_there_is_a_torrent(&mut pair);
    let bytes = std::fs::read(&file).unwrap();
    for again in ["", "again"] {
        let params = [("category", "tv"), ("tags", "a,b"), ("x", again)];
        let answers = pair
            .addrs()
            .map(|addr| form(addr, "", &params, &[("a.torrent", &bytes)]));
        pair.compare("torrents/add", &[("what", again)], answers);
    }
    let answers = pair
        .addrs()
        .map(|addr| form(addr, "", &[], &[("bad.torrent", b"d1:")]));
    pair.compare("torrents/add", &[("what", "corrupt")], answers);
    let _seeder = seed(&place, &file, &pair);
    // The oracle knows its pieces a moment later.
    pair.until("torrents/pieceStates", &known, |states| {
        states.as_array().is_some_and(|states| !states.is_empty())
    });
    of_a_torrent(&mut pair, &known);
    changes(&mut pair, &known);
    same_values(&pair, &known);
    pair.post(
        "torrents/delete",
        &[("hashes", &known), ("deleteFiles", "true")],
    );
    pair.until("torrents/info", &known, |list| {
        list.as_array().is_some_and(Vec::is_empty)
    });
    pair.get("torrents/info", &[]);
    let found: Vec<&str> = pair.found.keys().map(String::as_str).collect();
    let expected: Vec<&str> = DIFFERENCES
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let new: Vec<_> = found.iter().filter(|it| !expected.contains(it)).collect();
    let gone: Vec<_> = expected.iter().filter(|it| !found.contains(it)).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "new: {new:#?}\ngone: {gone:#?}"
    );
}

/// What is asked of the program itself, and what fails.
fn before_there_is_a_torrent(pair: &mut Pair<'_>) {
    for call in [
        "app/buildInfo",
        "app/preferences",
        "transfer/info",
        "transfer/speedLimitsMode",
        "transfer/uploadLimit",
        "torrents/info",
        "torrents/categories",
        "torrents/tags",
        "sync/maindata",
        "nothing/here",
        "torrents/nothing",
        "torrents/properties",
        "torrents/files",
        "sync/torrentPeers",
    ] {
        pair.get(call, &[]);
    }
    let unknown = "f".repeat(40);
    for call in [
        "torrents/properties",
        "torrents/trackers",
        "torrents/pieceStates",
    ] {
        pair.get(call, &[("hash", &unknown)]);
    }
    pair.post("auth/login", &[("username", "a"), ("password", "b")]);
    pair.post("torrents/createCategory", &[("category", "tv")]);
    pair.post("torrents/createCategory", &[("category", "tv")]);
    pair.post("torrents/createCategory", &[("category", "")]);
    pair.post("torrents/createCategory", &[("category", "a//b")]);
    pair.post(
        "torrents/editCategory",
        &[("category", "none"), ("savePath", "x")],
    );
    pair.post("torrents/createTags", &[("tags", "c,d")]);
    pair.post("torrents/deleteTags", &[("tags", "d")]);
    pair.get("torrents/tags", &[]);
    pair.post("app/setPreferences", &[("json", r#"{"dl_limit":0}"#)]);
    pair.post("app/setPreferences", &[("json", "{")]);
    pair.post("app/setPreferences", &[]);
    pair.post("transfer/banPeers", &[("peers", "10.1.2.3:1|x")]);
    pair.post("transfer/banPeers", &[("peers", "x")]);
    pair.post("transfer/banPeers", &[]);
    pair.post("torrents/topPrio", &[("hashes", &unknown)]);
    pair.post("torrents/delete", &[("hashes", &unknown)]);
    pair.post("torrents/add", &[("urls", "")]);
}

/// What is said of a torrent.
fn of_a_torrent(pair: &mut Pair<'_>, hash: &str) {
    for call in [
        "torrents/properties",
        "torrents/trackers",
        "torrents/files",
        "torrents/webseeds",
        "torrents/pieceStates",
        "torrents/pieceHashes",
    ] {
        pair.get(call, &[("hash", hash)]);
    }
    let peers = pair.until("sync/torrentPeers", hash, |answer| {
        answer["peers"]
            .as_object()
            .is_some_and(|peers| !peers.is_empty())
    });
    pair.compare("sync/torrentPeers", &[], peers);
    pair.get("torrents/info", &[("hashes", hash)]);
    pair.get("torrents/info", &[("sort", "nothing")]);
    pair.get("torrents/files", &[("hash", hash), ("indexes", "9")]);
    pair.get("torrents/files", &[("hash", hash), ("indexes", "x")]);
    pair.get("torrents/downloadLimit", &[("hashes", hash)]);
    pair.get("sync/maindata", &[("rid", "0")]);
}

/// What is done with it, and what fails.
fn changes(pair: &mut Pair<'_>, hash: &str) {
    let of = ("hash", hash);
    let all = ("hashes", hash);
    for (call, params) in [
        (
            "torrents/filePrio",
            vec![of, ("id", "0"), ("priority", "1")],
        ),
        (
            "torrents/filePrio",
            vec![of, ("id", "0"), ("priority", "3")],
        ),
        (
            "torrents/filePrio",
            vec![of, ("id", "x"), ("priority", "1")],
        ),
        (
            "torrents/filePrio",
            vec![of, ("id", "9"), ("priority", "1")],
        ),
        ("torrents/rename", vec![of, ("name", "Renamed")]),
        ("torrents/rename", vec![of, ("name", " ")]),
        (
            "torrents/renameFile",
            vec![
                of,
                ("oldPath", "Show/b.srt"),
                ("newPath", "Show/subtitles.srt"),
            ],
        ),
        (
            "torrents/renameFile",
            vec![of, ("oldPath", "Show/none"), ("newPath", "Show/x")],
        ),
        ("torrents/renameFile", vec![of, ("oldPath", "Show/a.mkv")]),
        (
            "torrents/renameFolder",
            vec![of, ("oldPath", "Show"), ("newPath", "The Show")],
        ),
        (
            "torrents/renameFolder",
            vec![of, ("oldPath", "Show"), ("newPath", "x")],
        ),
        (
            "torrents/addTrackers",
            vec![of, ("urls", "http://127.0.0.1:1/announce")],
        ),
        (
            "torrents/editTracker",
            vec![("origUrl", "http://none/"), of, ("newUrl", "http://b/")],
        ),
        ("torrents/addTags", vec![all, ("tags", "e")]),
        ("torrents/removeTags", vec![all, ("tags", "e")]),
        ("torrents/setCategory", vec![("category", "none"), all]),
        ("torrents/setCategory", vec![("category", ""), all]),
        ("torrents/setCategory", vec![("category", "tv"), all]),
        ("torrents/setUploadLimit", vec![all, ("limit", "5000000")]),
        (
            "torrents/setShareLimits",
            vec![
                all,
                ("ratioLimit", "1.5"),
                ("seedingTimeLimit", "60"),
                ("inactiveSeedingTimeLimit", "-2"),
            ],
        ),
        ("torrents/setShareLimits", vec![all]),
        ("torrents/toggleSequentialDownload", vec![all]),
        ("torrents/setSuperSeeding", vec![all, ("value", "false")]),
        ("torrents/setLocation", vec![all, ("location", "")]),
        ("torrents/reannounce", vec![all]),
        ("torrents/addPeers", vec![all, ("peers", "nowhere")]),
        ("torrents/addPeers", vec![all, ("peers", "127.0.0.1:1")]),
        ("transfer/setSpeedLimitsMode", vec![("mode", "x")]),
        ("transfer/setUploadLimit", vec![("limit", "0")]),
        ("torrents/properties", vec![of]),
    ] {
        pair.post(call, &params);
    }
}

/// What must be the same of both, not in shape alone.
fn same_values(pair: &Pair<'_>, hash: &str) {
    let lists = pair
        .addrs()
        .map(|addr| get(addr, "torrents/info", "", &[("hashes", hash)]).json());
    let [ours, theirs] = lists.each_ref().map(|list| &list[0]);
    for field in [
        "hash",
        "infohash_v1",
        "infohash_v2",
        "name",
        "size",
        "total_size",
        "category",
        "tags",
        "seq_dl",
        "super_seeding",
        "force_start",
        "auto_tmm",
        "dl_limit",
        "up_limit",
        "ratio_limit",
        "seeding_time_limit",
        "completion_on",
        "priority",
    ] {
        // 2 and 2.0 are the same number. A time that is not there became -1 with 5.x.
        let is_same = match (ours[field].as_f64(), theirs[field].as_f64()) {
            (Some(ours), Some(theirs)) => {
                (ours - theirs).abs() < 1e-9 || field == "completion_on" && ours < 0.0
            }
            _ => ours[field] == theirs[field],
        };
        assert!(is_same, "{field}: {} and {}", ours[field], theirs[field]);
    }
    let [ours, theirs] = pair
        .addrs()
        .map(|addr| get(addr, "torrents/files", "", &[("hash", hash)]).json());
    for field in ["name", "size", "priority", "index", "piece_range"] {
        for place in [0, 1] {
            assert_eq!(ours[place][field], theirs[place][field], "{field}");
        }
    }
    let [ours, theirs] = pair
        .addrs()
        .map(|addr| get(addr, "torrents/pieceHashes", "", &[("hash", hash)]).json());
    assert_eq!(ours, theirs);
}

/// Has libtorrent seed for both of them, slowly, so that peers are connected while they are compared.
fn seed(place: &Place, torrent: &Path, pair: &Pair<'_>) -> Process {
    let port = pair.ours.get("app/preferences", &[])["listen_port"].clone();
    let mut command = Command::new(python());
    command.args(["-u", "-c", PEER, "--max-up", "400000", "seed"]);
    command.arg(torrent).arg(place.path("here"));
    command.args([format!("127.0.0.1:{port}"), pair.oracle.peers.clone()]);
    Process::start("libtorrent seed", &mut command)
}
