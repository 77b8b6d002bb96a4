//! Debian's transmission-daemon as the oracle: the same calls go to both, and the shapes of the answers are compared, key by
//! key and type by type. What differs is expected, and stands in docs/transmission.md.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::enabled;
use crate::process::Process;
use crate::rpc::{Rpc, post, session};
use crate::seeder::python;
use crate::support::{Place, noise};

/// Differences of shape, with the reason in docs/transmission.md: `+` is in our answer alone, `-` in the oracle's alone. The
/// oracle is version 3.00; what is ours alone came with 4.x.
const DIFFERENCES: &str = include_str!("differences.txt");

const PEER: &str = include_str!("../interop/libtorrent_peer.py");

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// Debian's daemon.
struct Oracle {
    _process: Process,
    addr: String,
    session: String,
}

impl Oracle {
    fn start(place: &Place) -> Self {
        let port = || {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port().to_string()
        };
        let (rpc, peers) = (port(), port());
        let mut command = Command::new("transmission-daemon");
        command.args(["-f", "-g"]).arg(place.path("oracle"));
        command.args([
            "-p",
            &rpc,
            "-P",
            &peers,
            "-r",
            "127.0.0.1",
            "-i",
            "127.0.0.1",
        ]);
        command.args([
            "--no-auth",
            "--no-portmap",
            "--no-dht",
            "--no-lpd",
            "--no-utp",
            "-w",
        ]);
        command.arg(place.path("oracle-data"));
        let process = Process::start("transmission-daemon", &mut command);
        process.line("Serving RPC and Web requests");
        let addr = format!("127.0.0.1:{rpc}");
        let first = post(&addr, "", b"{}");
        assert_eq!(first.status, 409);
        let id = first.header("x-transmission-session-id").unwrap();
        let session = format!("X-Transmission-Session-Id: {id}\r\n");
        Self {
            _process: process,
            addr,
            session,
        }
    }

    fn ask(&self, request: &Value) -> Value {
        let answer = post(&self.addr, &self.session, request.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }
}

/// The two of them, and what differs.
struct Pair<'a> {
    ours: Rpc<'a>,
    oracle: Oracle,
    found: BTreeMap<String, ()>,
}

impl Pair<'_> {
    /// Sends a call to both, and compares the shapes of the answers.
    fn compare(&mut self, what: &str, method: &str, arguments: &Value) -> [Value; 2] {
        let request = json!({"method": method, "arguments": arguments, "tag": 7});
        let answers = [self.ours.ask(&request), self.oracle.ask(&request)];
        self.differences(what, &answers);
        let [ours, theirs] = answers.each_ref().map(|answer| &answer["result"]);
        // An error may say more than the oracle's.
        let says_the_same = ours.as_str().zip(theirs.as_str());
        if !says_the_same.is_some_and(|(ours, theirs)| ours.starts_with(theirs)) {
            self.add(format!("{what}: the result is {ours}, not {theirs}"));
        }
        answers
    }

    fn differences(&mut self, what: &str, [ours, theirs]: &[Value; 2]) {
        let mut shapes = [BTreeMap::new(), BTreeMap::new()];
        shape("", ours, &mut shapes[0]);
        shape("", theirs, &mut shapes[1]);
        let [ours, theirs] = shapes;
        for (path, kind) in &ours {
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

    /// Waits until a field of the first torrent is as it should be, of both.
    fn until(&self, field: &str, is_so: impl Fn(&Value) -> bool) {
        let request =
            json!({"method": "torrent-get", "arguments": {"fields": [field], "ids": [1]}});
        let begun = Instant::now();
        loop {
            let values = [self.ours.ask(&request), self.oracle.ask(&request)]
                .map(|answer| answer["arguments"]["torrents"][0][field].clone());
            if values.iter().all(&is_so) {
                return;
            }
            assert!(begun.elapsed() < HANGS_AFTER, "{field}: {values:?}");
        }
    }
}

/// The types of all keys, by their paths; elements of a list are one.
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
                shape(&format!("{path}.{name}"), value, into);
            }
            "an object"
        }
    };
    into.insert(path.to_owned(), kind);
}

