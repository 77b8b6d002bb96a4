//! A connection's byte stream, over any transport.

use std::io::{self, IoSlice};

use bytes::BufMut;
use tokio::io::Interest;
use tokio::net::TcpStream;

#[cfg(any(test, feature = "memory-network"))]
use super::memory::MemoryStream;

/// A byte stream to a peer. Dropped, it is closed.
///
/// # Bytes that are accepted
///
/// What [`try_write_vectored`](Self::try_write_vectored) *accepts* is the stream's: it is never offered again, and it goes
/// out in that order. It need not have left this machine, nor even this process: the system has a buffer for it, and a
/// stream that enciphers has one of its own, as it cannot take back what the cipher has run over. So an outbox may
/// re-order what has not been accepted, and only that; and rate limits and progress count what was accepted.
#[derive(Debug)]
pub(crate) enum Stream {
    /// A TCP connection.
    Tcp(TcpStream),
    /// A pipe of a [`MemoryNetwork`](crate::memory_network::MemoryNetwork).
    #[cfg(any(test, feature = "memory-network"))]
    Memory(MemoryStream),
}

impl Stream {
    /// The transport's name, for logs.
    pub(crate) const fn transport(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "TCP",
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(_) => "memory",
        }
    }

    /// Reads what has arrived, as far as `buf` has room for it, and does not wait. Zero: the peer sends no more.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing has arrived; otherwise the connection is lost.
    pub(crate) fn try_read_buf(&mut self, buf: &mut impl BufMut) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read_buf(buf),
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(stream) => stream.try_read_buf(buf),
        }
    }

    /// Offers bytes, and returns how many have been accepted: the first ones. It does not wait.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when none are accepted now; otherwise the connection is lost.
    pub(crate) fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
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
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await.map(drop),
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(stream) => {
                stream.ready(interest).await;
                Ok(())
            }
        }
    }

    /// Waits for bytes and reads them into `buf`, which must have room. Zero: the peer sends no more.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn read_buf(&mut self, buf: &mut impl BufMut) -> io::Result<usize> {
        loop {
            self.ready(Interest::READABLE).await?;
            match self.try_read_buf(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
        }
    }

    /// Waits until all of `bytes` have been accepted.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    ///
    /// # Cancel safety
    ///
    /// Some of the bytes may have been accepted when the future is dropped: the stream is of no use then.
    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.ready(Interest::WRITABLE).await?;
            match self.try_write_vectored(&[IoSlice::new(bytes)]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(accepted) => bytes = bytes.get(accepted..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Where the peer's end is.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    #[cfg(test)]
    pub(crate) fn peer_addr(&self) -> io::Result<std::net::SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr(),
            Self::Memory(stream) => Ok(stream.peer_addr()),
        }
    }
}
