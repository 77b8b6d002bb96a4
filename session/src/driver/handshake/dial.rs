//! Dialling a peer: which transport and which handshake are tried first, what follows when they fail, and what is remembered
//! of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use tailwater_metainfo::InfoHash;
use tailwater_types::BoundedMap;
use tailwater_types::address::is_local;
use tailwater_wire::Handshake;
use tokio::time::{Instant, timeout};

use super::encrypted::{self, Secured};
use super::{DialError, HANDSHAKE_TIMEOUT, HandshakeSettings, Handshaken, Ours, receive, within};
use crate::driver::permits::ConnectionPermit;
use crate::encryption::Encryption;
use crate::ip_filter::SharedFilter;
use crate::peer::Direction;
use crate::torrent::{Encrypted, Transport};
use crate::transport::{Dialer, Names, Stream};
use crate::transports::Transports;

/// While a plain handshake is left to try, an encrypted one is given up after this time. A peer that does not know MSE
/// either hangs up at once or waits for the rest of a plain handshake that never comes.
const FALLBACK_AFTER: Duration = Duration::from_secs(2);
/// Where TCP worked before it is tried alone for this long, uTP beside it afterwards.
const HEAD_START: Duration = Duration::from_millis(200);
/// When TCP has connected, uTP has as long again to do so, and at least this: over TCP the peer's kernel answers, over uTP
/// its program, which may be busy.
const LEAST_GRACE: Duration = Duration::from_millis(20);
/// Peers of which we remember that the first choice did not work.
const MAX_REMEMBERED: usize = 4_096;

/// Dials peers and shakes hands with them. Clones share what they remember.
#[derive(Clone, Debug)]
pub(crate) struct PeerDialer {
    dialer: Dialer,
    settings: HandshakeSettings,
    filter: SharedFilter,
    transports: Transports,
    /// TCP is tried before uTP, wherever the peer is.
    is_tcp_first: bool,
    /// Hashes are asked for over the connections (BEP 52).
    asks_for_hashes: bool,
    /// The way that worked where another one was tried first.
    worked: Arc<Mutex<BoundedMap<SocketAddr, Way>>>,
}

/// A connection whose handshakes are done.
struct Opened {
    way: Way,
    stream: Stream,
    /// The peer's.
    handshake: Handshake,
    secured: Secured,
}

impl Opened {
    /// Whether the peer knows the v2 name of a hybrid torrent, and has answered under the v1 name all the same.
    fn stays_behind(&self, v1: InfoHash) -> bool {
        self.handshake.info_hash == v1 && self.handshake.reserved.v2()
    }
}

/// The way to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    transport: Transport,
    opening: Opening,
}

/// The handshake that opens a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Plain,
    Encrypted,
}

/// A handshake that failed.
struct Failed {
    error: DialError,
    /// Whether the other opening might succeed.
    try_other: bool,
}

impl PeerDialer {
    pub(crate) fn new(
        dialer: Dialer,
        transports: Transports,
        settings: HandshakeSettings,
        filter: SharedFilter,
    ) -> Self {
        Self {
            dialer,
            settings,
            filter,
            transports,
            is_tcp_first: false,
            asks_for_hashes: true,
            worked: Arc::new(Mutex::new(BoundedMap::new(MAX_REMEMBERED))),
        }
    }

    /// The same for those who wait for the first bytes: TCP first. uTP is made to give way, and is slow to begin: over a
    /// round trip of 50 ms libtorrent sends its first MiB in two seconds, over TCP in one (`bench/race`).
    pub(crate) fn tcp_first(&self) -> Self {
        Self {
            is_tcp_first: true,
            ..self.clone()
        }
    }

    /// The same for those who fetch metadata alone, for which either name of a hybrid torrent will do.
    pub(crate) fn without_hashes(self) -> Self {
        Self {
            asks_for_hashes: false,
            ..self
        }
    }

    /// How names become addresses to dial.
    pub(crate) const fn names(&self) -> Names {
        self.dialer.names()
    }

