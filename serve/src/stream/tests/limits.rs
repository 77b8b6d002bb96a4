//! Slow clients, many clients, clients that go.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::Served;
use super::client::raw;
use super::memory::{LEASE, Memory, content};
use crate::stream::limits::Limits;

/// More than all buffers of the system hold.
const LARGE: u64 = 1 << 30;
/// What waits in a connection is four leases, and the one that went over.
const FEW: usize = 5;
/// So short that a test can wait for it.
const SOON: Duration = Duration::from_millis(50);

const FILM: &[(&str, u64)] = &[("t/film.mp4", LARGE)];

#[tokio::test]
async fn an_unread_body_holds_few_leases() {
    let served = Served::files(FILM, Limits::default()).await;
    let mut client = served.client().await;
    let response = client.begin(Method::GET, "/0", &[]).await.unwrap();
    let mut body = response.into_body();
    let mut read = 0_u64;
    while read < 16 << 20 {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let start = read;
        read += u64::try_from(frame.len()).unwrap();
        assert_eq!(frame, content(0, start..read));
        assert!(
            served.memory.most_leases_held() <= FEW,
            "{}",
            served.memory.most_leases_held()
        );
    }
    // What was taken from the source is what was read, and what the system's buffers hold.
    let given = u64::try_from(served.memory.leases_given()).unwrap() * LEASE;
    assert!(given < LARGE / 4, "{given}");
    drop(body);
    served.memory.readers(0).await;
    assert_eq!(served.memory.leases_held(), 0);
}

#[tokio::test]
async fn a_client_that_goes_takes_its_reader_along() {
    let memory = Memory::dry(&[LARGE]);
    let served = Served::start(FILM, memory.clone(), Limits::default()).await;
    let mut client = served.client().await;
    // The headers come before there is any byte.
    let response = client.begin(Method::GET, "/0", &[]).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    memory.readers(1).await;
    drop((client, response));
    memory.readers(0).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let limits = Limits {
        stuck_for: SOON,
        ..Limits::default()
    };
    let served = Served::files(FILM, limits).await;
    let mut stream = TcpStream::connect(served.addr).await.unwrap();
    let request = format!("GET /0 HTTP/1.1\r\nHost: {}\r\n\r\n", served.addr);
    stream.write_all(request.as_bytes()).await.unwrap();
    served.memory.readers(1).await;
    served.memory.readers(0).await;
    let mut rest = Vec::new();
    // It ends, well or not, and not with the whole file.
    let _ = stream.read_to_end(&mut rest).await;
    assert!(u64::try_from(rest.len()).unwrap() < LARGE);
}

