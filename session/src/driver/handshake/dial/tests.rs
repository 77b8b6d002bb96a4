//! The race of the transports, in tokio's simulated time, and what is remembered of it.

use std::net::IpAddr;

use tailwater_metainfo::{InfoHash, InfoHashV2, InfoHashes, PeerId};
use tailwater_wire::Reserved;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::driver::permits::{ConnectionPermits, DialLimit};
use crate::memory_network::{MemoryHost, MemoryNetwork};
use crate::transport::{Listener, Network, UdpPort};

const OURS: [u8; 4] = [203, 0, 113, 1];
const PEER: [u8; 4] = [203, 0, 113, 2];
const NEIGHBOUR: [u8; 4] = [192, 168, 0, 2];

fn ours() -> Ours {
    Ours {
        hashes: InfoHash::new([7; 20]).into(),
        peer_id: PeerId::new([1; 20]),
        reserved: Reserved::FAST,
    }
}

fn addr(host: [u8; 4]) -> SocketAddr {
    SocketAddr::new(IpAddr::from(host), 6881)
}

/// Dials in plain from a host, over uTP too if it has a port for it.
fn dialer(host: MemoryHost, transports: Transports, has_utp: bool) -> PeerDialer {
    let network = Network::Memory(host);
    let utp = has_utp.then(|| utp_socket(&network));
    let dialer = Dialer::new(network, None).with_utp(utp, None);
    let settings = HandshakeSettings::new(Encryption::Allow);
    PeerDialer::new(dialer, transports, settings, SharedFilter::default())
}

/// uTP on the first free port. It runs until the test ends.
fn utp_socket(network: &Network) -> Arc<tailwater_utp::driver::UtpSocket> {
    let mut port = UdpPort::bind(network, None, None).unwrap();
    let utp = Arc::new(port.take_utp(tailwater_utp::Config::new(1)));
    tokio::spawn(port.run(Some(Arc::clone(&utp)), CancellationToken::new()));
    utp
}

/// A peer that shakes hands with all callers over one transport. It is gone when this is aborted.
fn answer(mut listener: Listener) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (theirs, _) = receive(&mut stream, BytesMut::new()).await.unwrap();
            stream.write_all(&theirs.to_bytes()).await.unwrap();
            stream.ready(tokio::io::Interest::READABLE).await.unwrap();
        }
    })
}

fn answer_over_tcp(host: MemoryHost) -> JoinHandle<()> {
    answer(Network::Memory(host).listen(None).unwrap())
}

fn answer_over_utp(host: MemoryHost) -> JoinHandle<()> {
    let network = Network::Memory(host);
    answer(Listener::Utp(utp_socket(&network), network.link()))
}

/// Dials the peer once; which transport won, and after which time.
async fn dial(dialer: &PeerDialer) -> (Transport, Duration) {
    dial_host(dialer, PEER).await
}

async fn dial_host(dialer: &PeerDialer, host: [u8; 4]) -> (Transport, Duration) {
    let permits = ConnectionPermits::new(10, DialLimit::default());
    let permit = permits.try_acquire_incoming(IpAddr::from(host)).unwrap();
    let began = Instant::now();
    let peer = dialer.dial(addr(host), ours(), permit).await.unwrap();
    (peer.stream.transport(), began.elapsed())
}