/// All fields in the legacy form that both know.
const LEGACY: [&str; 67] = [
    "activityDate",
    "addedDate",
    "bandwidthPriority",
    "comment",
    "corruptEver",
    "creator",
    "dateCreated",
    "desiredAvailable",
    "doneDate",
    "downloadDir",
    "downloadedEver",
    "downloadLimit",
    "downloadLimited",
    "editDate",
    "error",
    "errorString",
    "eta",
    "etaIdle",
    "files",
    "fileStats",
    "hashString",
    "haveUnchecked",
    "haveValid",
    "honorsSessionLimits",
    "id",
    "isFinished",
    "isPrivate",
    "isStalled",
    "labels",
    "leftUntilDone",
    "magnetLink",
    "manualAnnounceTime",
    "maxConnectedPeers",
    "metadataPercentComplete",
    "name",
    "peer-limit",
    "peers",
    "peersConnected",
    "peersFrom",
    "peersGettingFromUs",
    "peersSendingToUs",
    "percentDone",
    "pieces",
    "pieceCount",
    "pieceSize",
    "priorities",
    "queuePosition",
    "rateDownload",
    "rateUpload",
    "recheckProgress",
    "secondsDownloading",
    "secondsSeeding",
    "seedIdleLimit",
    "seedIdleMode",
    "seedRatioLimit",
    "seedRatioMode",
    "sizeWhenDone",
    "startDate",
    "status",
    "trackers",
    "trackerStats",
    "totalSize",
    "torrentFile",
    "uploadedEver",
    "uploadLimit",
    "uploadLimited",
    "uploadRatio",
];
/// The rest of them.
const REST: [&str; 3] = ["wanted", "webseeds", "webseedsSendingToUs"];

#[test]
fn answers_have_the_shapes_of_those_of_transmission() {
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
    let mut pair = Pair {
        ours: Rpc::start(&place, &[]),
        oracle: Oracle::start(&place),
        found: BTreeMap::new(),
    };
    let metainfo = data_encoding::BASE64.encode(&std::fs::read(&file).unwrap());
    let add = json!({"metainfo": metainfo, "labels": ["x"]});
    let added = pair.compare("torrent-add", "torrent-add", &add);
    assert_eq!(added[0]["arguments"], added[1]["arguments"]);
    let again = pair.compare("torrent-add again", "torrent-add", &add);
    assert_eq!(again[0]["arguments"], again[1]["arguments"]);
    pair.compare(
        "torrent-set",
        "torrent-set",
        &json!({"ids": [1], "labels": ["y"]}),
    );
    let _seeder = seed(&place, &file, &pair);
    pair.until("peers", |peers| {
        peers.as_array().is_some_and(|it| !it.is_empty())
    });
    let fields: Vec<&str> = LEGACY.into_iter().chain(REST).collect();
    pair.compare(
        "torrent-get",
        "torrent-get",
        &json!({"fields": fields, "ids": [1]}),
    );
    let table = json!({"fields": ["id", "name"], "format": "table", "ids": "recently-active"});
    let table = pair.compare("torrent-get as a table", "torrent-get", &table);
    assert_eq!(
        table[0]["arguments"]["torrents"],
        table[1]["arguments"]["torrents"]
    );
    same_values(&pair);
    let space = json!({"path": place.path("data")});
    std::fs::create_dir_all(place.path("data")).unwrap();
    for (what, arguments) in calls(&space) {
        let method = what.split(' ').next().unwrap();
        pair.compare(what, method, &arguments);
    }
    pair.compare(
        "torrent-remove",
        "torrent-remove",
        &json!({"ids": [1], "delete-local-data": true}),
    );
    pair.compare(
        "torrent-get of none",
        "torrent-get",
        &json!({"fields": ["id"]}),
    );
    let found: Vec<&str> = pair.found.keys().map(String::as_str).collect();
    let expected: Vec<&str> = DIFFERENCES
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(found, expected, "found:\n{}", found.join("\n"));
}

