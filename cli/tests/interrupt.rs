//! Ctrl-C, SIGTERM and SIGHUP.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use support::{LOCAL, Place, noise};

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

fn shared(place: &Place, tracker: &str) {
    place.write("here/one", &noise(9, 100_000));
    place.ok(&["create", "here/one", "--tracker", tracker]);
}

/// The peers that the tracker lists.
fn scrape(place: &Place) -> (u64, u64) {
    let said: Value =
        serde_json::from_str(&place.ok(&["scrape", "one.torrent", "--json"])).unwrap();
    (
        said["seeders"].as_u64().unwrap_or(0),
        said["leechers"].as_u64().unwrap_or(0),
    )
}

#[test]
fn an_interrupted_download_tells_its_tracker_and_keeps_what_it_has() {
    for signal in ["INT", "TERM"] {
        let place = Place::new();
        let (_tracker, url) = place.tracker();
        shared(&place, &url);
        let download = ["download", "one.torrent", "-o", "there", "--json"];
        let downloader = place.start(&[&download, &LOCAL[..]].concat());
        downloader.line("tracker_answered");
        assert_eq!(scrape(&place), (0, 1));
        downloader.signal(signal);
        let finished = downloader.finish();
        assert_eq!(finished.code, Some(130), "{signal}: {finished:?}");
        assert_eq!(scrape(&place), (0, 0), "the tracker heard `stopped`");
        assert!(
            finished.err.contains("the same command goes on"),
            "{}",
            finished.err
        );
        assert!(!finished.err.contains("error"), "{}", finished.err);
    }
}

#[test]
fn an_interrupted_seeder_tells_its_tracker() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    shared(&place, &url);
    let seed = ["seed", "one.torrent", "--data", "here", "--json"];
    let seeder = place.start(&[&seed, &LOCAL[..]].concat());
    seeder.line("tracker_answered");
    assert_eq!(scrape(&place), (1, 0));
    seeder.signal("INT");
    let finished = seeder.finish();
    assert_eq!(finished.code, Some(130), "{finished:?}");
    assert_eq!(scrape(&place), (0, 0));
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let place = Place::new();
    // A tracker that takes a call and never answers: the farewell has to wait for it.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    shared(
        &place,
        &format!("http://{}/announce", silent.local_addr().unwrap()),
    );
    let seed = ["seed", "one.torrent", "--data", "here"];
    let seeder = place.start(&[&seed, &LOCAL[..]].concat());
    seeder.line("seeding ");
    seeder.signal("INT");
    seeder.signal("INT");
    assert_eq!(seeder.finish().code, Some(130));
}

#[test]
fn a_tracker_runs_until_it_is_interrupted() {
    let place = Place::new();
    let tracker = place.start(&["tracker", "--http", "127.0.0.1:0", "--udp", "127.0.0.1:0"]);
    tracker.line("http://127.0.0.1:");
    tracker.line("udp://127.0.0.1:");
    tracker.signal("INT");
    let finished = tracker.finish();
    assert_eq!(finished.code, Some(130), "{finished:?}");
}

/// Starts a demo that is busy for a while.
fn long_demo(place: &Place) -> support::Running {
    let demo = place.start(&["demo", "--size", "1GiB"]);
    // By then the tracker runs, and the payload is being made.
    demo.line("tracker:");
    assert!(!place.temporary().is_empty());
    demo
}

#[test]
fn a_demo_leaves_nothing_behind_after_any_signal() {
    let place = Place::new();
    for signals in [
        &["INT"][..],
        &["TERM"],
        &["HUP"],
        &["INT", "INT"],
        &["HUP", "TERM"],
        &["TERM", "INT"],
    ] {
        let demo = long_demo(&place);
        signals.iter().for_each(|signal| demo.signal(signal));
        let finished = demo.finish();
        assert_eq!(finished.code, Some(130), "{signals:?}: {finished:?}");
        let left = place.temporary();
        assert!(left.is_empty(), "{signals:?}: {left:?}");
    }
}

