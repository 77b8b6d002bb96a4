//! The driver, over the loopback interface and over a network in memory.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use tailwater_utp::Config;
use tailwater_utp::driver::{Interest, UtpSocket, UtpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn socket(seed: u64) -> (UtpSocket, SocketAddr) {
    let socket = UtpSocket::bind(([127, 0, 0, 1], 0).into(), Config::new(seed)).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

async fn pair(ours: &UtpSocket, theirs: &UtpSocket, addr: SocketAddr) -> (UtpStream, UtpStream) {
    let (connected, accepted) = tokio::join!(ours.connect(addr), theirs.accept());
    (connected.unwrap(), accepted.unwrap())
}

fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| rng.u8(..)).take(len).collect()
}

/// Writes all and reads to the end, at the same time.
async fn exchange(stream: UtpStream, sent: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut received = Vec::new();
    let writing = async {
        writer.write_all(sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let reading = async { reader.read_to_end(&mut received).await.unwrap() };
    tokio::join!(writing, reading);
    received
}

#[tokio::test]
async fn bytes_go_both_ways_over_ipv4_and_ipv6() {
    let v6 = |seed| UtpSocket::bind((Ipv6Addr::LOCALHOST, 0).into(), Config::new(seed));
    let mut pairs = vec![(socket(1).0, socket(2).0)];
    if let (Ok(one), Ok(other)) = (v6(3), v6(4)) {
        pairs.push((one, other));
    }
    for (ours, theirs) in pairs {
        let addr = theirs.local_addr().unwrap();
        let (one, other) = pair(&ours, &theirs, addr).await;
        assert_eq!(one.peer_addr(), addr);
        assert_eq!(
            Some(other.peer_addr().port()),
            ours.local_addr().map(|addr| addr.port())
        );
        let (forth, back) = (bytes(5_000_000, 1), bytes(3_000_000, 2));
        let (got_back, got_forth) = tokio::join!(exchange(one, &forth), exchange(other, &back));
        assert!(got_forth == forth && got_back == back);
        tokio::join!(ours.close(), theirs.close());
    }
}

#[tokio::test]
async fn many_connections_of_one_socket_do_not_mix() {
    let (ours, _) = socket(1);
    let (theirs, addr) = socket(2);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40 {
        let (one, other) = pair(&ours, &theirs, addr).await;
        tasks.spawn(async move {
            let (forth, back) = (bytes(50_000, number), bytes(70_000, number + 1_000));
            let (got_back, got_forth) = tokio::join!(exchange(one, &forth), exchange(other, &back));
            assert!(got_forth == forth && got_back == back);
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome.unwrap();
    }
    tokio::join!(ours.close(), theirs.close());
}

#[tokio::test]
async fn a_reader_that_waits_stops_the_writer_and_loses_nothing() {
    let (ours, _) = socket(1);
    let (theirs, addr) = socket(2);
    let (one, other) = pair(&ours, &theirs, addr).await;
    let sent = bytes(20_000_000, 7);
    let mut written = 0;
    // As much as both buffers take.
    loop {
        match one.try_write_vectored(&[io::IoSlice::new(&sent[written..])]) {
            Ok(len) => written += len,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                let ready = one.ready(Interest::WRITABLE);
                if tokio::time::timeout(Duration::from_millis(300), ready)
                    .await
                    .is_err()
                {
                    break;
                }
            }
        }
    }
    assert!(written < 8_000_000, "{written}");
    let writing = async {
        let mut one = one;
        one.write_all(&sent[written..]).await.unwrap();
        one
    };
    let reading = async {
        let mut other = other;
        let mut received = vec![0; sent.len()];
        other.read_exact(&mut received).await.unwrap();
        (other, received)
    };
    let (_one, (_other, received)) = tokio::join!(writing, reading);
    assert!(received == sent);
}

#[tokio::test]
async fn a_dropped_stream_delivers_what_was_written_and_ends() {
    let (ours, _) = socket(1);
    let (theirs, addr) = socket(2);
    let (mut one, mut other) = pair(&ours, &theirs, addr).await;
    one.write_all(b"the last words").await.unwrap();
    drop(one);
    let mut received = Vec::new();
    other.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"the last words");
    drop(other);
    tokio::join!(ours.close(), theirs.close());
    assert_eq!(ours.connections(), 0);
}

#[tokio::test]
async fn a_closed_socket_ends_the_streams_of_others() {
    let (ours, _) = socket(1);
    let (theirs, addr) = socket(2);
    let (one, mut other) = pair(&ours, &theirs, addr).await;
    drop(ours);
    let error = other.read(&mut [0; 10]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let error = one
        .try_write_vectored(&[io::IoSlice::new(b"x")])
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_port_without_backlog_is_not_connected_to() {
    let (ours, _) = socket(1);
    let deaf = Config::new(2).backlog(0).unwrap();
    let deaf = UtpSocket::bind(([127, 0, 0, 1], 0).into(), deaf).unwrap();
    let connecting = ours.connect(deaf.local_addr().unwrap());
    let waited = tokio::time::timeout(Duration::from_millis(200), connecting).await;
    assert!(waited.is_err());
    assert_eq!(deaf.connections(), 0);
}

/// Both sides' buffers, as they are at first, would not hold so much.
#[tokio::test]
async fn buffers_grow_while_they_are_used() {
    use tailwater_utp::limits::{BASE_RECEIVE_BUFFER, BASE_SEND_BUFFER};
    let ((ours, _), (theirs, addr)) = (socket(1), socket(2));
    let (mut one, mut other) = pair(&ours, &theirs, addr).await;
    let sent = bytes(BASE_RECEIVE_BUFFER + BASE_SEND_BUFFER + 1_000_000, 1);
    // What the other side does not read waits there.
    let written = tokio::time::timeout(Duration::from_secs(20), one.write_all(&sent)).await;
    assert!(matches!(written, Ok(Ok(()))), "{:?}", other.stats());
    one.shutdown();
    let mut received = Vec::new();
    other.read_to_end(&mut received).await.unwrap();
    assert!(received == sent);
}
