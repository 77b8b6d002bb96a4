//! The relay of a SOCKS5 proxy (UDP ASSOCIATE, RFC 1928 section 7): datagrams of the session go to it, each with a header
//! that names the real address.
//!
//! ```text
//! Pending ──▶ Up ──▶ Pending: the control connection ended, a new one is tried after a pause
//!    └──────▶ Refused: the proxy carries no UDP, now and later
//! ```
//!
//! The relay lives for as long as its control connection. While there is none, the first datagrams wait, and further
//! ones are lost.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tailwater_types::address::Scope;
use tailwater_types::pacing::Backoff;
use tailwater_utp::Transmit;
use tailwater_utp::driver::{Datagrams, ReceiveBuffer, UdpDatagrams};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::socks5::{self, Address};
use super::{ProxyDialer, ProxyError};

/// The longest time to reach the proxy and to be given a relay.
const ASSOCIATE_WITHIN: Duration = Duration::from_secs(15);
/// The pause before a relay is asked for again.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));
/// Datagrams that wait for the relay: the first queries of the DHT, of trackers and to peers.
const MAX_EARLY: usize = 64;
/// Datagrams to one address that are sent with one call: with their headers they stay below what the system takes.
const MAX_SEGMENTS: usize = 32;
/// Bytes read at once from the control connection, on which nothing is to be said.
const CONTROL_READ: usize = 256;

/// The relay, or the wait for one.
#[derive(Debug)]
pub(crate) struct Relay {
    dialer: Arc<ProxyDialer>,
    state: watch::Sender<State>,
    /// Whole datagrams that wait for the relay.
    early: Mutex<Vec<Vec<u8>>>,
    /// Waits for room in the system's buffer, perhaps of a socket that has gone since.
    sender: Mutex<Option<Waker>>,
}

#[derive(Clone, Debug)]
enum State {
    Pending,
    Up(Arc<Association>),
    Refused,
}

/// A relay that the proxy has given us.
#[derive(Debug)]
struct Association {
    socket: UdpDatagrams,
    relay: SocketAddr,
}

impl Relay {
    pub(in crate::transport) fn new(dialer: Arc<ProxyDialer>) -> Self {
        Self {
            dialer,
            state: watch::Sender::new(State::Pending),
            early: Mutex::default(),
            sender: Mutex::default(),
        }
    }

    /// Whether datagrams go through it, or may do so soon.
    pub(in crate::transport) fn may_carry(&self) -> bool {
        !matches!(*self.state.borrow(), State::Refused)
    }

    /// Has a relay whenever there can be one; returns when the proxy has refused for good.
    pub(in crate::transport) async fn run(&self) {
        let mut backoff = BACKOFF;
        let mut is_told = false;
        loop {
            let error = self.hold(&mut backoff).await;
            if is_lasting(&error) {
                self.enter(State::Refused);
                self.early.lock().clear();
                return tracing::warn!("no uTP, no DHT and no UDP trackers: {error}");
            }
            self.enter(State::Pending);
            match std::mem::replace(&mut is_told, true) {
                false => tracing::warn!("no uTP, no DHT and no UDP trackers for now: {error}"),
                true => tracing::debug!("no relay for datagrams: {error}"),
            }
            sleep(backoff.next_pause()).await;
        }
    }

    fn enter(&self, state: State) {
        self.state.send_replace(state);
        if let Some(waker) = self.sender.lock().take() {
            waker.wake();
        }
    }