/// Has libtorrent seed for both of them, slowly, so that peers are connected while they are compared. The oracle connects to
/// no peer of loopback itself.
fn seed(place: &Place, torrent: &Path, pair: &Pair<'_>) -> Process {
    let session = json!({"method": "session-get"});
    let ports = [pair.ours.ask(&session), pair.oracle.ask(&session)];
    let peers = ports.map(|it| format!("127.0.0.1:{}", it["arguments"]["peer-port"]));
    let mut command = Command::new(python());
    command.args(["-u", "-c", PEER, "--max-up", "800000", "seed"]);
    command.arg(torrent).arg(place.path("here")).args(peers);
    Process::start("libtorrent seed", &mut command)
}

/// What must be the same of both, not in shape alone.
fn same_values(pair: &Pair<'_>) {
    let fields = [
        "hashString",
        "name",
        "totalSize",
        "pieceCount",
        "pieceSize",
        "status",
        "isPrivate",
        "labels",
        "queuePosition",
        "metadataPercentComplete",
        "priorities",
        "wanted",
        "webseeds",
        "seedRatioMode",
        "seedIdleMode",
        "seedRatioLimit",
        "seedIdleLimit",
        "downloadLimit",
        "uploadLimited",
        "doneDate",
        "isFinished",
        "errorString",
        "creator",
        "comment",
    ];
    let request = json!({"method": "torrent-get", "arguments": {"fields": fields, "ids": [1]}});
    let [ours, theirs] = [pair.ours.ask(&request), pair.oracle.ask(&request)];
    let (ours, theirs) = (
        &ours["arguments"]["torrents"][0],
        &theirs["arguments"]["torrents"][0],
    );
    for field in fields {
        // 2 and 2.0 are the same number.
        let is_same = match (ours[field].as_f64(), theirs[field].as_f64()) {
            (Some(ours), Some(theirs)) => (ours - theirs).abs() < 1e-9,
            _ => ours[field] == theirs[field],
        };
        assert!(is_same, "{field}: {} and {}", ours[field], theirs[field]);
    }
}

fn calls(space: &Value) -> Vec<(&'static str, Value)> {
    vec![
        ("session-get", json!({})),
        ("session-get fields", json!({"fields": ["version", "none"]})),
        ("session-stats", json!({})),
        ("session-set", json!({"speed-limit-down": 100})),
        ("free-space", space.clone()),
        ("free-space relative", json!({"path": "x"})),
        ("free-space without", json!({})),
        ("torrent-start", json!({"ids": [1]})),
        ("torrent-start-now", json!({"ids": [1]})),
        ("torrent-reannounce", json!({"ids": [1]})),
        ("torrent-verify", json!({"ids": [1]})),
        ("torrent-stop", json!({"ids": [1]})),
        ("torrent-set-location without", json!({"ids": [1]})),
        (
            "torrent-rename-path of none",
            json!({"ids": [9], "path": "a", "name": "b"}),
        ),
        ("torrent-get without", json!({})),
        ("torrent-get unknown", json!({"fields": ["id"], "ids": [9]})),
        ("torrent-add without", json!({})),
        ("torrent-add corrupt", json!({"metainfo": "ZDE6"})),
        ("queue-move-top", json!({"ids": [1]})),
        ("queue-move-up", json!({"ids": [1]})),
        ("queue-move-down", json!({"ids": [1]})),
        ("queue-move-bottom", json!({"ids": [1]})),
        ("nothing", json!({})),
    ]
}

#[test]
fn the_handshake_is_that_of_transmission() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (ours, oracle) = (Rpc::start(&place, &[]), Oracle::start(&place));
    for addr in [&ours.addr, &oracle.addr] {
        let send = |head: &str| {
            let head = head.replace("HOST", addr);
            crate::http::raw(addr, format!("{head}\r\n").as_bytes()).status
        };
        assert_eq!(
            send("GET /transmission/rpc HTTP/1.1\r\nHost: HOST\r\n"),
            409
        );
        assert_eq!(
            send("POST /transmission/rpc HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n"),
            409
        );
        assert_eq!(
            send("GET /transmission/rpc HTTP/1.1\r\nHost: evil.example\r\n"),
            421
        );
        assert_eq!(
            send(
                "GET /transmission/rpc HTTP/1.1\r\nHost: localhost:PORT\r\n"
                    .replace("PORT", addr.rsplit(':').next().unwrap())
                    .as_str()
            ),
            409
        );
    }
    assert!(!session(&ours.addr, "").is_empty());
}
