//! The UDP port that all protocols of a session share: receives datagrams and dispatches them by protocol.
//!
//! | first byte | protocol | what happens |
//! |---|---|---|
//! | `d`, which begins a bencoded dictionary | DHT (BEP 5) | waits for the node in a bounded queue; dropped without one |
//! | type 0 to 4 in the upper half, version 1 in the lower | uTP (BEP 29) | handed to its connection at once; dropped if the session speaks none |
//! | anything else | UDP trackers (BEP 15) | with a proxy, handed to whom asked, by its transaction id; otherwise dropped: the tracker client has a connected socket for each tracker, which tells it of ICMP errors |
//!
//! One task receives for all. A protocol that does not keep up loses datagrams, as it would in the system's buffer; it
//! does not hold up the others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use tailwater_utp::driver::{Receiver, UtpSocket};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "dht")]
use super::bootstrap_pings::{AwaitedPongs, BootstrapPings};
#[cfg(feature = "trackers")]
use super::tracker_datagrams::{TrackerDatagrams, TrackerResponses};
use super::udp_sockets::{PortBuffer, PortSockets, Turn};
use super::{Network, ProxyDialer, Relay, Uplink};
use crate::ip_filter::SharedFilter;

/// Datagrams that wait for the DHT node: a second's worth of the queries that it answers, at 1500 bytes 1.5 MB at most.
const DHT_QUEUE: usize = 1_024;

/// The pause after a receive that brought errors (ICMP) and no datagram. The system keeps what arrives meanwhile.
const PAUSE_AFTER_ERRORS: Duration = Duration::from_millis(10);

/// The pause before a port is tried again that could not be opened anew.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// How long connections over uTP have to end when the session closes; then they are reset.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// The protocol of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Dht,
    Utp,
    Tracker,
}

impl Protocol {
    /// The protocol, by the first byte; `None` for a datagram without one.
    fn of(payload: &[u8]) -> Option<Self> {
        const UTP_VERSION: u8 = 1;
        /// `ST_SYN`, the last one that BEP 29 has.
        const UTP_LAST_TYPE: u8 = 4;
        let &first = payload.first()?;
        // `d` is 0x64: as a uTP header its version would be 4, so that the two never collide.
        Some(match first {
            b'd' => Self::Dht,
            _ if first & 0x0f == UTP_VERSION && first >> 4 <= UTP_LAST_TYPE => Self::Utp,
            _ => Self::Tracker,
        })
    }
}

/// Counts received datagrams by protocol.
#[derive(Debug, Default)]
struct Counters {
    dht: AtomicU64,
    /// Datagrams of the DHT that were lost because its queue had no room.
    dht_lost: AtomicU64,
    /// Those from filtered addresses, which are dropped.
    dht_filtered: AtomicU64,
    utp: AtomicU64,
    other: AtomicU64,
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (dht, lost) = (of(&self.dht), of(&self.dht_lost));
        let filtered = of(&self.dht_filtered);
        let (utp, other) = (of(&self.utp), of(&self.other));
        write!(
            f,
            "DHT {dht} ({lost} lost, {filtered} filtered), uTP {utp}, other {other}"
        )
    }
}

/// A UDP port that is bound. [`UdpPort::run`] receives.
#[derive(Debug)]
pub(crate) struct UdpPort {
    sockets: Arc<PortSockets>,
    counters: Arc<Counters>,
    dht: Option<mpsc::Sender<(SocketAddr, Bytes)>>,
    /// Addresses that the DHT neither receives from nor sends to.
    filter: SharedFilter,
    utp: Option<Receiver>,
    #[cfg(feature = "trackers")]
    trackers: TrackerResponses,
    #[cfg(feature = "dht")]
    pongs: AwaitedPongs,
    link: Uplink,
}

/// The DHT's share of a port: its queue, and the sockets to send by.
#[derive(Debug)]
pub(crate) struct DhtShare {
    pub(super) sockets: Arc<PortSockets>,
    pub(super) filter: SharedFilter,
    pub(super) inbox: mpsc::Receiver<(SocketAddr, Bytes)>,
}