    /// Asks for a relay and uses it for as long as its control connection lasts. Returns why it ended.
    async fn hold(&self, backoff: &mut Backoff) -> ProxyError {
        let associated = timeout(ASSOCIATE_WITHIN, self.dialer.associate()).await;
        let (mut control, relay) = match associated {
            Ok(Ok(associated)) => associated,
            Ok(Err(error)) => return error,
            Err(_) => return io::Error::from(io::ErrorKind::TimedOut).into(),
        };
        let opened = control
            .local_addr()
            .and_then(|local| UdpDatagrams::bind((local.ip(), 0).into()));
        let socket = match opened {
            Ok(socket) => socket,
            Err(error) => return error.into(),
        };
        tracing::debug!(%relay, "datagrams go through the proxy");
        backoff.reset();
        let early = std::mem::take(&mut *self.early.lock());
        for datagram in early {
            // One that is lost here could have been lost later.
            let _ = socket.send_to(relay, &datagram).await;
        }
        self.enter(State::Up(Arc::new(Association { socket, relay })));
        ended(&mut control).await
    }

    fn up(&self) -> Option<Arc<Association>> {
        match &*self.state.borrow() {
            State::Up(association) => Some(Arc::clone(association)),
            State::Pending | State::Refused => None,
        }
    }

    /// Waits until something can be received.
    pub(in crate::transport) async fn readable(&self) {
        let mut state = self.state.subscribe();
        loop {
            let up = self.up();
            let readable = async {
                match &up {
                    // Failed: the runtime shuts down, and there will be no more.
                    Some(up) if up.socket.readable().await.is_ok() => {}
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = readable => return,
                // The sender lives as long as this.
                _ = state.changed() => {}
            }
        }
    }

    /// Receives what one call of the system returns: the real sender of each datagram, and its payload. What does not come
    /// from the relay, or makes no sense, is dropped.
    ///
    /// # Errors
    ///
    /// Those of the system, also such as tell of an earlier datagram.
    pub(in crate::transport) fn try_receive(
        &self,
        buffer: &mut ReceiveBuffer,
        mut handle: impl FnMut(SocketAddr, &[u8]),
    ) -> io::Result<()> {
        let Some(up) = self.up() else {
            return Ok(());
        };
        up.socket.try_receive(buffer, |from, run, len| {
            if SocketAddr::new(from.ip().to_canonical(), from.port()) != up.relay {
                return;
            }
            for datagram in run.chunks(len.max(1)) {
                if let Some((from, payload)) = socks5::split_datagram(datagram) {
                    handle(from, payload);
                }
            }
        })
    }

    /// Sends one datagram, or loses it.
    pub(in crate::transport) async fn send(&self, to: SocketAddr, payload: &[u8]) {
        let mut datagram = Vec::with_capacity(payload.len() + socks5::MAX_HEADER_LEN);
        socks5::put_datagram_header(&mut datagram, to);
        datagram.extend(payload);
        match self.up() {
            Some(up) => {
                let _ = up.socket.send_to(up.relay, &datagram).await;
            }
            None => self.keep(datagram),
        }
    }

    /// Sends one datagram now to a host that the proxy resolves, or loses it.
    pub(in crate::transport) fn send_named(&self, host: &str, port: u16, payload: &[u8]) {
        let mut datagram = Vec::new();
        if socks5::put_named_datagram_header(&mut datagram, host, port).is_some() {
            datagram.extend(payload);
            self.send_whole(datagram);
        }
    }

    fn send_whole(&self, datagram: Vec<u8>) {
        match self.up() {
            Some(up) => {
                let _ = up
                    .socket
                    .try_send(&Transmit::new(up.relay, &datagram, datagram.len()));
            }
            None => self.keep(datagram),
        }
    }

    fn keep(&self, datagram: Vec<u8>) {
        let mut early = self.early.lock();
        if early.len() < MAX_EARLY && self.may_carry() {
            early.push(datagram);
        }
    }
}

impl Datagrams for Relay {
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let mut header = Vec::with_capacity(socks5::MAX_HEADER_LEN);
        socks5::put_datagram_header(&mut header, transmit.destination);
        let Some(up) = self.up() else {
            for datagram in transmit.datagrams() {
                self.keep([&header, datagram].concat());
            }
            return Ok(());
        };
        let count = transmit
            .contents
            .len()
            .div_ceil(transmit.segment_len.max(1));
        let mut contents = Vec::with_capacity(transmit.contents.len() + count * header.len());
        for datagram in transmit.datagrams() {
            contents.extend_from_slice(&header);
            contents.extend_from_slice(datagram);
        }
        let len = transmit.segment_len + header.len();
        let relayed = Transmit::new(up.relay, &contents, len);
        up.socket
            .try_send(&relayed.with_dont_fragment(transmit.dont_fragment))
    }