#[test]
fn what_a_killed_demo_left_is_removed_by_the_next_one() {
    let place = Place::new();
    let demo = long_demo(&place);
    // A demo that runs is not disturbed by another one.
    let second = long_demo(&place);
    let running = || {
        place
            .temporary()
            .iter()
            .filter(|path| path.ends_with("/lock"))
            .count()
    };
    assert_eq!(running(), 2);
    demo.signal("KILL");
    assert_eq!(demo.finish().code, None);
    assert_eq!(running(), 2);
    let third = long_demo(&place);
    assert_eq!(running(), 2, "{:?}", place.temporary());
    for demo in [second, third] {
        demo.signal("INT");
        assert_eq!(demo.finish().code, Some(130));
    }
    assert!(place.temporary().is_empty(), "{:?}", place.temporary());
}

/// A service manager's stop, and a terminal that is closed.
#[test]
fn to_be_stopped_is_no_failure_of_what_runs_until_then() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    shared(&place, &url);
    let (_seeder, peer) = place.seed("one.torrent", "here");
    let seed = ["seed", "one.torrent", "--data", "here"];
    let stream = ["stream", "one.torrent", "--peer", &peer];
    let download = ["download", "one.torrent", "-o", "there", "--seed"];
    let download = [&download[..], &["--peer", &peer]].concat();
    let node = [
        "dht",
        "node",
        "--no-bootstrap",
        "--dht-listen",
        "127.0.0.1:0",
    ];
    let commands: [(&[&str], bool, &str); 5] = [
        (&["tracker", "--http", "127.0.0.1:0"], false, "tracker: "),
        (&node, false, "listening on"),
        (&seed, true, "seeding "),
        (&stream, true, "http://"),
        (&download, true, "complete: "),
    ];
    for (command, is_session, ready) in commands {
        let local = if is_session { &LOCAL[..] } else { &[] };
        for (signal, code) in [("TERM", 0), ("HUP", 0), ("INT", 130)] {
            let running = place.start(&[command, local].concat());
            running.line(ready);
            running.signal(signal);
            let finished = running.finish();
            assert_eq!(
                finished.code,
                Some(code),
                "{command:?}, {signal}: {finished:?}"
            );
            assert!(!finished.err.contains("error"), "{command:?}: {finished:?}");
        }
    }
}

#[test]
fn a_download_that_is_stopped_before_it_is_complete_has_failed() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    shared(&place, &url);
    for signal in ["TERM", "HUP"] {
        let download = ["download", "one.torrent", "-o", "there", "--seed", "--json"];
        let downloader = place.start(&[&download, &LOCAL[..]].concat());
        downloader.line("tracker_answered");
        downloader.signal(signal);
        let finished = downloader.finish();
        assert_eq!(finished.code, Some(130), "{signal}: {finished:?}");
    }
}

