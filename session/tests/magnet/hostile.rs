//! Many hostile peers beside one honest one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use tailwater_metainfo::{InfoHash, PeerId};
use tailwater_session::{AddOptions, Event, FetchError, StorageKind};
use tailwater_wire::{
    ExtensionHandshake, ExtensionId, ExtensionIds, Handshake, Message, MetadataMessage, Reserved,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::peers::{Manner, Peers, serve};
use crate::support::{LOOPBACK, session, within};
use crate::{magnet, share};

/// Forty peers of this machine that send false metadata so slowly that none of them ever counts as stalled.
const FORTY: [Manner; 40] = {
    let mut forty = [Manner::Dribbles; 40];
    let mut number = 0;
    while number < forty.len() {
        forty[number] = Manner::Misjudges;
        number += 2;
    }
    forty
};

/// What they may send until the honest peer has its turn. A fetch that waits for them takes a block from each of those that have a
/// slot every four seconds, for more than half a minute.
const BLOCKS_OF_LIARS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_slow_liars_that_a_link_names_do_not_keep_an_honest_peer_out() {
    let share = share();
    let liars = Peers::new(&share, &FORTY).await;
    let honest = Peers::new(&share, &[Manner::Honest]).await;
    // It names the honest one last.
    let addrs: Vec<_> = liars.addrs.iter().chain(&honest.addrs).copied().collect();
    let leecher = session();
    let mut fetch = leecher.fetch(&magnet(&share, &addrs));
    let metainfo = within(fetch.wait()).await.unwrap();
    assert_eq!(metainfo.info().raw(), share.metainfo.info().raw());
    assert_eq!(fetch.peers().first(), honest.addrs.first());
    assert!(liars.dribbled.load(Ordering::Relaxed) <= BLOCKS_OF_LIARS);
    within(leecher.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_slow_liars_that_call_do_not_keep_an_honest_caller_out() {
    let share = share();
    let hash = share.metainfo.info().info_hashes().v1.unwrap();
    let (seeder, leecher) = (session(), session());
    let addr = leecher.listen_addr().unwrap();
    let mut fetch = leecher.fetch(&magnet(&share, &[]));
    let mut liars = JoinSet::new();
    let dribbled = Arc::new(AtomicUsize::new(0));
    for manner in FORTY {
        let stream = TcpStream::connect(addr).await.unwrap();
        let info = share.metainfo.info().raw().to_vec();
        let dribbled = Arc::clone(&dribbled);
        liars.spawn(async move {
            let _ = serve(stream, manner, hash, &info, &dribbled).await;
        });
    }
    let connected = async { while fetch.changed().await.unwrap().peers_connected < 10 {} };
    within(connected).await;
    let options = AddOptions::new(StorageKind::Disk(share.dir.path().into()))
        .announce(false)
        .peers([addr]);
    seeder.add(&share.metainfo, options).await.unwrap();
    within(fetch.wait()).await.unwrap();
    let seeder_addr = seeder.listen_addr().unwrap();
    assert_eq!(fetch.peers().first(), Some(&seeder_addr));
    assert!(dribbled.load(Ordering::Relaxed) <= BLOCKS_OF_LIARS);
    for session in [&leecher, &seeder] {
        within(session.close()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_link_that_names_our_network_is_not_followed_there() {
    let share = share();
    let (inside, by_user) = (
        Peers::new(&share, &[Manner::Stalls]).await,
        Peers::new(&share, &[Manner::Honest]).await,
    );
    let leecher = session();
    let mut link = magnet(&share, &inside.addrs);
    // No tracker answers there, but it is a public address.
    link.trackers.push("udp://192.0.2.1:1".to_owned());
    let mut fetch = leecher.fetch(&link);
    // The user may name it, and that of the link is not even known.
    fetch.add_peers(by_user.addrs.clone()).await.unwrap();
    within(fetch.wait()).await.unwrap();
    assert_eq!(fetch.peers(), by_user.addrs);
    assert_eq!(fetch.progress().peers_known, 1);
    within(leecher.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_during_a_fetch_does_not_hold_up_its_end() {
    let share = share();
    let hash = share.metainfo.info().info_hashes().v1.unwrap();
    let leecher = session();
    let addr = leecher.listen_addr().unwrap();
    let mut fetch = leecher.fetch(&magnet(&share, &[]));
    let mut floods = JoinSet::new();
    for _ in 0..8 {
        floods.spawn(async move {
            // It ends when the session does.
            let _ = flood(addr, hash).await;
        });
    }
    let connected = async { while fetch.changed().await.unwrap().peers_connected < 8 {} };
    within(connected).await;
    within(leecher.close()).await;
    assert_eq!(within(fetch.wait()).await, Err(FetchError::Closed));
}

/// Calls, and sends extension handshakes, requests for metadata and keep-alives for as long as they are taken.
async fn flood(addr: SocketAddr, info_hash: InfoHash) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    let ours = Handshake {
        reserved: Reserved::EXTENSION_PROTOCOL,
        info_hash,
        peer_id: PeerId::new([b'f'; 20]),
    };
    stream.write_all(&ours.to_bytes()).await?;
    let mut bytes = BytesMut::new();
    for _ in 0..1_000 {
        let hello = ExtensionHandshake {
            extensions: ExtensionIds::ours([ExtensionId::UtMetadata]),
            metadata_size: Some(100_000),
            ..ExtensionHandshake::default()
        };
        let request = MetadataMessage::Request { piece: 0 };
        let id = ExtensionId::UtMetadata.as_u8();
        for (id, payload) in [(0, hello.encode()), (id, request.encode())] {
            let payload = payload.into();
            Message::Extended { id, payload }.encode(&mut bytes);
        }
        Message::KeepAlive.encode(&mut bytes);
    }
    loop {
        stream.write_all(&bytes).await?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_silent_hosts_that_a_tracker_names_do_not_keep_an_honest_peer_out() {
    let share = share();
    let silent = Peers::new(&share, &[Manner::Silent; 40]).await;
    let honest = Peers::new(&share, &[Manner::Honest]).await;
    let addrs: Vec<_> = silent.addrs.iter().chain(&honest.addrs).copied().collect();
    let tracker = TcpListener::bind(LOOPBACK).await.unwrap();
    let mut link = magnet(&share, &[]);
    let url = format!("http://{}/announce", tracker.local_addr().unwrap());
    link.trackers.push(url);
    let mut answering = JoinSet::new();
    answering.spawn(async move {
        while let Ok((stream, _)) = tracker.accept().await {
            // A client that hangs up is not our concern.
            let _ = name_peers(stream, &addrs).await;
        }
    });
    let leecher = session();
    let mut fetch = leecher.fetch(&link);
    within(fetch.wait()).await.unwrap();
    assert_eq!(fetch.peers().first(), honest.addrs.first());
    within(leecher.close()).await;
}

/// Answers an announce over HTTP with these peers.
async fn name_peers(mut stream: TcpStream, addrs: &[SocketAddr]) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let mut peers = Vec::new();
    for addr in addrs {
        peers.extend([127, 0, 0, 1]);
        peers.extend(addr.port().to_be_bytes());
    }
    let mut body = format!("d8:intervali1800e5:peers{}:", peers.len()).into_bytes();
    body.extend(peers);
    body.push(b'e');
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_fetch_banned_the_torrent_does_not_use_either() {
    let share = share();
    let leecher = session();
    let banned: IpAddr = [192, 0, 2, 7].into();
    let mut events = leecher.subscribe();
    let options = AddOptions::new(StorageKind::Memory).banned([banned]);
    leecher.add(&share.metainfo, options).await.unwrap();
    let told = async {
        while let Some(event) = events.next().await {
            if matches!(event, Event::Banned { origin, .. } if origin == banned.into()) {
                return;
            }
        }
    };
    within(told).await;
    within(leecher.close()).await;
}