    /// Connects to an address and shakes hands. The caller holds the permit already.
    ///
    /// # Cancel safety
    ///
    /// The attempt ends when the future is dropped.
    pub(crate) async fn dial(
        &self,
        addr: SocketAddr,
        ours: Ours,
        permit: ConnectionPermit,
    ) -> Result<Handshaken, DialError> {
        if self.filter.contains(addr.ip()) {
            return Err(DialError::Filtered);
        }
        let (opened, opening) = self.open(addr, ours).await?;
        self.remember(addr, opened.way);
        let theirs = opened.handshake;
        if !ours.accepts(opening.info_hash, &theirs) {
            return Err(DialError::WrongTorrent);
        }
        Ok(Handshaken {
            stream: opened.stream,
            addr,
            id: theirs.peer_id,
            direction: Direction::Outgoing,
            agreed: theirs.reserved & opening.reserved,
            v2: ours.hashes.is_v2(theirs.info_hash),
            encrypted: opened.secured.encrypted,
            received: opened.secured.received,
            permit,
        })
    }

    /// Connects and shakes hands under the first name of the torrent. A peer that knows only the other name of a hybrid
    /// (BEP 52) hangs up, and is dialled again under that.
    async fn open(&self, addr: SocketAddr, ours: Ours) -> Result<(Opened, Handshake), DialError> {
        let mut names = ours.hashes.names();
        let name = names.next().ok_or(DialError::UnknownTorrent)?;
        let opening = ours.under(name);
        match (self.open_with(addr, opening).await, names.next()) {
            (Err(error), Some(second)) if error.may_be_for_its_name() => {
                tracing::debug!(%addr, "under the v1 info-hash: {error}; trying the v2 one");
                let opening = ours.under(second);
                Ok((self.open_with(addr, opening).await?, opening))
            }
            (Ok(opened), Some(second)) if self.asks_for_hashes && opened.stays_behind(name) => {
                self.open_again(opened, addr, [opening, ours.under(second)])
                    .await
            }
            (outcome, _) => Ok((outcome?, opening)),
        }
    }

    /// Dials a peer under the v2 name that it knows and did not change over to. Over an encrypted connection libtorrent keeps
    /// the name that the encryption began with, and would hang up at a request for hashes under the v1 name. It takes one
    /// connection of an address, so the first is given up before.
    async fn open_again(
        &self,
        first: Opened,
        addr: SocketAddr,
        [v1, v2]: [Handshake; 2],
    ) -> Result<(Opened, Handshake), DialError> {
        self.remember(addr, first.way);
        drop(first);
        match self.open_with(addr, v2).await {
            Ok(opened) => Ok((opened, v2)),
            Err(error) => {
                tracing::debug!(%addr, "under the v2 info-hash: {error}; trying the v1 one again");
                Ok((self.open_with(addr, v1).await?, v1))
            }
        }
    }

    async fn open_with(&self, addr: SocketAddr, ours: Handshake) -> Result<Opened, DialError> {
        match self.order(addr) {
            (only, None) => self.over(only, addr, ours, None).await,
            (Transport::Utp, Some(_)) => self.prefer_utp(addr, ours).await,
            (first, Some(second)) => self.race([first, second], addr, ours).await,
        }
    }

    /// The transport to try first, and the one to try beside it.
    fn order(&self, addr: SocketAddr) -> (Transport, Option<Transport>) {
        let can_utp = self.dialer.can(Transport::Utp);
        match self.transports {
            Transports::Utp => return (Transport::Utp, None),
            Transports::Both if can_utp => {}
            _ => return (Transport::Tcp, None),
        }
        if self.tries_tcp_first(addr) {
            return (Transport::Tcp, Some(Transport::Utp));
        }
        match self.worked.lock().get(&addr) {
            Some(way) if way.transport == Transport::Tcp => (Transport::Tcp, Some(Transport::Utp)),
            _ => (Transport::Utp, Some(Transport::Tcp)),
        }
    }

    /// Whether TCP is tried before uTP. On the local network too: no other traffic there has to be given way to, and TCP
    /// costs half the processor time (`bench/race`).
    fn tries_tcp_first(&self, addr: SocketAddr) -> bool {
        self.is_tcp_first || is_local(addr.ip())
    }

