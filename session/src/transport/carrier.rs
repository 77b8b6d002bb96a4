//! The transport below a connection: a TCP socket, a uTP connection, or the memory of a test.

use std::io::{self, IoSlice};

use bytes::{BufMut, BytesMut};
use tailwater_utp::driver::{Interest as UtpInterest, UtpStream};
use tokio::io::Interest;
use tokio::net::TcpStream;

#[cfg(any(test, feature = "memory-network"))]
use super::memory::MemoryStream;
use crate::torrent::Transport;

/// The transport of one connection. Dropped, it is closed.
#[derive(Debug)]
pub(crate) enum Carrier {
    /// A TCP connection.
    Tcp(TcpStream),
    /// A uTP connection.
    Utp(UtpStream),
    /// A pipe of a [`MemoryNetwork`](crate::memory_network::MemoryNetwork).
    #[cfg(any(test, feature = "memory-network"))]
    Memory(MemoryStream),
}

impl Carrier {
    /// The transport; the memory of a test stands for TCP.
    pub(super) const fn transport(&self) -> Transport {
        match self {
            Self::Tcp(_) => Transport::Tcp,
            Self::Utp(_) => Transport::Utp,
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(_) => Transport::Tcp,
        }
    }

    /// Reads what has arrived, at most `limit` bytes and as far as `buf` has room, and does not wait. Zero: the peer
    /// sends no more.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing has arrived; otherwise the connection is lost.
    pub(super) fn try_read(&mut self, buf: &mut BytesMut, limit: usize) -> io::Result<usize> {
        let buf = &mut buf.limit(limit);
        match self {
            Self::Tcp(stream) => stream.try_read_buf(buf),
            Self::Utp(stream) => stream.try_read_buf(buf),
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(stream) => stream.try_read_buf(buf),
        }
    }

    /// Offers bytes, and returns how many have been accepted: the first ones. It does not wait.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when none are accepted now; otherwise the connection is lost.
    pub(super) fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
            Self::Utp(stream) => stream.try_write_vectored(slices),
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(stream) => stream.try_write_vectored(slices),
        }
    }

    /// Waits until the stream is ready to be read or written, as `interest` says. It may be wrong about that: then the
    /// attempt ends with [`WouldBlock`](io::ErrorKind::WouldBlock).
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(super) async fn ready(&self, interest: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await.map(drop),
            Self::Utp(stream) => {
                stream.ready(utp_interest(interest)).await;
                Ok(())
            }
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(stream) => {
                stream.ready(interest).await;
                Ok(())
            }
        }
    }

    /// Where the peer's end is.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    #[cfg(test)]
    pub(super) fn peer_addr(&self) -> io::Result<std::net::SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr(),
            Self::Utp(stream) => Ok(stream.peer_addr()),
            Self::Memory(stream) => Ok(stream.peer_addr()),
        }
    }
}

fn utp_interest(interest: Interest) -> UtpInterest {
    match (interest.is_readable(), interest.is_writable()) {
        (true, true) => UtpInterest::READABLE | UtpInterest::WRITABLE,
        (false, true) => UtpInterest::WRITABLE,
        _ => UtpInterest::READABLE,
    }
}
