//! Encrypted connections (MSE) between whole sessions: which policies meet, and what a peer sees of ours.

use std::net::SocketAddr;

use bytes::BytesMut;
use tailwater_session::memory_network::{MemoryHost, MemoryListener};
use tailwater_session::torrent::Encrypted;
use tailwater_session::{AddOptions, Encryption, Session, StorageKind, Torrent};
use tailwater_wire::mse::is_plain_handshake;
use tokio::io::AsyncReadExt;

use crate::peers::Seed;
use crate::support::{Share, seed, within};
use crate::{FILES, close, configs};
use tailwater_session::memory_network::{MemoryConfig, MemoryNetwork};

fn session(host: MemoryHost, policy: Encryption) -> Session {
    let builder = Session::builder().memory_network(host);
    builder.encryption(policy).start().unwrap()
}

async fn add(session: &Session, share: &Share, peer: Option<SocketAddr>) -> Torrent {
    let options = AddOptions::new(StorageKind::Memory).peers(peer);
    session.add(&share.metainfo, options).await.unwrap()
}

/// How the connection of two sessions is encrypted: the first dials.
const fn met(dials: Encryption, answers: Encryption) -> Option<Encrypted> {
    use Encryption::{Allow, Off, Prefer, Require};
    Some(match (dials, answers) {
        (Off, Require) | (Require, Off) => return None,
        (Off, _) | (_, Off) | (Allow, Allow | Prefer) => Encrypted::Nothing,
        // The side that answers selects, and plaintext costs nothing.
        (_, Require) => Encrypted::Everything,
        _ => Encrypted::Handshake,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_pair_of_policies_meets_as_the_table_says() {
    for (number, config) in configs().into_iter().enumerate() {
        for dials in Encryption::ALL {
            for answers in Encryption::ALL {
                let Some(expected) = met(dials, answers) else {
                    continue;
                };
                let share = Share::new(number as u64, FILES, 32_768);
                let network = MemoryNetwork::new(config.clone());
                let origin = session(network.host([10, 0, 0, 1]), answers);
                let end = session(network.host([10, 0, 0, 2]), dials);
                let seeding = seed(&origin, &share).await;
                // While they look at each other, nothing comes: who has everything hangs up.
                end.set_download_limit(Some(1)).unwrap();
                let torrent = add(&end, &share, origin.listen_addr()).await;
                let kind = within(async {
                    loop {
                        if let Some(peer) = seeding.peers().await.unwrap().first() {
                            return peer.kind;
                        }
                        tokio::task::yield_now().await;
                    }
                })
                .await;
                assert_eq!(kind.encrypted, expected, "{dials} to {answers}");
                end.set_download_limit(None).unwrap();
                within(torrent.wait_complete()).await.unwrap();
                close([end, origin]).await;
            }
        }
    }
}

/// The first bytes of a connection, as far as they tell what it is; then it is closed.
async fn opening(listener: &mut MemoryListener) -> bool {
    let mut stream = listener.accept().await.unwrap();
    let mut received = BytesMut::new();
    loop {
        if let Some(is_plain) = is_plain_handshake(&received) {
            return is_plain;
        }
        assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handshake_that_the_policy_prefers_comes_first_and_the_other_after_a_hang_up() {
    use Encryption::{Allow, Off, Prefer, Require};
    for (policy, openings) in [
        (Off, [true, true]),
        (Allow, [true, false]),
        (Prefer, [false, true]),
        (Require, [false, false]),
    ] {
        let share = Share::new(5, FILES, 32_768);
        let network = MemoryNetwork::new(MemoryConfig::default());
        let mut listener = network.host([10, 0, 0, 1]).listen(None).unwrap();
        let end = session(network.host([10, 0, 0, 2]), policy);
        let _torrent = add(&end, &share, Some(listener.local_addr())).await;
        for is_plain in openings {
            let opened = within(opening(&mut listener)).await;
            assert_eq!(opened, is_plain, "{policy}");
        }
        close([end]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_peer_that_waits_in_silence_is_tried_in_plain_and_remembered() {
    let share = Share::new(6, &[("one.bin", 40_000)], 16_384);
    let network = MemoryNetwork::new(MemoryConfig::default());
    let mut listener = network.host([10, 0, 0, 1]).listen(None).unwrap();
    let end = session(network.host([10, 0, 0, 2]), Encryption::Prefer);
    let torrent = add(&end, &share, Some(listener.local_addr())).await;
    // It reads nothing, answers nothing and does not hang up.
    let _silent = within(listener.accept()).await.unwrap();
    let mut peer = Seed::greet(within(listener.accept()).await.unwrap(), &share).await;
    within(peer.serve(3)).await;
    within(torrent.wait_complete()).await.unwrap();
    drop(peer);
    // The next torrent of that address begins with what worked.
    let other = Share::new(7, FILES, 32_768);
    let _torrent = add(&end, &other, Some(listener.local_addr())).await;
    assert!(within(opening(&mut listener)).await);
    close([end]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_changed_holds_for_the_next_connection() {
    let share = Share::new(8, FILES, 32_768);
    let network = MemoryNetwork::new(MemoryConfig::default());
    let mut listener = network.host([10, 0, 0, 1]).listen(None).unwrap();
    let end = session(network.host([10, 0, 0, 2]), Encryption::Off);
    assert_eq!(end.encryption(), Encryption::Off);
    end.set_encryption(Encryption::Require);
    assert_eq!(end.encryption(), Encryption::Require);
    let _torrent = add(&end, &share, Some(listener.local_addr())).await;
    assert!(!within(opening(&mut listener)).await);
    close([end]).await;
}