    /// Shakes hands over uTP if it connects in about the time that TCP needs, else over TCP. Only one of them gets a
    /// handshake: a peer that got two would refuse one, perhaps the one that we keep.
    async fn prefer_utp(&self, addr: SocketAddr, ours: Handshake) -> Result<Opened, DialError> {
        let (transport, stream, other) = self.connect_over_either(addr).await?;
        match (self.over(transport, addr, ours, Some(stream)).await, other) {
            (Err(error), Some(other)) => {
                tracing::debug!(%addr, "over {transport}: {error}");
                self.over(other, addr, ours, None).await
            }
            (outcome, _) => outcome,
        }
    }

    /// Connects over both transports at once, and gives up the one that is not used. With the connection comes the other
    /// transport, unless it has failed.
    async fn connect_over_either(
        &self,
        addr: SocketAddr,
    ) -> Result<(Transport, Stream, Option<Transport>), DialError> {
        let began = Instant::now();
        let utp = self.dialer.connect(addr, Transport::Utp);
        let tcp = self.dialer.connect(addr, Transport::Tcp);
        tokio::pin!(utp, tcp);
        tokio::select! {
            biased;
            stream = &mut utp => match stream {
                Ok(stream) => Ok((Transport::Utp, stream, Some(Transport::Tcp))),
                Err(error) => {
                    tracing::debug!(%addr, "over uTP: {error}");
                    Ok((Transport::Tcp, tcp.await?, None))
                }
            },
            stream = &mut tcp => match stream {
                Ok(stream) => {
                    let grace = began.elapsed().clamp(LEAST_GRACE, HEAD_START);
                    Ok(match timeout(grace, utp).await {
                        Ok(Ok(stream)) => (Transport::Utp, stream, Some(Transport::Tcp)),
                        Ok(Err(_)) => (Transport::Tcp, stream, None),
                        Err(_) => (Transport::Tcp, stream, Some(Transport::Utp)),
                    })
                }
                Err(error) => {
                    tracing::debug!(%addr, "over TCP: {error}");
                    Ok((Transport::Utp, utp.await?, None))
                }
            },
        }
    }

    /// Tries one transport, and the other beside it when the first has failed or had its head start. The first handshake that
    /// is completed wins.
    async fn race(
        &self,
        [first, second]: [Transport; 2],
        addr: SocketAddr,
        ours: Handshake,
    ) -> Result<Opened, DialError> {
        let leading = self.over(first, addr, ours, None);
        tokio::pin!(leading);
        let outcome = tokio::select! {
            outcome = &mut leading => Some(outcome),
            () = tokio::time::sleep(HEAD_START) => None,
        };
        match outcome {
            Some(Ok(opened)) => return Ok(opened),
            Some(Err(error)) => {
                tracing::debug!(%addr, "over {first}: {error}");
                return self.over(second, addr, ours, None).await;
            }
            None => {}
        }
        let following = self.over(second, addr, ours, None);
        tokio::pin!(following);
        let (error, outcome) = tokio::select! {
            outcome = &mut leading => match outcome {
                Ok(opened) => return Ok(opened),
                Err(error) => (error, following.await),
            },
            outcome = &mut following => match outcome {
                Ok(opened) => return Ok(opened),
                Err(error) => (error, leading.await),
            },
        };
        tracing::debug!(%addr, "over one transport: {error}");
        outcome
    }

    /// Shakes hands over a transport, once it is connected: the handshake that the policy prefers, then, over another
    /// connection, the other if it may help.
    async fn over(
        &self,
        transport: Transport,
        addr: SocketAddr,
        ours: Handshake,
        connected: Option<Stream>,
    ) -> Result<Opened, DialError> {
        let stream = match connected {
            Some(stream) => stream,
            None => self.dialer.connect(addr, transport).await?,
        };
        let (first, second) = self.openings(addr);
        let way = |opening| Way { transport, opening };
        let outcome = match open(stream, ours, way(first), second).await {
            Err(Failed {
                error,
                try_other: true,
            }) if let Some(second) = second => {
                tracing::debug!(%addr, "{first:?} handshake: {error}; trying the other");
                let stream = self.dialer.connect(addr, transport).await?;
                open(stream, ours, way(second), None).await
            }
            outcome => outcome,
        };
        outcome.map_err(|failed| failed.error)
    }