/// Whether a time is this one; tokio's timers fire at whole milliseconds.
fn assert_after(found: Duration, expected: Duration) {
    let late = found.saturating_sub(expected);
    assert!(found >= expected && late.as_millis() <= 2, "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn tcp_is_used_when_utp_has_had_its_time_and_first_when_it_has_worked() {
    let network = MemoryNetwork::default();
    let dialer = dialer(network.host(OURS), Transports::Both, true);
    let over_tcp = answer_over_tcp(network.host(PEER));
    let (won, took) = dial(&dialer).await;
    assert_eq!(won, Transport::Tcp);
    assert_after(took, LEAST_GRACE);
    for _ in 0..2 {
        let (won, took) = dial(&dialer).await;
        assert_eq!(won, Transport::Tcp);
        assert_after(took, Duration::ZERO);
    }
    over_tcp.abort();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_has_both_gets_one_handshake_over_utp() {
    let network = MemoryNetwork::default();
    let dialer = dialer(network.host(OURS), Transports::Both, true);
    let mut over_tcp = Network::Memory(network.host(PEER)).listen(None).unwrap();
    let _over_utp = answer_over_utp(network.host(PEER));
    let (won, took) = dial(&dialer).await;
    assert_eq!(won, Transport::Utp);
    assert_after(took, Duration::ZERO);
    let (mut unused, _) = over_tcp.accept().await.unwrap();
    let received = receive(&mut unused, BytesMut::new()).await;
    assert!(matches!(received, Err(DialError::HungUp)), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_first_bytes_gets_them_over_tcp_and_changes_nothing_for_others() {
    let network = MemoryNetwork::default();
    let dialer = dialer(network.host(OURS), Transports::Both, true);
    let over_tcp = answer_over_tcp(network.host(PEER));
    let _over_utp = answer_over_utp(network.host(PEER));
    let (won, took) = dial(&dialer.tcp_first()).await;
    assert_eq!(won, Transport::Tcp);
    assert_after(took, Duration::ZERO);
    assert_eq!(dial(&dialer).await.0, Transport::Utp);
    over_tcp.abort();
    network.silent_host(PEER);
    let (won, took) = dial(&dialer.tcp_first()).await;
    assert_eq!(won, Transport::Utp);
    assert_after(took, HEAD_START);
}

#[tokio::test(start_paused = true)]
async fn a_peer_of_the_local_network_is_reached_over_tcp() {
    let network = MemoryNetwork::default();
    let dialer = dialer(network.host(OURS), Transports::Both, true);
    let _over_tcp = answer_over_tcp(network.host(NEIGHBOUR));
    let _over_utp = answer_over_utp(network.host(NEIGHBOUR));
    for _ in 0..2 {
        let (won, took) = dial_host(&dialer, NEIGHBOUR).await;
        assert_eq!(won, Transport::Tcp);
        assert_after(took, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn utp_is_tried_200_ms_after_a_tcp_that_worked_before_and_first_from_then_on() {
    let network = MemoryNetwork::default();
    let dialer = dialer(network.host(OURS), Transports::Both, true);
    let over_tcp = answer_over_tcp(network.host(PEER));
    assert_eq!(dial(&dialer).await.0, Transport::Tcp);
    over_tcp.abort();
    let _over_utp = answer_over_utp(network.host(PEER));
    // It takes no connection over TCP any more, and refuses none.
    network.silent_host(PEER);
    let (won, took) = dial(&dialer).await;
    assert_eq!(won, Transport::Utp);
    assert_after(took, HEAD_START);
    let (won, took) = dial(&dialer).await;
    assert_eq!(won, Transport::Utp);
    assert_after(took, Duration::ZERO);
    assert!(dialer.worked.lock().get(&addr(PEER)).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_fails_at_once_gives_the_other_its_head_start() {
    let network = MemoryNetwork::default();
    let dialer = dialer(network.host(OURS), Transports::Both, true);
    let over_tcp = answer_over_tcp(network.host(PEER));
    assert_eq!(dial(&dialer).await.0, Transport::Tcp);
    over_tcp.abort();
    while !over_tcp.is_finished() {
        tokio::task::yield_now().await;
    }
    let _over_utp = answer_over_utp(network.host(PEER));
    // TCP is remembered, and refused now.
    let (won, took) = dial(&dialer).await;
    assert_eq!(won, Transport::Utp);
    assert_after(took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_is_tried_first_anyway_takes_no_room() {
    // Where uTP cannot be dialled, TCP is no second choice.
    for (transports, has_utp) in [
        (Transports::Both, false),
        (Transports::Tcp, true),
        (Transports::Tcp, false),
    ] {
        let network = MemoryNetwork::default();
        let dialer = dialer(network.host(OURS), transports, has_utp);
        let _over_tcp = answer_over_tcp(network.host(PEER));
        let (won, took) = dial(&dialer).await;
        assert_eq!(won, Transport::Tcp);
        assert_after(took, Duration::ZERO);
        assert!(dialer.worked.lock().get(&addr(PEER)).is_none());
    }
    let network = MemoryNetwork::default();
    let dialer = dialer(network.host(OURS), Transports::Both, true);
    let _over_utp = answer_over_utp(network.host(PEER));
    assert_eq!(dial(&dialer).await.0, Transport::Utp);
    assert!(dialer.worked.lock().get(&addr(PEER)).is_none());
}

/// Answers encrypted handshakes as libtorrent 2.1 does: under the name that the encryption began with, with the v2 bit under
/// the v1 name. Of the names that it takes, each that it met is returned.
async fn stay_behind(mut listener: Listener, takes: Vec<InfoHash>, met: Arc<Mutex<Vec<InfoHash>>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let find = |wanted: &[u8; 20]| {
            let is_it = |name: &&InfoHash| tailwater_wire::mse::obfuscated(name) == *wanted;
            takes.iter().find(is_it).copied()
        };
        let policy = Encryption::Require;
        let secured = encrypted::respond(&mut stream, BytesMut::new(), policy, find).await;
        let Ok((name, secured)) = secured else {
            continue;
        };
        met.lock().push(name);
        let (mut theirs, _) = receive(&mut stream, secured.received).await.unwrap();
        theirs.reserved = match name == takes[0] {
            true => Reserved::FAST | Reserved::V2,
            false => Reserved::FAST,
        };
        stream.write_all(&theirs.to_bytes()).await.unwrap();
        tokio::spawn(async move {
            stream.ready(tokio::io::Interest::READABLE).await.unwrap();
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stays_under_the_v1_name_though_it_knows_v2_is_dialled_under_v2() {
    let hashes = InfoHashes {
        v1: Some(InfoHash::new([7; 20])),
        v2: Some(InfoHashV2::new([8; 32])),
    };
    let [v1, v2] = [InfoHash::new([7; 20]), InfoHash::new([8; 20])];
    let v1_alone = InfoHashes { v2: None, ..hashes };
    // What the peer takes, what we know of the torrent, whether we ask for hashes, and the names under which they meet; last
    // the one that is kept.
    for (takes, ours_of, asks_for_hashes, expected) in [
        (vec![v1, v2], hashes, true, vec![v1, v2]),
        (vec![v1], hashes, true, vec![v1, v1]),
        (vec![v1, v2], hashes, false, vec![v1]),
        (vec![v1, v2], v1_alone, true, vec![v1]),
    ] {
        let network = MemoryNetwork::default();
        let mut dialer = dialer(network.host(OURS), Transports::Tcp, false);
        dialer.settings = HandshakeSettings::new(Encryption::Require);
        dialer.asks_for_hashes = asks_for_hashes;
        let met = Arc::new(Mutex::new(Vec::new()));
        let listener = Network::Memory(network.host(PEER)).listen(None).unwrap();
        let peer = stay_behind(listener, takes, Arc::clone(&met));
        let peer = tokio::spawn(peer);
        let permits = ConnectionPermits::new(10, DialLimit::default());
        let permit = permits.try_acquire_incoming(IpAddr::from(PEER)).unwrap();
        let ours = Ours {
            hashes: ours_of,
            ..ours()
        };
        let dialled = dialer.dial(addr(PEER), ours, permit).await.unwrap();
        assert_eq!(dialled.v2, expected.last() == Some(&v2));
        assert_eq!(*met.lock(), expected);
        peer.abort();
    }
}