#[tokio::test]
async fn a_client_that_does_not_say_what_it_wants_is_dropped() {
    let limits = Limits {
        head_within: SOON,
        ..Limits::default()
    };
    let served = Served::files(FILM, limits).await;
    for beginning in ["", "GET /", "GET / HTTP/1.1\r\nHost: "] {
        let answer = raw(served.addr, beginning).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_head_is_bounded() {
    let served = Served::film().await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1_000));
    for request in [long, many] {
        let answer = raw(served.addr, &request).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn streams_are_bounded_and_come_back() {
    let limits = Limits {
        streams: 2,
        ..Limits::default()
    };
    let served = Served::files(FILM, limits).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut client = served.client().await;
        let response = client.begin(Method::GET, "/0", &[]).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        open.push((client, response));
    }
    let mut client = served.client().await;
    let busy = client.get("/0", &[("range", "bytes=0-1")]).await;
    assert_eq!(busy.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(busy.header("retry-after").parse::<u32>().is_ok());
    // What needs no reader goes on.
    assert_eq!(client.get("/stats", &[]).await.status, StatusCode::OK);
    open.pop();
    served.memory.readers(1).await;
    let again = client.get("/0", &[("range", "bytes=0-1")]).await;
    assert_eq!(again.status, StatusCode::PARTIAL_CONTENT);
}

/// A client that asks for the film and takes nothing of it.
async fn unread(served: &Served, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(served.addr).await.unwrap();
    let request = format!("GET /0 HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", served.addr);
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The status of the first answer to a part of the film that is not 503.
async fn admitted(served: &Served) -> StatusCode {
    loop {
        let mut client = served.client().await;
        let answer = client.get("/0", &[("range", "bytes=0-1")]).await;
        if answer.status != StatusCode::SERVICE_UNAVAILABLE {
            return answer.status;
        }
    }
}

#[tokio::test]
async fn clients_that_do_not_read_make_room_for_those_who_ask() {
    let mut limits = Limits::default();
    limits.patience.stalled_after = Duration::ZERO;
    let served = Served::files(FILM, limits).await;
    let mut held = Vec::new();
    for _ in 0..limits.streams {
        held.push(unread(&served, "").await);
    }
    served.memory.readers(limits.streams).await;
    assert_eq!(admitted(&served).await, StatusCode::PARTIAL_CONTENT);
    // The one that was displaced comes back in the same way, as a player does that was paused.
    let mut back = unread(&served, "Range: bytes=5-9\r\n").await;
    let mut status = [0; 12];
    back.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 206");
}

#[tokio::test]
async fn clients_that_read_keep_their_streams() {
    let mut limits = Limits {
        streams: 1,
        ..Limits::default()
    };
    limits.patience.stalled_after = Duration::ZERO;
    let memory = Memory::dry(&[LARGE]);
    let served = Served::start(FILM, memory, limits).await;
    // It waits for bytes, and would take them.
    let mut reading = served.client().await;
    let response = reading.begin(Method::GET, "/0", &[]).await.unwrap();
    let mut client = served.client().await;
    let busy = client.get("/0", &[]).await;
    assert_eq!(busy.status, StatusCode::SERVICE_UNAVAILABLE);
    drop(response);
}

#[tokio::test]
async fn clients_that_wait_in_vain_make_room() {
    let mut limits = Limits {
        streams: 1,
        ..Limits::default()
    };
    limits.patience.starved_after = Duration::ZERO;
    let memory = Memory::dry(&[LARGE]);
    let served = Served::start(FILM, memory, limits).await;
    let mut waiting = served.client().await;
    let response = waiting.begin(Method::GET, "/0", &[]).await.unwrap();
    let mut client = served.client().await;
    let second = client.begin(Method::GET, "/0", &[]).await.unwrap();
    assert_eq!(second.status(), StatusCode::OK);
    assert!(response.into_body().collect().await.is_err(), "displaced");
}

/// Other systems have one loopback address.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_cannot_keep_all_streams_from_another() {
    let limits = Limits {
        streams: 3,
        ..Limits::default()
    };
    let served = Served::start(FILM, Memory::dry(&[LARGE]), limits).await;
    let ask = async |from: &str| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(from.parse().unwrap()).unwrap();
        let mut stream = socket.connect(served.addr).await.unwrap();
        let request = format!("GET /0 HTTP/1.1\r\nHost: {}\r\n\r\n", served.addr);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        (String::from_utf8(status.into()).unwrap(), stream)
    };
    let (greedy, other) = ("127.0.0.2:0", "127.0.0.3:0");
    let mut held = Vec::new();
    // All of them wait for bytes, and none is idle.
    for (from, expected) in [
        (greedy, "HTTP/1.1 200"),
        (greedy, "HTTP/1.1 200"),
        (greedy, "HTTP/1.1 200"),
        (greedy, "HTTP/1.1 503"),
        (other, "HTTP/1.1 200"),
        (other, "HTTP/1.1 503"),
    ] {
        let (status, stream) = ask(from).await;
        assert_eq!(status, expected, "{from}, the {}th", held.len() + 1);
        held.push(stream);
    }
}

#[tokio::test]
async fn silent_connections_make_room() {
    let limits = Limits {
        connections: 8,
        ..Limits::default()
    };
    let served = Served::files(FILM, limits).await;
    let asked = format!("GET /stats HTTP/1.1\r\nHost: {}\r\n\r\n", served.addr);
    for beginning in ["", "GET / HTTP/1.1\r\nHost: ", &asked] {
        let mut held = Vec::new();
        for _ in 0..4 * limits.connections {
            let mut stream = TcpStream::connect(served.addr).await.unwrap();
            stream.write_all(beginning.as_bytes()).await.unwrap();
            if beginning == asked {
                stream.read_exact(&mut [0; 12]).await.unwrap();
            }
            held.push(stream);
        }
        let mut client = served.client().await;
        let answer = client.get("/0", &[("range", "bytes=0-1")]).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{beginning:?}");
        // The oldest have gone: this returns. The youngest has not.
        let _ = held[0].read_to_end(&mut Vec::new()).await;
        let youngest = held.last_mut().unwrap();
        if beginning.is_empty() {
            youngest.write_all(asked.as_bytes()).await.unwrap();
            let mut status = [0; 12];
            youngest.read_exact(&mut status).await.unwrap();
            assert_eq!(&status, b"HTTP/1.1 200");
        }
    }
}

#[tokio::test]
async fn connections_in_use_are_bounded_and_come_back() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let memory = Memory::dry(&[LARGE]);
    let served = Served::start(FILM, memory, limits).await;
    let mut first = served.client().await;
    let response = first.begin(Method::GET, "/0", &[]).await.unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        served.addr
    );
    assert_eq!(raw(served.addr, &request).await, "", "one too many");
    drop((first, response));
    // The server notices in its own time.
    while raw(served.addr, &request).await.is_empty() {}
}