/// `nohup` has SIGHUP ignored, so that a command survives its terminal.
#[test]
fn a_command_that_is_told_to_ignore_the_hangup_does() {
    let place = Place::new();
    let ours = place.command(&["tracker", "--http", "127.0.0.1:0"]);
    let mut tracker = Command::new("nohup");
    tracker.arg(ours.get_program()).args(ours.get_args());
    tracker.stdin(Stdio::null()).stderr(Stdio::null());
    let mut tracker = tracker.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(tracker.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let url = line.split_whitespace().last().unwrap().to_owned();
    shared(&place, &url);
    for _ in 0..8 {
        signal(tracker.id(), "HUP");
        assert_eq!(scrape(&place), (0, 0));
    }
    signal(tracker.id(), "TERM");
    assert_eq!(end(tracker), Some(0));
}

/// Sends a signal.
fn signal(pid: u32, name: &str) {
    let kill = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// How a process ended; one that hangs is killed, and has no code.
fn end(mut child: Child) -> Option<i32> {
    let pid = child.id();
    let (sender, ended) = channel();
    let waiting = std::thread::spawn(move || {
        let status = child.wait().unwrap();
        // The receiver has given up if this comes too late.
        let _ = sender.send(status.code());
    });
    let code = ended.recv_timeout(HANGS_AFTER).unwrap_or_else(|_| {
        signal(pid, "KILL");
        None
    });
    waiting.join().unwrap();
    code
}

/// Starts a command that prints more than a pipe holds, and returns when it has begun to print. The rest stays unread: from
/// then on its main thread is blocked in a write, or will be.
fn printing(place: &Place) -> Child {
    for index in 0..1_500 {
        place.write(&format!("here/many/{index:0100}"), b"x");
    }
    place.ok(&["create", "here/many", "-o", "many.torrent"]);
    let mut inspecting = place
        .command(&["inspect", "many.torrent"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = inspecting.stdout.as_mut().unwrap();
    out.read_exact(&mut [0]).unwrap();
    inspecting
}

#[test]
fn an_interrupt_does_not_wait_for_a_reader_of_our_output() {
    let place = Place::new();
    let mut inspecting = printing(&place);
    let mut errors = inspecting.stderr.take().unwrap();
    signal(inspecting.id(), "INT");
    assert_eq!(end(inspecting), Some(130));
    let mut said = String::new();
    errors.read_to_string(&mut said).unwrap();
    assert!(said.contains("closing took too long"), "{said}");
}

#[test]
fn a_second_interrupt_needs_no_thread_of_the_main_runtime() {
    let place = Place::new();
    let inspecting = printing(&place);
    signal(inspecting.id(), "INT");
    signal(inspecting.id(), "TERM");
    assert_eq!(end(inspecting), Some(130));
}

/// Peers that send as fast as they can, and come back when they are dropped.
struct Flood {
    is_over: Arc<AtomicBool>,
    /// One for each batch that was taken, and for each connection that was ended.
    news: Receiver<()>,
    threads: Vec<JoinHandle<()>>,
}

impl Flood {
    /// `message` is what each of them repeats.
    fn start(addr: SocketAddr, info_hash: [u8; 20], message: &'static [u8]) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (sender, news) = channel();
        let peer = |number: u8| {
            let (is_over, sender) = (Arc::clone(&is_over), sender.clone());
            std::thread::spawn(move || {
                let batch = message.repeat((1 << 18) / message.len());
                while !is_over.load(Ordering::Relaxed) {
                    let Ok(mut stream) = TcpStream::connect(addr) else {
                        continue;
                    };
                    stream.set_write_timeout(Some(HANGS_AFTER)).unwrap();
                    let mut hello = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\x04".to_vec();
                    hello.extend(info_hash);
                    hello.extend([b'a' + number; 20]);
                    let mut sent = stream.write_all(&hello);
                    while sent.is_ok() && !is_over.load(Ordering::Relaxed) {
                        sent = stream.write_all(&batch);
                        // The test may have counted enough.
                        let _ = sender.send(());
                    }
                }
            })
        };
        Self {
            threads: (0..4).map(peer).collect(),
            is_over,
            news,
        }
    }

    /// Waits until it is on: a few MB were taken, or as many connections ended.
    fn is_on(&self) {
        for _ in 0..16 {
            self.news.recv_timeout(HANGS_AFTER).unwrap();
        }
    }

    fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

/// The name of a torrent on the wire.
fn info_hash(place: &Place, torrent: &str) -> [u8; 20] {
    let said: Value = serde_json::from_str(&place.ok(&["inspect", torrent, "--json"])).unwrap();
    let hex = said["info_hash_v1"].as_str().unwrap().to_owned();
    let bytes = hex.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    bytes.map(byte).collect::<Vec<_>>().try_into().unwrap()
}

/// On two processors one thread serves all connections: the test is that Ctrl-C does not run on it.
#[test]
fn an_interrupt_does_not_wait_for_a_flood_of_messages() {
    const HAVE_NONE: &[u8] = b"\0\0\0\x01\x0f";
    const TOGGLED: &[u8] = b"\0\0\0\x01\x02\0\0\0\x01\x03";
    const KEEP_ALIVE: &[u8] = b"\0\0\0\0";
    let place = Place::new();
    place.write("here/large", &vec![0; 64 << 20]);
    let small_pieces = ["--piece-length", "16KiB", "-o", "large.torrent"];
    place.ok(&[&["create", "here/large"], &small_pieces[..]].concat());
    let info_hash = info_hash(&place, "large.torrent");
    for message in [HAVE_NONE, TOGGLED, KEEP_ALIVE] {
        let (seeder, addr) = place.seed("large.torrent", "here");
        let flood = Flood::start(addr.parse().unwrap(), info_hash, message);
        flood.is_on();
        seeder.signal("INT");
        let finished = seeder.finish();
        flood.stop();
        assert_eq!(finished.code, Some(130), "{message:?}: {finished:?}");
    }
}
