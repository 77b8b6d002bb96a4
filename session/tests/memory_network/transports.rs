//! Connections over TCP and uTP (BEP 29) between whole sessions.

use tailwater_session::memory_network::{MemoryConfig, MemoryHost, MemoryNetwork};
use tailwater_session::torrent::{Encrypted, Transport};
use tailwater_session::{AddOptions, Encryption, Session, StorageKind, Torrent, Transports};
use tempfile::TempDir;

use crate::support::{Share, seed, within};
use crate::{FILES, close};

fn session(host: MemoryHost, transports: Transports, policy: Encryption) -> Session {
    let builder = Session::builder().memory_network(host);
    let builder = builder.transports(transports).encryption(policy);
    builder.start().unwrap()
}

/// How a seed's only peer is connected.
async fn kind(seeding: &Torrent) -> (Transport, Encrypted) {
    within(async {
        loop {
            if let Some(peer) = seeding.peers().await.unwrap().first() {
                return (peer.kind.transport, peer.kind.encrypted);
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_pair_of_transports_meets_over_what_both_have() {
    use Transports::{Both, Tcp, Utp};
    for (dials, answers, expected) in [
        // These hosts are of one local network.
        (Both, Both, Transport::Tcp),
        (Both, Utp, Transport::Utp),
        (Utp, Both, Transport::Utp),
        (Utp, Utp, Transport::Utp),
        (Both, Tcp, Transport::Tcp),
        (Tcp, Both, Transport::Tcp),
        (Tcp, Tcp, Transport::Tcp),
    ] {
        let share = Share::new(11, FILES, 32_768);
        let network = MemoryNetwork::new(MemoryConfig::default());
        let origin = session(network.host([10, 0, 0, 1]), answers, Encryption::Prefer);
        let end = session(network.host([10, 0, 0, 2]), dials, Encryption::Prefer);
        let seeding = seed(&origin, &share).await;
        // While they look at each other, nothing comes: who has everything hangs up.
        end.set_download_limit(Some(1)).unwrap();
        let target = TempDir::new().unwrap();
        let options =
            AddOptions::new(StorageKind::Disk(target.path().into())).peers(origin.listen_addr());
        let torrent = end.add(&share.metainfo, options).await.unwrap();
        let (transport, _) = kind(&seeding).await;
        assert_eq!(transport, expected, "{dials} to {answers}");
        let stats = seeding.stats();
        end.set_download_limit(None).unwrap();
        within(torrent.wait_complete()).await.unwrap();
        close([end, origin]).await;
        share.assert_same(target.path());
        assert!(stats.utp_peers <= 1);
    }
}

#[tokio::test]
async fn with_utp_alone_nothing_is_accepted_over_tcp() {
    for (transports, accepts) in [(Transports::Utp, false), (Transports::Both, true)] {
        let builder = Session::builder().listen("127.0.0.1:0".parse().unwrap());
        let session = builder.transports(transports).start().unwrap();
        let addr = session.listen_addr().unwrap();
        let connected = tokio::net::TcpStream::connect(addr).await;
        assert_eq!(connected.is_ok(), accepts, "{transports}");
        session.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_may_be_encrypted_over_utp_too() {
    let share = Share::new(12, FILES, 16_384);
    let network = MemoryNetwork::new(MemoryConfig::default());
    let host = |number| network.host([10, 0, 0, number]);
    let origin = session(host(1), Transports::Utp, Encryption::Require);
    let end = session(host(2), Transports::Utp, Encryption::Require);
    let seeding = seed(&origin, &share).await;
    end.set_download_limit(Some(1)).unwrap();
    let options = AddOptions::new(StorageKind::Memory).peers(origin.listen_addr());
    let torrent = end.add(&share.metainfo, options).await.unwrap();
    assert_eq!(
        kind(&seeding).await,
        (Transport::Utp, Encrypted::Everything)
    );
    end.set_download_limit(None).unwrap();
    within(torrent.wait_complete()).await.unwrap();
    close([end, origin]).await;
}