impl UdpPort {
    /// Binds a port: `addr`, or the one beside the listening port `beside` or else any other, or the first free one
    /// from 6881.
    ///
    /// # Errors
    ///
    /// When `addr` cannot be had.
    pub(crate) fn bind(
        network: &Network,
        addr: Option<SocketAddr>,
        beside: Option<SocketAddr>,
    ) -> io::Result<Self> {
        let bind = |addr| PortSockets::bind(network, addr);
        let sockets = match (addr, beside) {
            (Some(addr), _) => bind(Some(addr))?,
            // Another program has the datagrams of that port: any other is as good.
            (None, Some(beside)) => {
                let anywhere = SocketAddr::new(beside.ip(), 0);
                bind(Some(beside)).or_else(|_| bind(Some(anywhere)))?
            }
            (None, None) => bind(None)?,
        };
        Ok(Self::new(sockets, network.link()))
    }

    /// The relay of a proxy in place of a port.
    pub(crate) fn relayed(proxy: Arc<ProxyDialer>) -> Self {
        let relay = Arc::new(Relay::new(proxy));
        Self::new(PortSockets::Relayed(relay), Uplink::default())
    }

    fn new(sockets: PortSockets, link: Uplink) -> Self {
        Self {
            sockets: Arc::new(sockets),
            counters: Arc::default(),
            dht: None,
            filter: SharedFilter::default(),
            utp: None,
            #[cfg(feature = "trackers")]
            trackers: TrackerResponses::default(),
            #[cfg(feature = "dht")]
            pongs: AwaitedPongs::default(),
            link,
        }
    }

    /// The relay that stands for a port, if there is a proxy.
    pub(crate) fn relay(&self) -> Option<Arc<Relay>> {
        match &*self.sockets {
            PortSockets::Relayed(relay) => Some(Arc::clone(relay)),
            _ => None,
        }
    }

    /// UDP trackers are asked through it from now on.
    #[cfg(feature = "trackers")]
    pub(crate) fn take_trackers(&self) -> TrackerDatagrams {
        TrackerDatagrams::new(Arc::clone(&self.sockets), self.trackers.clone())
    }

    /// The DHT gets its datagrams from now on, but for those from filtered addresses.
    pub(crate) fn take_dht(&mut self, filter: SharedFilter) -> DhtShare {
        self.filter = filter.clone();
        let (sender, inbox) = mpsc::channel(DHT_QUEUE);
        self.dht = Some(sender);
        DhtShare {
            sockets: Arc::clone(&self.sockets),
            filter,
            inbox,
        }
    }

    /// Bootstrap nodes are found by their names from now on; `None` where a proxy need not do it.
    #[cfg(feature = "dht")]
    pub(crate) fn take_bootstrap(&self) -> Option<BootstrapPings> {
        self.relay()?;
        let sockets = Arc::clone(&self.sockets);
        Some(BootstrapPings::new(sockets, self.pongs.clone()))
    }

    /// Connections are made and accepted over uTP from now on.
    pub(crate) fn take_utp(&mut self, config: tailwater_utp::Config) -> UtpSocket {
        let sockets = Arc::clone(&self.sockets);
        let (socket, receiver) = UtpSocket::from_datagrams(sockets, config);
        self.utp = Some(receiver);
        socket
    }

    /// What its sockets are bound to.
    #[cfg(feature = "dht")]
    pub(crate) fn link(&self) -> Uplink {
        self.link.clone()
    }