    fn poll_send_ready(&self, context: &mut Context<'_>, _: SocketAddr) -> Poll<io::Result<()>> {
        // Before the state is looked at: a change that comes between wakes this task.
        *self.sender.lock() = Some(context.waker().clone());
        match self.up() {
            Some(up) => up.socket.poll_send_ready(context, up.relay),
            None => Poll::Ready(Ok(())),
        }
    }

    fn max_segments(&self) -> usize {
        self.up()
            .map_or(1, |up| up.socket.max_segments().min(MAX_SEGMENTS))
    }
}

/// Waits until the control connection ends. What the proxy says on it means nothing.
async fn ended(control: &mut TcpStream) -> ProxyError {
    let mut said = [0; CONTROL_READ];
    loop {
        match control.read(&mut said).await {
            Ok(0) => return ProxyError::Closed,
            Ok(_) => {}
            Err(error) => return error.into(),
        }
    }
}

/// Whether asking again would be of no use.
const fn is_lasting(error: &ProxyError) -> bool {
    const NOT_ALLOWED: u8 = 2;
    const COMMAND_NOT_SUPPORTED: u8 = 7;
    matches!(
        error,
        ProxyError::Refused(NOT_ALLOWED | COMMAND_NOT_SUPPORTED)
            | ProxyError::CredentialsNeeded
            | ProxyError::CredentialsRefused
    )
}

/// Where datagrams go, by the proxy's reply. A proxy that does not say an address means its own. One that names an address
/// nearer to us than its own, such as one of our local network, may not have us send there, and means its own too.
pub(super) fn relay_at(bound: &Address, proxy: SocketAddr) -> SocketAddr {
    let proxy_ip = proxy.ip().to_canonical();
    match bound {
        Address::Name(port) => SocketAddr::new(proxy_ip, *port),
        Address::Ip(addr) => {
            let ip = addr.ip().to_canonical();
            // The nearer, the greater.
            let is_usable = is_specified(ip) && Scope::of(ip) <= Scope::of(proxy_ip);
            SocketAddr::new(if is_usable { ip } else { proxy_ip }, addr.port())
        }
    }
}

fn is_specified(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relay_is_the_proxy_itself_unless_it_may_be_elsewhere() {
        let at = |bound: &str, proxy: &str| {
            let bound = Address::Ip(bound.parse().unwrap());
            relay_at(&bound, proxy.parse().unwrap()).to_string()
        };
        assert_eq!(at("0.0.0.0:9", "198.51.100.1:1080"), "198.51.100.1:9");
        assert_eq!(at("[::]:9", "198.51.100.1:1080"), "198.51.100.1:9");
        assert_eq!(at("20.0.0.2:9", "20.0.0.1:1080"), "20.0.0.2:9");
        assert_eq!(at("10.0.0.2:9", "10.0.0.1:1080"), "10.0.0.2:9");
        // A proxy of the internet has nothing to say about our networks.
        assert_eq!(at("192.168.1.1:53", "20.0.0.1:1080"), "20.0.0.1:53");
        assert_eq!(at("127.0.0.1:53", "20.0.0.1:1080"), "20.0.0.1:53");
        assert_eq!(at("127.0.0.1:53", "192.168.1.1:1080"), "192.168.1.1:53");
        assert_eq!(at("239.1.1.1:53", "20.0.0.1:1080"), "20.0.0.1:53");
        let named = relay_at(&Address::Name(9), "20.0.0.1:1080".parse().unwrap());
        assert_eq!(named, "20.0.0.1:9".parse().unwrap());
    }
}
