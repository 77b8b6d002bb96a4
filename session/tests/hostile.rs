//! What hostile peers can do to a whole session over TCP: bounds in counts.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tailwater_hostile::peer::Leech;
use tailwater_hostile::tcp::{Bounds, Crowd, Dial};
use tailwater_hostile::{Content, Counts, Flood, Peer};
use tailwater_metainfo::{Creator, HostPort, InfoHash, Magnet, Metainfo, TorrentVersion};
use tailwater_session::{AddOptions, Session, StorageKind};
use tailwater_wire::{HashRequest, Hashes, Message, Reserved};

/// Nothing here takes a tenth of it; it ends a test that hangs.
const WATCHDOG: Duration = Duration::from_secs(60);
/// Bytes that all floods of a test send together at most.
const FLOODED: u64 = 8 << 20;

#[tokio::test]
async fn a_leech_gets_every_byte_from_a_seed_that_four_hosts_flood() {
    let content = Content::new(1, "file", 4_000_000, 16_384);
    let dir = tempfile::tempdir().unwrap();
    content.write_to(dir.path()).unwrap();
    let metainfo = Metainfo::from_bytes(&content.torrent(None)).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let session = Session::builder().listen(listen).start().unwrap();
    let options = AddOptions::new(StorageKind::Disk(dir.path().into())).announce(false);
    let torrent = session.add(&metainfo, options).await.unwrap();
    torrent.wait_complete().await.unwrap();
    let victim = session.listen_addr().unwrap();

    let bounds = Bounds {
        bytes: FLOODED,
        ..Bounds::lasting(WATCHDOG)
    };
    let crowd = Crowd::start(bounds).unwrap();
    let floods = [
        Flood::HaveAllAndNone,
        Flood::Interest,
        Flood::KeepAlive,
        Flood::Cancels,
    ];
    for (flood, number) in floods.into_iter().zip(1_u8..) {
        let portion = flood.portion(&content);
        let (content, again) = (content.clone(), Duration::from_millis(10));
        let dial = Dial::to(victim)
            .from([127, 1, 0, number])
            .again_after(again);
        let script = move || flood.peer_saying(&content, number.into(), portion.clone());
        crowd.dial(dial, script).unwrap();
    }
    let honest = Crowd::start(Bounds::lasting(WATCHDOG)).unwrap();
    let got = Arc::<Counts>::default();
    let leech = Leech::of(&content).counting(&got).stops_after(4_000_000);
    let dial = Dial::to(victim).from([127, 0, 0, 201]);
    honest
        .dial(dial, move || Peer::leech(&content, 1 << 40, leech.clone()))
        .unwrap();
    let whole = async {
        while honest.counts().ended() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(WATCHDOG, whole)
        .await
        .expect("the watchdog bit");
    assert!(got.payload() >= 4_000_000, "{got:?}");
    assert_eq!(got.corrupt(), 0);
    drop(crowd);
    tokio::time::timeout(WATCHDOG, session.close())
        .await
        .expect("the watchdog bit");
}

/// What is wrong with the hash messages of a hostile peer (BEP 52).
const BAD_HASHES: [&str; 4] = ["senseless", "unknown", "many", "unrequested"];

/// Hash messages: 10 000 requests of one kind, or an answer that was not asked for.
fn bad_hashes(kind: &str, root: [u8; 32]) -> Bytes {
    let sound = HashRequest {
        pieces_root: root,
        base_layer: 1,
        index: 0,
        length: 128,
        proof_layers: 6,
    };
    let odd = [
        // No such layer of hashes, no such hashes, no such proof.
        HashRequest {
            base_layer: 9,
            ..sound
        },
        HashRequest {
            base_layer: u32::MAX,
            ..sound
        },
        HashRequest { index: 1, ..sound },
        HashRequest {
            index: u32::MAX - 127,
            ..sound
        },
        HashRequest { length: 3, ..sound },
        HashRequest {
            length: 1 << 31,
            ..sound
        },
        HashRequest {
            proof_layers: u32::MAX,
            ..sound
        },
    ];
    let stranger = HashRequest {
        pieces_root: [7; 32],
        ..sound
    };
    let mut bytes = BytesMut::new();
    for number in 0..10_000 {
        let message = match kind {
            "senseless" => Message::HashRequest(Box::new(odd[number % odd.len()])),
            "unknown" => Message::HashRequest(Box::new(stranger)),
            "many" => Message::HashRequest(Box::new(sound)),
            _ => Message::Hashes(Box::new(Hashes {
                request: sound,
                hashes: Bytes::from(vec![1; 128 * 32]),
            })),
        };
        message.encode(&mut bytes);
        if kind == "unrequested" {
            break;
        }
    }
    bytes.freeze()
}

/// A v2 link is fetched, hashes, blocks and all, from a seed that is asked nonsense meanwhile.
#[tokio::test]
async fn bad_hash_messages_do_not_keep_a_link_from_being_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..4_000_000_u32)
        .map(|at| (at * 31 + (at >> 9)).to_be_bytes()[3])
        .collect();
    std::fs::write(dir.path().join("film"), &bytes).unwrap();
    let creator = Creator::new()
        .version(TorrentVersion::V2)
        .piece_length(32_768);
    let created = creator
        .create(&dir.path().join("film"), |_| ControlFlow::Continue(()))
        .unwrap();
    let metainfo = created.metainfo;
    let root = *metainfo.info().files()[0].pieces_root().unwrap().as_bytes();
    let v2 = metainfo.info().info_hashes().v2.unwrap();
    let name: InfoHash = v2.truncated();
    let listen = || "127.0.0.1:0".parse().unwrap();
    let session = Session::builder().listen(listen()).start().unwrap();
    let options = AddOptions::new(StorageKind::Disk(dir.path().into())).announce(false);
    let torrent = session.add(&metainfo, options).await.unwrap();
    torrent.wait_complete().await.unwrap();
    let victim = session.listen_addr().unwrap();

    let crowd = Crowd::start(Bounds {
        bytes: FLOODED,
        ..Bounds::lasting(WATCHDOG)
    })
    .unwrap();
    for (kind, number) in BAD_HASHES.into_iter().zip(1_u8..) {
        let messages = bad_hashes(kind, root);
        let dial = Dial::to(victim)
            .from([127, 1, 0, number])
            .again_after(Duration::from_millis(10));
        let reserved = Reserved::FAST | Reserved::EXTENSION_PROTOCOL | Reserved::V2;
        let script = move || Peer::of(name, number.into(), reserved).says_raw(messages.clone());
        crowd.dial(dial, script).unwrap();
    }
    let fetched = async {
        // Those that sent what was not asked for are hung up on, again and again.
        while crowd.counts().sent() < 1_000_000 || crowd.counts().ended() < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let honest = Session::builder().listen(listen()).start().unwrap();
        let mut magnet = Magnet::new(v2.into());
        let (host, port) = (victim.ip().to_string(), victim.port());
        magnet.peers.push(HostPort::new(&host, port).unwrap());
        let mut fetch = honest.fetch(&magnet);
        let metainfo = fetch.wait().await.unwrap();
        assert!(!metainfo.piece_layers().missing().is_empty());
        let options = AddOptions::new(StorageKind::Memory).announce(false);
        let options = options.peers(fetch.peers());
        let torrent = honest.add(&metainfo, options).await.unwrap();
        torrent.wait_complete().await.unwrap();
        assert_eq!(metainfo.piece_layers().missing(), []);
        honest.close().await;
    };
    tokio::time::timeout(WATCHDOG, fetched)
        .await
        .expect("the watchdog bit");
    drop(crowd);
    tokio::time::timeout(WATCHDOG, session.close())
        .await
        .expect("the watchdog bit");
}