    /// Where it receives; of two families, IPv4.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.sockets
            .local_addr(true)
            .or(self.sockets.local_addr(false))
    }

    /// Receives datagrams and hands them out until the session closes, and a moment longer for connections over uTP: they
    /// end with what has been written.
    pub(crate) async fn run(self, utp: Option<Arc<UtpSocket>>, closing: CancellationToken) {
        let ending = async {
            closing.cancelled().await;
            if let Some(utp) = &utp {
                let _ = tokio::time::timeout(CLOSE_WITHIN, utp.close()).await;
            }
        };
        let counters = Arc::clone(&self.counters);
        let relay = self.relay();
        #[cfg(feature = "trackers")]
        let trackers = self.trackers.clone();
        let relaying = async {
            if let Some(relay) = relay {
                relay.run().await;
                #[cfg(feature = "trackers")]
                trackers.end();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = ending => {}
            () = self.receive() => {}
            () = relaying => {}
        }
        if let Some(utp) = utp {
            utp.abort();
        }
        tracing::debug!("UDP port, datagrams received: {counters}");
    }

    async fn receive(mut self) {
        let mut buffer = PortBuffer::default();
        let sockets = Arc::clone(&self.sockets);
        let mut link = self.link.clone();
        loop {
            tokio::select! {
                () = sockets.readable() => {}
                () = link.changed() => {
                    reopen(&sockets).await;
                    continue;
                }
            }
            let turn = sockets.receive(&mut buffer, |from, run, len| self.hand_out(from, run, len));
            if let Some(utp) = &mut self.utp {
                utp.flush();
            }
            match turn {
                Turn::Drained => {}
                // While datagrams keep coming, no wait above makes way for other tasks: a flood would hold a thread of
                // the runtime, and the tasks that wait for that thread.
                Turn::More => tokio::task::yield_now().await,
                // An error that lasts must not keep a processor busy.
                Turn::Failed => tokio::time::sleep(PAUSE_AFTER_ERRORS).await,
            }
        }
    }

    /// Hands out datagrams of one sender, one behind the other, all but the last one `len` bytes long.
    fn hand_out(&mut self, from: SocketAddr, mut run: &[u8], len: usize) {
        while let Some(protocol) = Protocol::of(run) {
            let datagrams = run.chunks(len.max(1));
            let same = datagrams.take_while(|datagram| Protocol::of(datagram) == Some(protocol));
            let same = (same.count() * len.max(1)).min(run.len());
            let (ours, rest) = run.split_at(same);
            self.hand_to(protocol, from, ours, len.max(1));
            run = rest;
        }
    }

    fn hand_to(&mut self, protocol: Protocol, from: SocketAddr, run: &[u8], len: usize) {
        let count = run.len().div_ceil(len) as u64;
        let counter = match protocol {
            Protocol::Dht if self.filter.contains(from.ip()) => &self.counters.dht_filtered,
            Protocol::Dht => {
                for datagram in run.chunks(len) {
                    #[cfg(feature = "dht")]
                    self.pongs.hand_out(from, datagram);
                    let datagram = (from, Bytes::copy_from_slice(datagram));
                    let is_lost =
                        (self.dht.as_ref()).is_some_and(|queue| queue.try_send(datagram).is_err());
                    let lost = u64::from(is_lost);
                    self.counters.dht_lost.fetch_add(lost, Ordering::Relaxed);
                }
                &self.counters.dht
            }
            Protocol::Utp => {
                if let Some(utp) = &mut self.utp {
                    utp.handle(from, run, len);
                }
                &self.counters.utp
            }
            Protocol::Tracker => {
                #[cfg(feature = "trackers")]
                for datagram in run.chunks(len) {
                    self.trackers.hand_out(from, datagram);
                }
                &self.counters.other
            }
        };
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

/// Opens the port on the network interface as it is now, however often that takes.
async fn reopen(sockets: &PortSockets) {
    while let Err(error) = sockets.reopen() {
        let error = tailwater_types::system::message(&error);
        tracing::warn!("the UDP port cannot be opened: {error}");
        tokio::time::sleep(REOPEN_AFTER).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_network::MemoryNetwork;

    #[test]
    fn the_first_byte_tells_the_protocols_apart() {
        assert_eq!(Protocol::of(b""), None);
        assert_eq!(Protocol::of(b"d1:ad2:id20:"), Some(Protocol::Dht));
        for kind in 0..=4u8 {
            assert_eq!(Protocol::of(&[kind << 4 | 1, 0]), Some(Protocol::Utp));
        }
        // Another version, and a type that there is not.
        assert_eq!(Protocol::of(&[0x02]), Some(Protocol::Tracker));
        assert_eq!(Protocol::of(&[0x51]), Some(Protocol::Tracker));
        // The action of a tracker's answer is a number of four bytes.
        assert_eq!(Protocol::of(&[0, 0, 0, 1]), Some(Protocol::Tracker));
    }

    #[tokio::test]
    async fn the_node_gets_its_datagrams_and_no_others_and_a_full_queue_holds_up_nothing() {
        let network = MemoryNetwork::default();
        let ours = Network::Memory(network.host([10, 0, 0, 1]));
        let mut port = UdpPort::bind(&ours, None, None).unwrap();
        let mut dht = port.take_dht(SharedFilter::default());
        let to = SocketAddr::from(([10, 0, 0, 1], 6881));
        assert_eq!(port.local_addr(), Some(to));
        let other = network.host([10, 0, 0, 2]).datagrams(None).unwrap();
        let closing = CancellationToken::new();
        let counted = async {
            let sockets = Arc::clone(&port.sockets);
            let mut buffer = PortBuffer::default();
            while port.counters.other.load(Ordering::Relaxed) == 0 {
                sockets.readable().await;
                sockets.receive(&mut buffer, |from, run, len| port.hand_out(from, run, len));
            }
        };
        let sending = async {
            other.send_now(to, &[0x41, 0, 0]);
            for number in 0..DHT_QUEUE + 10 {
                other.send_now(to, format!("d{number}").as_bytes());
                tokio::task::yield_now().await;
            }
            other.send_now(to, b"\0\0\0\x03");
        };
        tokio::join!(counted, sending);
        assert_eq!(
            port.counters.to_string(),
            "DHT 1034 (10 lost, 0 filtered), uTP 1, other 1"
        );
        let first = dht.inbox.recv().await.unwrap();
        assert_eq!(first, (other.addr(), Bytes::from_static(b"d0")));

        closing.cancel();
        port.run(None, closing).await;
    }
    /// A run of datagrams of one sender is what the system returns with one call (GRO).
    #[tokio::test]
    async fn a_run_of_datagrams_is_divided_by_protocol() {
        let network = MemoryNetwork::default();
        let ours = Network::Memory(network.host([10, 0, 0, 1]));
        let mut port = UdpPort::bind(&ours, None, None).unwrap();
        let mut dht = port.take_dht(SharedFilter::default());
        let from = SocketAddr::from(([10, 0, 0, 2], 1));
        port.hand_out(from, b"d1e\x41aad2e\x21bb\x01c", 3);
        assert_eq!(
            port.counters.to_string(),
            "DHT 2 (0 lost, 0 filtered), uTP 3, other 0"
        );
        for datagram in [&b"d1e"[..], b"d2e"] {
            assert_eq!(dht.inbox.recv().await.unwrap().1, datagram);
        }
        port.hand_out(from, b"", 0);
        port.hand_out(from, b"d", 0);
        assert_eq!(
            port.counters.to_string(),
            "DHT 3 (0 lost, 0 filtered), uTP 3, other 0"
        );
    }

    #[tokio::test]
    async fn a_turn_ends_while_there_are_more_datagrams() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut port = UdpPort::bind(&Network::default(), Some(any), None).unwrap();
        let flood = tokio::net::UdpSocket::bind(any).await.unwrap();
        for _ in 0..100 {
            let sent = flood.send_to(b"\0\0\0\x03", port.local_addr().unwrap());
            assert_eq!(sent.await.unwrap(), 4);
        }
        let sockets = Arc::clone(&port.sockets);
        let mut buffer = PortBuffer::default();
        let mut turns = Vec::new();
        while turns.last() != Some(&Turn::Drained) {
            sockets.readable().await;
            turns
                .push(sockets.receive(&mut buffer, |from, run, len| port.hand_out(from, run, len)));
        }
        assert_eq!(turns, [Turn::More, Turn::Drained]);
        let others = port.counters.other.load(Ordering::Relaxed);
        assert_eq!(others, 100);
    }

    #[tokio::test]
    async fn the_node_neither_receives_from_nor_sends_to_a_filtered_address() {
        use tailwater_dht::{DatagramBatch, Datagrams as _};
        let network = MemoryNetwork::default();
        let ours = Network::Memory(network.host([10, 0, 0, 1]));
        let mut port = UdpPort::bind(&ours, None, None).unwrap();
        let filter = crate::ip_filter::IpFilter::parse(b"10.0.0.2\n").unwrap();
        let dht = port.take_dht(SharedFilter::new(filter));
        let dht = crate::transport::DhtDatagrams::from(dht);
        let [filtered, other] =
            [2, 3].map(|host| network.host([10, 0, 0, host]).datagrams(None).unwrap());
        for from in [&filtered, &other] {
            port.hand_out(from.addr(), b"d1e", 3);
            dht.send(from.addr(), b"d2e").await;
        }
        assert_eq!(
            port.counters.to_string(),
            "DHT 1 (0 lost, 1 filtered), uTP 0, other 0"
        );
        let mut batch = DatagramBatch::default();
        dht.receive(&mut batch).await;
        let senders: Vec<_> = batch.iter().map(|(from, _)| from).collect();
        assert_eq!(senders, [other.addr()]);
        let received = |datagrams: &crate::transport::memory::MemoryDatagrams| {
            let mut count = 0;
            datagrams.receive_all(|_, _| count += 1);
            count
        };
        assert_eq!((received(&filtered), received(&other)), (0, 1));
    }
}
