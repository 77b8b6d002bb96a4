//! Real multicast, on the loopback interface alone.

use std::net::Ipv4Addr;

use tailwater_metainfo::{InfoHash, PeerId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::*;
use crate::driver::registry::Reach;

/// An announce that no listener answers is repeated after 2 s; nothing here takes longer.
const WATCHDOG: Duration = Duration::from_secs(30);

/// A session as far as local discovery sees it.
struct Neighbour {
    registry: Arc<Registry>,
    /// The address that it announces; nothing listens there.
    addr: SocketAddr,
    closing: CancellationToken,
    tasks: JoinSet<()>,
}

impl Neighbour {
    fn new(port: u16) -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let registry = Arc::new(Registry::new(PeerId::new([1; 20])));
        let closing = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (seed, listen) = (fastrand::u64(..), Some(addr));
        let link = Uplink::default();
        tasks.spawn(run(
            Arc::clone(&registry),
            listen,
            seed,
            link,
            closing.clone(),
        ));
        Self {
            registry,
            addr,
            closing,
            tasks,
        }
    }

    /// What reaches the torrent comes out of the channel.
    fn add(&self, info_hash: InfoHash, reach: Reach) -> mpsc::Receiver<TorrentMessage> {
        let (messages_in, messages) = mpsc::channel(64);
        assert!(self.registry.insert(info_hash.into(), reach, messages_in));
        messages
    }

    async fn close(mut self) {
        self.closing.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no panic");
        }
    }
}

/// The next neighbour that is passed on to a torrent.
async fn heard(messages: &mut mpsc::Receiver<TorrentMessage>) -> Vec<SocketAddr> {
    let message = timeout(WATCHDOG, messages.recv()).await;
    match message.expect("the watchdog bit") {
        Some(TorrentMessage::Candidates(PeerSource::Local, addrs)) => addrs,
        _ => panic!("something else came"),
    }
}

/// An info-hash that no other test or program on this machine has.
fn unique_hash(first: u8) -> InfoHash {
    let mut bytes = [first; 20];
    fastrand::fill(&mut bytes[1..]);
    InfoHash::new(bytes)
}

#[tokio::test]
async fn neighbours_with_the_same_torrent_find_each_other() {
    let info_hash = unique_hash(1);
    let (one, other) = (Neighbour::new(1001), Neighbour::new(1002));
    let mut at_one = one.add(info_hash, Reach::Public);
    let mut at_other = other.add(info_hash, Reach::Public);
    assert_eq!(heard(&mut at_one).await, [other.addr]);
    assert_eq!(heard(&mut at_other).await, [one.addr]);
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_private_torrent_is_neither_announced_nor_found() {
    // Of two that are due, the lesser is announced first: a neighbour that got the witness would have got the other.
    let (private, witness) = (unique_hash(1), unique_hash(2));
    let (keeper, leaker) = (Neighbour::new(1003), Neighbour::new(1004));
    let mut kept = keeper.add(private, Reach::Private);
    // For this one it is public, so it does announce it, and would be told of others.
    let mut leaked = leaker.add(private, Reach::Public);
    let mut at_keeper = keeper.add(witness, Reach::Public);
    let mut at_leaker = leaker.add(witness, Reach::Public);
    assert_eq!(heard(&mut at_keeper).await, [leaker.addr]);
    assert_eq!(heard(&mut at_leaker).await, [keeper.addr]);
    assert!(kept.try_recv().is_err(), "a stranger named a peer");
    assert!(leaked.try_recv().is_err(), "it was announced");
    keeper.close().await;
    leaker.close().await;
}
