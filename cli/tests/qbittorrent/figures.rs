//! Figures of the daemon: nodes of the DHT, and what was transferred ever.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::api::{form, get, hash, post, text};
use crate::daemon::Daemon;
use crate::http::raw;
use crate::support::{LOCAL, Place, Running, noise};

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// Bytes of a torrent.
const LEN: u64 = 300_000;

#[track_caller]
fn until<T: std::fmt::Debug>(what: &str, see: impl Fn() -> T, is_so: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + HANGS_AFTER;
    loop {
        let seen = see();
        if is_so(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what}: {seen:?}");
    }
}

#[test]
fn nodes_of_the_dht_are_counted() {
    let (place, other) = (Place::new(), Place::new());
    let alone = ["dht", "node", "--no-bootstrap", "--dht-listen"];
    let node = other.start(&[&alone[..], &["127.0.0.1:0", "--no-progress"]].concat());
    let addr = node.line("listening on");
    let addr = addr.rsplit(' ').next().unwrap();
    let args = ["daemon", "--http", "127.0.0.1:0", "--data", "data"];
    let more = ["--state", "daemon", "--listen", "127.0.0.1:0", "--no-lsd"];
    let dht = ["--no-port-map", "--dht-bootstrap", addr];
    let api = ["--qbittorrent", "127.0.0.1:0"];
    let daemon = Running::of(place.command(&[&args[..], &more, &dht, &api].concat()));
    let line = daemon.line("qBittorrent's Web API:");
    let api = line.rsplit('/').find(|part| part.contains(':')).unwrap();
    let has_one = |nodes: &Value| nodes.as_u64() == Some(1);
    let info = || get(api, "transfer/info", "", &[]).json()["dht_nodes"].clone();
    until("transfer/info", info, has_one);
    let main = || get(api, "sync/maindata", "", &[]).json()["server_state"]["dht_nodes"].clone();
    until("sync/maindata", main, has_one);
}

/// A daemon that both kinds of clients ask for totals.
struct Both {
    process: Running,
    api: String,
    rpc: String,
    peers: String,
}

impl Both {
    fn start(place: &Place) -> Self {
        let apis = ["--qbittorrent", "127.0.0.1:0", "--transmission"];
        let args = Daemon::args(&[&apis[..], &["127.0.0.1:0"]].concat());
        let process = place.start(&args);
        let peers = process.line("listening on ");
        let [api, rpc] = ["qBittorrent's Web API:", "Transmission's RPC:"].map(|name| {
            let line = process.line(name);
            let addr = line.split('/').nth(2).unwrap();
            addr.to_owned()
        });
        process.line("daemon:");
        let peers = peers.rsplit(' ').next().unwrap().to_owned();
        Self {
            process,
            api,
            rpc,
            peers,
        }
    }

    fn add(&self, place: &Place, torrent: &str) {
        let bytes = std::fs::read(place.path(torrent)).unwrap();
        let answer = form(&self.api, "", &[], &[("a.torrent", &bytes)]);
        assert_eq!((answer.status, text(&answer).as_str()), (200, "Ok."));
    }

    fn post(&self, call: &str, params: &[(&str, &str)]) {
        let answer = post(&self.api, call, "", params);
        assert_eq!(answer.status, 200, "{call}: {answer:?}");
    }

    /// Bytes downloaded and uploaded, of all times and since the start, as both APIs say when nothing is transferred between
    /// one answer and the other.
    #[track_caller]
    fn totals(&self) -> [u64; 4] {
        let see = || (self.server_state(), self.session_stats());
        until("both APIs", see, |(one, other)| one == other).0
    }

    fn server_state(&self) -> [u64; 4] {
        let main = get(&self.api, "sync/maindata", "", &[]).json();
        let state = &main["server_state"];
        let names = ["alltime_dl", "alltime_ul", "dl_info_data", "up_info_data"];
        names.map(|name| state[name].as_u64().unwrap())
    }

    fn session_stats(&self) -> [u64; 4] {
        let ask = |session: &str| {
            let body = r#"{"method":"session-stats"}"#;
            let head = format!(
                "POST /transmission/rpc HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{session}\r\n",
                self.rpc,
                body.len()
            );
            raw(&self.rpc, format!("{head}{body}").as_bytes())
        };
        let session = ask("");
        let name = "X-Transmission-Session-Id";
        let id = session.header(name).unwrap();
        let answer = ask(&format!("{name}: {id}\r\n")).json();
        let figures = [
            ("cumulative-stats", "downloadedBytes"),
            ("cumulative-stats", "uploadedBytes"),
            ("current-stats", "downloadedBytes"),
            ("current-stats", "uploadedBytes"),
        ];
        figures.map(|(kind, name)| answer["arguments"][kind][name].as_u64().unwrap())
    }

    /// Ends well.
    fn stop(self) {
        self.process.signal("TERM");
        let finished = self.process.finish();
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }
}

#[test]
fn totals_outlast_the_process_and_the_torrents() {
    let place = Place::new();
    let names = ["a", "b"];
    for (seed, name) in (1..).zip(names) {
        place.write(&format!("here/{name}"), &noise(seed, 300_000));
    }
    let [comes, goes] = names.map(|name| place.create(&format!("here/{name}"), &[]));
    let (seeder, addr) = place.seed(&comes, "here");
    let daemon = Both::start(&place);
    // One is downloaded from a peer, and another uploaded to one.
    daemon.add(&place, &comes);
    let of = hash(&place, &comes);
    daemon.post("torrents/addPeers", &[("hashes", &of), ("peers", &addr)]);
    std::fs::copy(place.path("here/b"), place.path("data/b")).unwrap();
    daemon.add(&place, &goes);
    let to_peer = ["download", &goes, "-o", "there", "--peer", &daemon.peers];
    let session = ["--no-progress"];
    place.ok(&[&to_peer[..], &session, &LOCAL].concat());
    let is_whole = |totals: &[u64; 4]| totals.iter().all(|bytes| *bytes >= LEN);
    let before = until("totals", || daemon.totals(), is_whole);
    drop(seeder);
    daemon.stop();

    let daemon = Both::start(&place);
    let known = daemon.totals();
    assert_eq!(known[2..], [0, 0]);
    // The last bytes may have come after the figures were read.
    assert!(known[0] >= before[0] && known[1] >= before[1], "{known:?}");
    let of = hash(&place, &goes);
    daemon.post(
        "torrents/delete",
        &[("hashes", &of), ("deleteFiles", "false")],
    );
    assert_eq!(daemon.totals(), known);
    daemon.stop();

    let daemon = Both::start(&place);
    assert_eq!(daemon.totals(), known);
    daemon.post(
        "torrents/delete",
        &[("hashes", "all"), ("deleteFiles", "true")],
    );
    daemon.process.signal("KILL");
    daemon.process.finish();
    let daemon = Both::start(&place);
    assert_eq!(daemon.totals(), known);
}