#[tokio::test]
async fn heads_come_sooner_when_connections_are_short() {
    let limits = Limits {
        connections: 2,
        head_within: Duration::from_secs(3600),
        head_within_when_short: SOON,
        ..Limits::default()
    };
    let served = Served::files(FILM, limits).await;
    let mut first = TcpStream::connect(served.addr).await.unwrap();
    // It has the second of two places, and says nothing.
    let answer = raw(served.addr, "").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
        "{answer}"
    );
    let request = format!("GET /stats HTTP/1.1\r\nHost: {}\r\n\r\n", served.addr);
    first.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    first.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
}

#[tokio::test]
async fn however_often_the_numbers_are_asked_for_they_are_made_once() {
    let limits = Limits {
        stats_kept_for: Duration::from_secs(3600),
        ..Limits::default()
    };
    let served = Served::files(FILM, limits).await;
    let mut pages = [served.client().await, served.client().await];
    let mut said = Vec::new();
    for _ in 0..8 {
        for page in &mut pages {
            said.push(page.get("/stats", &[]).await.body);
        }
    }
    assert_eq!(served.memory.snapshots_made(), 1);
    assert!(said.iter().all(|json| *json == said[0] && !json.is_empty()));
}

#[tokio::test]
async fn the_end_is_the_end_of_everything() {
    let served = Served::files(FILM, Limits::default()).await;
    let mut reading = served.client().await;
    let response = reading.begin(Method::GET, "/0", &[]).await.unwrap();
    let mut idle = served.client().await;
    idle.get("/stats", &[]).await;
    let silent = TcpStream::connect(served.addr).await.unwrap();
    served.server.close().await;
    served.memory.readers(0).await;
    assert_eq!(served.memory.leases_held(), 0);
    assert!(
        response.into_body().collect().await.is_err(),
        "not a whole file"
    );
    assert!(idle.begin(Method::GET, "/stats", &[]).await.is_err());
    assert!(TcpStream::connect(served.addr).await.is_err());
    drop(silent);
    served.server.close().await;
}

#[tokio::test]
async fn subtitles_are_read_by_few_at_once() {
    let files = &[("t/film.mp4", LARGE), ("t/film.srt", 1_000)];
    let memory = Memory::dry(&[LARGE, 1_000]);
    let served = Served::start(files, memory.clone(), Limits::default()).await;
    let path = "/subtitles/1/film.vtt";
    let mut readers = Vec::new();
    for _ in 0..4 {
        let mut client = served.client().await;
        readers.push(tokio::spawn(async move { client.get(path, &[]).await }));
    }
    memory.readers(4).await;
    let answer = served.client().await.get(path, &[]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "2");
    // Those who go make room.
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    memory.readers(0).await;
}
