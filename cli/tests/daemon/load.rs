//! Many clients at once, slow ones, and ones that want different things of one torrent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::daemon::Daemon;
use crate::http::Events;
use crate::support::{Place, noise};

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// Asks, and reads only the first line of the answer; none if the server closed the connection.
fn ask(addr: &str) -> Option<(TcpStream, String)> {
    let mut stream = TcpStream::connect(addr).ok()?;
    stream.set_read_timeout(Some(HANGS_AFTER)).unwrap();
    let request = format!("GET /api/v1/torrents HTTP/1.1\r\nHost: {addr}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).ok()?;
    (!line.is_empty()).then_some((stream, line))
}

#[test]
fn a_thousand_clients_that_ask_at_once_get_their_answers() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    let answered: Vec<_> = thread::scope(|scope| {
        let addr = daemon.addr.as_str();
        // They keep their connections: the later ones displace the earlier ones, which have their answers.
        let clients: Vec<_> = (0..1_000).map(|_| scope.spawn(move || ask(addr))).collect();
        let answers = clients.into_iter().map(|client| client.join().unwrap());
        answers.flatten().collect()
    });
    for (_, line) in &answered {
        assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
    }
    // One that was displaced before it had asked may ask again; they are few.
    assert!(answered.len() >= 900, "{}", answered.len());
    assert_eq!(daemon.get("/api/v1/stats")["torrents"], 0);
    drop(answered);
    daemon.stop();
}

#[test]
fn a_client_that_reads_nothing_holds_up_no_one() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(1, 30_000_000));
    place.write("data/film.mp4", &noise(1, 30_000_000));
    let torrent = place.create("here/film.mp4", &[]);
    let daemon = Daemon::start(&place, &[]);
    let id = daemon.add(&torrent, "");
    while daemon.get(&format!("/api/v1/torrents/{id}"))["state"] != "seeding" {}
    let begun = daemon.memory();
    let slow: Vec<_> = (0..60)
        .map(|_| {
            let mut stream = TcpStream::connect(&daemon.addr).unwrap();
            let host = &daemon.addr;
            let request = format!("GET /stream/{id}/0 HTTP/1.1\r\nHost: {host}\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            // It has begun.
            let mut first = [0; 64 * 1024];
            stream.set_read_timeout(Some(HANGS_AFTER)).unwrap();
            stream.read_exact(&mut first).unwrap();
            stream
        })
        .collect();
    for _ in 0..20 {
        daemon.get("/api/v1/torrents");
    }
    // One that reads gets all of it meanwhile.
    let whole = daemon.send("GET", &format!("/stream/{id}/0"), "", b"");
    assert!(
        whole.body == noise(1, 30_000_000),
        "{} bytes",
        whole.body.len()
    );
    // 60 times the film would be 1.8 GB.
    let more = daemon.memory().saturating_sub(begun);
    assert!(more < 100_000_000, "{more} bytes");
    drop(slow);
    daemon.stop();
}

#[test]
fn two_clients_change_one_torrent_thousands_of_times_and_a_reader_that_sleeps_starts_over() {
    /// From each of two: 10 000 in all, more than twice what is kept.
    const CHANGES: usize = 5_000;
    let place = Place::new();
    place.write("here/film.mp4", &noise(1, 20_000));
    let torrent = place.create("here/film.mp4", &[]);
    let daemon = Daemon::start(&place, &[]);
    let id = daemon.add(&torrent, "paused=true");
    let path = format!("/api/v1/torrents/{id}");
    let newest = daemon.get("/api/v1/stats")["newest_event"]
        .as_u64()
        .unwrap();
    // It has begun, and reads nothing more while all that happens.
    let mut sleeping = Events::open(&daemon.addr, Some(newest));
    let begun = daemon.memory();
    thread::scope(|scope| {
        for client in 1..=2_u64 {
            let mut connection = daemon.keep();
            let path = path.as_str();
            scope.spawn(move || {
                for change in 0..CHANGES {
                    let limit = client * 1_000_000 + change as u64;
                    let body = json!({ "labels": [limit.to_string()], "download_limit": limit });
                    let answer = connection.send("PATCH", path, &body.to_string());
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            });
        }
    });
    // What a client has not read costs nothing.
    let more = daemon.memory().saturating_sub(begun);
    assert!(more < 20_000_000, "{more} bytes");
    // Each change is whole: no label of one with the limit of the other.
    let torrent = daemon.get(&path);
    let limit = torrent["download_limit"].as_u64().unwrap();
    assert_eq!(torrent["labels"], json!([limit.to_string()]));
    assert_eq!(limit % 1_000_000, CHANGES as u64 - 1, "{limit}");
    // One that comes back is told to start over, and goes on from there.
    let mut late = Events::open(&daemon.addr, Some(newest));
    let (_, name, _) = late.next();
    assert_eq!(name, "reset");
    let behind = daemon.get("/api/v1/stats")["newest_event"]
        .as_u64()
        .unwrap()
        - newest;
    assert!(behind >= 10_000, "{behind}");
    daemon.json("PATCH", &path, r#"{"sequential":true}"#);
    let (last, _) = late.next_named("changed");
    // So does one that slept: it gets what is in the buffers of its connection, and then the news or a reset.
    let mut at = 0;
    while at < last {
        let (id, _, _) = sleeping.next();
        assert!(id > at, "{id} after {at}");
        at = id;
    }
    daemon.stop();
}
