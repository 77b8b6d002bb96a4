//! The race of the transports, in tokio's simulated time, and what is remembered of it.

use std::net::IpAddr;

use tailwater_metainfo::{InfoHash, PeerId};
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