    /// The handshake to try first, and the one to try when that fails.
    fn openings(&self, addr: SocketAddr) -> (Opening, Option<Opening>) {
        let (first, second) = match self.settings.encryption() {
            Encryption::Off => return (Opening::Plain, None),
            Encryption::Require => return (Opening::Encrypted, None),
            Encryption::Allow => (Opening::Plain, Opening::Encrypted),
            Encryption::Prefer => (Opening::Encrypted, Opening::Plain),
        };
        match self.worked.lock().get(&addr) {
            Some(way) if way.opening == second => (second, Some(first)),
            _ => (first, Some(second)),
        }
    }

    /// Remembers the way that worked, unless it is the one that is tried first anyway.
    fn remember(&self, addr: SocketAddr, way: Way) {
        let opening = match self.settings.encryption() {
            Encryption::Off | Encryption::Allow => Opening::Plain,
            Encryption::Prefer | Encryption::Require => Opening::Encrypted,
        };
        let transport = match self.transports {
            Transports::Utp => Transport::Utp,
            Transports::Both if self.dialer.can(Transport::Utp) && !self.tries_tcp_first(addr) => {
                Transport::Utp
            }
            Transports::Tcp | Transports::Both => Transport::Tcp,
        };
        let mut worked = self.worked.lock();
        match way == (Way { transport, opening }) {
            true => drop(worked.remove(&addr)),
            false => worked.insert(addr, way),
        }
    }
}

/// Shakes hands over a connection.
async fn open(
    mut stream: Stream,
    ours: Handshake,
    way: Way,
    other: Option<Opening>,
) -> Result<Opened, Failed> {
    let secured = match way.opening {
        Opening::Plain => {
            let exchange = async {
                stream.write_all(&ours.to_bytes()).await?;
                receive(&mut stream, BytesMut::new()).await
            };
            let exchanged = within(HANDSHAKE_TIMEOUT, exchange).await;
            let (theirs, received) = exchanged.map_err(Failed::of_plain)?;
            let encrypted = Encrypted::Nothing;
            let secured = Secured {
                encrypted,
                received,
            };
            return Ok(Opened {
                way,
                stream,
                handshake: theirs,
                secured,
            });
        }
        Opening::Encrypted => {
            let limit = other.map_or(HANDSHAKE_TIMEOUT, |_| FALLBACK_AFTER);
            let exchange = encrypted::initiate(&mut stream, &ours);
            within(limit, exchange)
                .await
                .map_err(Failed::of_encrypted)?
        }
    };
    let exchange = receive(&mut stream, secured.received);
    let exchanged = within(HANDSHAKE_TIMEOUT, exchange).await;
    let (theirs, received) = exchanged.map_err(Failed::for_good)?;
    let secured = Secured {
        received,
        ..secured
    };
    Ok(Opened {
        way,
        stream,
        handshake: theirs,
        secured,
    })
}

impl DialError {
    /// Whether a peer that does not know the torrent by this name would fail so: it hangs up.
    const fn may_be_for_its_name(&self) -> bool {
        matches!(self, Self::HungUp | Self::Io(_) | Self::Encryption(_))
    }
}

impl Failed {
    const fn for_good(error: DialError) -> Self {
        let try_other = false;
        Self { error, try_other }
    }

    /// A peer that takes encrypted connections alone hangs up at our handshake. One that is silent, or answers something
    /// else, would not answer the other handshake either.
    fn of_plain(error: DialError) -> Self {
        let try_other = matches!(error, DialError::HungUp | DialError::Io(_));
        Self { error, try_other }
    }

    /// Whatever goes wrong before the encryption is agreed upon may be for lack of it.
    const fn of_encrypted(error: DialError) -> Self {
        let try_other = true;
        Self { error, try_other }
    }
}

#[cfg(test)]
mod tests;
