//! A connection's byte stream, over any transport, enciphered or not.

use std::io::{self, IoSlice};

use bytes::BytesMut;
use tokio::io::Interest;

use super::cipher::Cipher;
use super::{Carrier, Tie};
use crate::torrent::Transport;

/// A byte stream to a peer. Dropped, it is closed.
///
/// # Bytes that are accepted
///
/// What [`try_write_vectored`](Self::try_write_vectored) *accepts* is the stream's: it is never offered again, and it goes
/// out in that order. It need not have left this machine, nor even this process: the system has a buffer for it, and a
/// stream that enciphers has one of its own, as it cannot take back what the cipher has run over. So an outbox may
/// re-order what has not been accepted, and only that; and rate limits and progress count what was accepted.
///
/// After a write that accepted less than it was offered, and after the last one, [`try_flush`](Self::try_flush) goes on
/// with what the cipher's buffer holds, as long as something is [`unsent`](Self::unsent).
#[derive(Debug)]
pub(crate) struct Stream {
    carrier: Carrier,
    /// Enciphers what is sent, and deciphers what is received. Most connections have none.
    cipher: Option<Box<Cipher>>,
    /// It ends with the network interface on which it was made.
    tie: Tie,
}

impl From<Carrier> for Stream {
    fn from(carrier: Carrier) -> Self {
        Self {
            carrier,
            cipher: None,
            tie: Tie::default(),
        }
    }
}

impl Stream {
    /// The same, which ends with a network interface.
    #[must_use]
    pub(super) fn tied(self, tie: Tie) -> Self {
        Self { tie, ..self }
    }

    /// The transport below.
    pub(crate) const fn transport(&self) -> Transport {
        self.carrier.transport()
    }

    /// Enciphers and deciphers all that is sent and read from now on.
    pub(crate) fn encipher(&mut self, cipher: Cipher) {
        self.cipher = Some(Box::new(cipher));
    }

    /// Reads what has arrived, at most `limit` bytes and as far as `buf` has room, and does not wait. Zero: the peer
    /// sends no more.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing has arrived; otherwise the connection is lost.
    pub(crate) fn try_read(&mut self, buf: &mut BytesMut, limit: usize) -> io::Result<usize> {
        let before = buf.len();
        let count = self.carrier.try_read(buf, limit)?;
        if let Some(cipher) = &mut self.cipher {
            cipher.decipher(&mut buf[before..]);
        }
        Ok(count)
    }

    /// Offers bytes, and returns how many have been accepted: the first ones. It does not wait.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when none are accepted now; otherwise the connection is lost.
    pub(crate) fn try_write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.cipher {
            None => self.carrier.try_write_vectored(slices),
            Some(cipher) => cipher.try_write_vectored(&mut self.carrier, slices),
        }
    }

    /// Accepted bytes that wait in this process for the transport to take them.
    pub(crate) fn unsent(&self) -> usize {
        self.cipher.as_ref().map_or(0, |cipher| cipher.unsent())
    }

    /// Hands accepted bytes to the transport. It does not wait.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when the transport takes no more now; otherwise the connection is lost.
    pub(crate) fn try_flush(&mut self) -> io::Result<()> {
        match &mut self.cipher {
            None => Ok(()),
            Some(cipher) => cipher.try_flush(&mut self.carrier),
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
        self.tie.hold(self.carrier.ready(interest)).await
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
    pub(crate) async fn read_buf(&mut self, buf: &mut BytesMut) -> io::Result<usize> {
        loop {
            self.ready(Interest::READABLE).await?;
            match self.try_read(buf, usize::MAX) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
        }
    }

    /// Waits until the transport has all of `bytes`.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    ///
    /// # Cancel safety
    ///
    /// Some of the bytes may have been accepted when the future is dropped: the stream is of no use then.
    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() || self.unsent() > 0 {
            self.ready(Interest::WRITABLE).await?;
            let outcome = match bytes {
                [] => self.try_flush().map(|()| 0),
                _ => match self.try_write_vectored(&[IoSlice::new(bytes)]) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    outcome => outcome,
                },
            };
            match outcome {
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
        self.carrier.peer_addr()
    }
}
