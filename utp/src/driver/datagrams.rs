//! How datagrams are sent.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use crate::Transmit;

/// Sends datagrams. [`UdpDatagrams`](super::UdpDatagrams) implements it; implement it where a port is shared with other
/// protocols, or where there is no network at all.
pub trait Datagrams: Debug + Send + Sync + 'static {
    /// Hands datagrams to the system, all or none. It does not wait.
    ///
    /// A datagram may be lost, so errors of single datagrams are better passed over. It is called under the lock of
    /// a connection.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when the system's buffer is full: they are sent later, when
    /// [`poll_send_ready`](Self::poll_send_ready) says so. With any other error they are lost; for a datagram that
    /// [must not be fragmented](Transmit::dont_fragment) it means that it is too long.
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()>;

    /// Whether datagrams to this address can be sent again. Only one task asks.
    fn poll_send_ready(&self, context: &mut Context<'_>, to: SocketAddr) -> Poll<io::Result<()>>;

    /// How many datagrams to one address [`try_send`](Self::try_send) takes at once.
    fn max_segments(&self) -> usize {
        1
    }
}
