//! The limit on the connections of a whole session: it holds, torrents share it, and none waits for ever.

#![expect(clippy::unwrap_used, reason = "what cannot go wrong in a test ends it")]

mod support;

use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;

use socket2::SockRef;
use support::{LOOPBACK, Share, seed, session, within};
use tailwater_metainfo::{HostPort, InfoHash, Magnet, PeerId};
use tailwater_session::RemoveOptions;
use tailwater_session::{AddOptions, Encryption, Session, StorageKind, Torrent};
use tailwater_wire::limits::HANDSHAKE_LEN;
use tailwater_wire::{Handshake, Reserved};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Peers of any torrent that shake hands, say nothing more and never hang up.
struct Crowd {
    addrs: Vec<SocketAddr>,
    arrivals: mpsc::Receiver<(InfoHash, TcpStream)>,
    connected: Vec<(InfoHash, TcpStream)>,
    _tasks: JoinSet<()>,
}

impl Crowd {
    async fn new(size: u8) -> Self {
        let (mut addrs, mut tasks) = (Vec::new(), JoinSet::new());
        let (arrivals_in, arrivals) = mpsc::channel(100);
        for number in 0..size {
            let listener = TcpListener::bind(LOOPBACK).await.unwrap();
            addrs.push(listener.local_addr().unwrap());
            let arrivals_in = arrivals_in.clone();
            tasks.spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    // A dial that was given up may be accepted here all the same.
                    if let Ok(arrival) = greet(stream, PeerId::new([number; 20])).await {
                        arrivals_in.send(arrival).await.unwrap();
                    }
                }
            });
        }
        Self {
            addrs,
            arrivals,
            connected: Vec::new(),
            _tasks: tasks,
        }
    }

    /// Waits for the next connection, and says for which torrent.
    async fn arrival(&mut self) -> InfoHash {
        let arrival = within(self.arrivals.recv()).await.unwrap();
        self.connected.push(arrival);
        self.connected.last().unwrap().0
    }

    /// The connections that stand.
    fn alive(&mut self) -> usize {
        self.connected.retain(|(_, stream)| !is_over(stream));
        self.connected.len()
    }

    /// Waits until there are `connections` of them; further ones would never go by themselves.
    async fn settle(&mut self, connections: usize) {
        let settled = async {
            while self.alive() != connections {
                tokio::task::yield_now().await;
            }
        };
        within(settled).await;
    }
}

async fn greet(mut stream: TcpStream, peer_id: PeerId) -> io::Result<(InfoHash, TcpStream)> {
    let mut received = [0; HANDSHAKE_LEN];
    stream.read_exact(&mut received).await?;
    let theirs = Handshake::decode(&mut received.as_slice().into()).unwrap();
    let theirs = theirs.unwrap();
    let ours = Handshake {
        reserved: Reserved::EXTENSION_PROTOCOL,
        peer_id,
        ..theirs
    };
    stream.write_all(&ours.to_bytes()).await?;
    Ok((theirs.info_hash, stream))
}

/// Whether the other side has hung up, as the kernel knows: the runtime may not have heard yet.
fn is_over(stream: &TcpStream) -> bool {
    let socket = SockRef::from(stream);
    let mut ignored = [0; 4_096];
    loop {
        match (&*socket).read(&mut ignored) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

fn limited(connections: usize) -> Session {
    let builder = Session::builder().listen(LOOPBACK);
    // The crowd speaks nothing else than plain.
    let builder = builder.encryption(Encryption::Allow);
    builder.max_connections(connections).start().unwrap()
}

async fn add(session: &Session, share: &Share, peers: &[SocketAddr]) -> Torrent {
    let options = AddOptions::new(StorageKind::Memory).peers(peers.iter().copied());
    session.add(&share.metainfo, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torrent_that_comes_late_gets_its_share_and_both_complete() {
    let shares = [1, 2].map(|seed| Share::new(seed, &[("file", 300_000)], 65_536));
    let origin = session();
    for share in &shares {
        seed(&origin, share).await;
    }
    let mut crowd = Crowd::new(6).await;
    let limited = limited(4);
    let early = add(&limited, &shares[0], &crowd.addrs).await;
    for _ in 0..4 {
        assert_eq!(crowd.arrival().await, early.info_hash());
    }
    crowd.settle(4).await;

    // Every permit is taken by peers that never go: only if the first torrent disconnects them, the second gets any.
    let late = add(&limited, &shares[1], &crowd.addrs).await;
    for _ in 0..2 {
        assert_eq!(crowd.arrival().await, late.info_hash());
        crowd.settle(4).await;
    }
    let of_late = crowd.connected.iter();
    let of_late = of_late.filter(|(info_hash, _)| *info_hash == late.info_hash());
    assert_eq!(of_late.count(), 2);

    // There is no place for a caller either.
    let mut caller = TcpStream::connect(limited.listen_addr().unwrap())
        .await
        .unwrap();
    assert_eq!(within(caller.read(&mut [0; 1])).await.unwrap(), 0);

    // The crowd disconnects, and its permits go to the peers that have the data.
    drop(crowd);
    for torrent in [&early, &late] {
        let origin = origin.listen_addr().into_iter().collect();
        torrent.add_peers(origin).await.unwrap();
    }
    for torrent in [&early, &late] {
        within(torrent.wait_complete()).await.unwrap();
    }
    within(limited.close()).await;
    within(origin.close()).await;
}

fn magnet(share: &Share, peers: &[SocketAddr]) -> Magnet {
    let mut magnet = Magnet::new(share.metainfo.info().info_hashes());
    let named = |peer: &SocketAddr| HostPort::new(&peer.ip().to_string(), peer.port()).unwrap();
    magnet.peers.extend(peers.iter().map(named));
    magnet
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetches_of_metadata_are_among_those_who_share() {
    let shares = [3, 4].map(|seed| Share::new(seed, &[("file", 100_000)], 65_536));
    let mut crowd = Crowd::new(3).await;
    let limited = limited(2);
    let torrent = add(&limited, &shares[0], &crowd.addrs).await;
    for _ in 0..2 {
        assert_eq!(crowd.arrival().await, torrent.info_hash());
    }
    let fetch = limited.fetch(&magnet(&shares[1], &crowd.addrs));
    assert_eq!(crowd.arrival().await, fetch.info_hash());
    crowd.settle(2).await;
    // What it had goes to the torrent, though its own dials may be quicker than the end of the fetch.
    drop(fetch);
    while crowd.arrival().await != torrent.info_hash() {}
    crowd.settle(2).await;
    within(limited.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_connection_holds_up_no_close() {
    let shares = [5, 6, 7].map(|seed| Share::new(seed, &[("file", 100_000)], 65_536));
    let mut crowd = Crowd::new(3).await;
    let limited = limited(1);
    let torrent = add(&limited, &shares[0], &crowd.addrs).await;
    assert_eq!(crowd.arrival().await, torrent.info_hash());
    let waiting = add(&limited, &shares[1], &crowd.addrs).await;
    let fetch = limited.fetch(&magnet(&shares[2], &crowd.addrs));
    within(waiting.remove(RemoveOptions::default()))
        .await
        .unwrap();
    drop(fetch);
    let others = add(&limited, &shares[1], &crowd.addrs).await;
    within(limited.close()).await;
    crowd.settle(0).await;
    assert_eq!(
        [waiting, others].map(|torrent| torrent.stats().peers),
        [0; 2]
    );
}
