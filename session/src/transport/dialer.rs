//! Dialling: from which address, with what timeout.
//!
//! Every connection that this session makes is made by [`Dialer::connect`]: within [`CONNECT_TIMEOUT`] (10 s, over uTP
//! [`UTP_CONNECT_TIMEOUT`], 5 s), from the
//! address that [`SessionBuilder::dial_from`](crate::SessionBuilder::dial_from) names, or else from any. The two callers
//! are the torrent and the fetch of a magnet link's metadata, both by way of `driver::handshake::PeerDialer`, which chooses the
//! transport, and gives the handshakes their own time. Before they dial they wait for a permit and their turn (`driver::permits`): 100 dials at once and 30 a
//! second over all torrents.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tailwater_utp::driver::UtpSocket;
use tokio::time::timeout;

use super::proxy::ProxyError;
use super::{Carrier, Names, Network, ProxyDialer, Relay, Stream};
use crate::torrent::Transport;

/// The longest time for a connection to be made: a SYN and two repetitions of it (1 s and 3 s later), and the slowest line's
/// round trip. With a proxy, both connections together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The same over uTP: many peers speak none, and no error tells us.
const UTP_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes connections. Clones do the same.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    network: Network,
    from: Option<IpAddr>,
    proxy: Option<Arc<ProxyDialer>>,
    utp: Option<Arc<UtpSocket>>,
    /// What the datagrams of uTP go through, with a proxy.
    relay: Option<Arc<Relay>>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("{0} is of another address family than the address to dial from")]
    OtherFamily(SocketAddr),
}

impl Dialer {
    /// `from` is the address that connections are made from; `None` for the system's choice.
    pub(crate) const fn new(network: Network, from: Option<IpAddr>) -> Self {
        Self {
            network,
            from,
            proxy: None,
            utp: None,
            relay: None,
        }
    }

    /// Dials TCP through a proxy, if there is one.
    #[must_use]
    pub(crate) fn with_proxy(self, proxy: Option<Arc<ProxyDialer>>) -> Self {
        Self { proxy, ..self }
    }

    /// Dials over uTP too.
    #[must_use]
    pub(crate) fn with_utp(self, utp: Option<Arc<UtpSocket>>, relay: Option<Arc<Relay>>) -> Self {
        Self { utp, relay, ..self }
    }

    /// How names become addresses to dial.
    pub(crate) const fn names(&self) -> Names {
        match self.proxy {
            Some(_) => Names::Unresolved,
            None => Names::System,
        }
    }

    /// Whether it can dial over a transport.
    pub(crate) fn can(&self, transport: Transport) -> bool {
        match transport {
            Transport::Utp => {
                let is_carried = self.relay.as_ref().is_none_or(|relay| relay.may_carry());
                self.utp.is_some() && is_carried
            }
            _ => true,
        }
    }

    /// Connects to a peer over a transport.
    ///
    /// # Errors
    ///
    /// When the peer cannot be reached in time, or only past the address to dial from.
    ///
    /// # Cancel safety
    ///
    /// The attempt ends when the future is dropped.
    pub(crate) async fn connect(
        &self,
        addr: SocketAddr,
        transport: Transport,
    ) -> Result<Stream, ConnectError> {
        // Never past the interface that was asked for: it may be a tunnel.
        let from = self.from.filter(|_| self.proxy.is_none());
        if from.is_some_and(|from| from.is_ipv4() != addr.is_ipv4()) {
            return Err(ConnectError::OtherFamily(addr));
        }
        let tie = self.network.link().tie()?;
        let connecting = tie.hold(async {
            let connected = match (transport, &self.utp, &self.proxy) {
                (Transport::Utp, Some(utp), _) => Carrier::Utp(utp.connect(addr).await?).into(),
                (Transport::Utp, None, _) => {
                    return Err(io::Error::from(io::ErrorKind::Unsupported).into());
                }
                (_, _, Some(proxy)) => Carrier::Tcp(proxy.connect(addr).await?).into(),
                (_, _, None) => self.network.connect(addr, self.from).await?,
            };
            Ok::<Stream, ConnectError>(connected)
        });
        let limit = match transport {
            Transport::Utp => UTP_CONNECT_TIMEOUT,
            _ => CONNECT_TIMEOUT,
        };
        let connecting = timeout(limit, connecting).await;
        let stream = connecting.map_err(|_| ConnectError::TimedOut(limit))??;
        tracing::trace!(%addr, transport = %stream.transport(), "connected");
        Ok(stream.tied(tie))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Listener;

    const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn it_dials_from_the_address_that_was_asked_for() {
        let mut listener =
            Listener::bind(Some(LOOPBACK), &crate::transport::Uplink::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        let from = IpAddr::from([127, 0, 0, 5]);
        let dialer = Dialer::new(Network::default(), Some(from));
        let stream = dialer.connect(addr, Transport::Tcp).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addr);
        let (_accepted, caller) = listener.accept().await.unwrap();
        assert_eq!(caller.ip(), from);
    }

    #[tokio::test]
    async fn it_does_not_dial_past_the_address_that_was_asked_for() {
        let dialer = Dialer::new(Network::default(), Some(LOOPBACK.ip()));
        let refused = dialer
            .connect("[::1]:1".parse().unwrap(), Transport::Tcp)
            .await;
        assert!(matches!(refused, Err(ConnectError::OtherFamily(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_does_not_answer_is_given_up() {
        let network = crate::memory_network::MemoryNetwork::default();
        let (host, silent) = (
            network.host([10, 0, 0, 1]),
            network.silent_host([10, 0, 0, 2]),
        );
        let dialer = Dialer::new(Network::Memory(host), None);
        let begin = tokio::time::Instant::now();
        let given_up = dialer.connect((silent, 6881).into(), Transport::Tcp).await;
        assert!(matches!(given_up, Err(ConnectError::TimedOut(limit)) if limit == CONNECT_TIMEOUT));
        assert_eq!(begin.elapsed().as_secs(), 10);
    }
}
