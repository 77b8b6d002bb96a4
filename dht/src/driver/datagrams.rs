//! The network interface of the driver: it receives datagrams in batches and sends them one by one.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use crate::{Family, MAX_DATAGRAM_LEN};

/// Datagrams that are received before the node's other inputs have their turn.
pub const MAX_BATCH_LEN: usize = 64;
/// One byte more than is allowed: a longer datagram is cut to this, and is still seen to be too long.
const SPACE: usize = MAX_DATAGRAM_LEN + 1;

/// Sends and receives a node's datagrams.
///
/// [`Sockets`](super::Sockets) and tokio's `UdpSocket` implement it. Implement it where a port is shared with other
/// protocols, or where there is no network at all.
pub trait Datagrams: Send + Sync + 'static {
    /// The local address of a family's datagrams. `None` if there is no network of that family; the node then leaves it
    /// alone.
    fn local_addr(&self, family: Family) -> Option<SocketAddr>;

    /// Waits for datagrams, and appends those that are there to `batch`, until it [is full](DatagramBatch::is_full).
    ///
    /// Errors are the implementation's to handle: a datagram that could not be delivered (ICMP) is no reason to end. It
    /// must not return at once and for ever without a datagram, or the node's task spins.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped whenever the node has something else to do. What is in `batch` by then is handled, so a
    /// datagram must not be lost between being taken and being appended.
    fn receive(&self, batch: &mut DatagramBatch) -> impl Future<Output = ()> + Send;

    /// Sends a datagram, or loses it: the network may lose it just as well, and the node asks again.
    fn send(&self, to: SocketAddr, payload: &[u8]) -> impl Future<Output = ()> + Send;
}

/// Datagrams that have been received, in one buffer that is used again.
#[derive(Debug, Default)]
pub struct DatagramBatch {
    bytes: Vec<u8>,
    /// The sender of each datagram, and where its bytes end in the buffer.
    ends: Vec<(SocketAddr, usize)>,
}

impl DatagramBatch {
    /// An empty batch.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Appends a datagram. It is cut at one byte more than [`MAX_DATAGRAM_LEN`], so that a longer one is still refused.
    pub fn push(&mut self, from: SocketAddr, payload: &[u8]) {
        self.bytes
            .extend_from_slice(payload.get(..SPACE).unwrap_or(payload));
        self.ends.push((from, self.bytes.len()));
    }

    /// Appends what `receive` writes into a buffer, such as `UdpSocket::try_recv_from`: it returns the length and the
    /// sender.
    ///
    /// # Errors
    ///
    /// Those of `receive`; then nothing is appended.
    pub fn push_with(
        &mut self,
        receive: impl FnOnce(&mut [u8]) -> io::Result<(usize, SocketAddr)>,
    ) -> io::Result<()> {
        let begin = self.bytes.len();
        self.bytes.resize(begin + SPACE, 0);
        let received = receive(&mut self.bytes[begin..]);
        let len = received.as_ref().map_or(0, |(len, _)| (*len).min(SPACE));
        self.bytes.truncate(begin + len);
        let (_, from) = received?;
        self.ends.push((from, self.bytes.len()));
        Ok(())
    }

    /// Whether it holds [`MAX_BATCH_LEN`] datagrams.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.ends.len() >= MAX_BATCH_LEN
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The datagrams with their senders, in the order of their arrival.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let begins = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        let ends = self.ends.iter();
        begins.zip(ends).map(|(begin, (from, end))| {
            let payload = self.bytes.get(begin..*end).unwrap_or_default();
            (*from, payload)
        })
    }

    /// Forgets the datagrams, and keeps the buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_back_what_was_put_in_it() {
        let from = |port| SocketAddr::from(([20, 0, 0, 1], port));
        let mut batch = DatagramBatch::new();
        assert!(batch.is_empty());
        batch.push(from(1), b"one");
        let refused = batch.push_with(|_| Err(io::ErrorKind::WouldBlock.into()));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let written = batch.push_with(|space| {
            space[..5].copy_from_slice(b"three");
            Ok((5, from(3)))
        });
        written.unwrap();
        batch.push(from(4), b"");
        batch.push(from(5), &[7; 5_000]);
        let held: Vec<_> = batch.iter().collect();
        let long = [7; MAX_DATAGRAM_LEN + 1];
        assert_eq!(
            held,
            [
                (from(1), &b"one"[..]),
                (from(3), b"three"),
                (from(4), b""),
                (from(5), &long)
            ]
        );
        batch.clear();
        assert_eq!(batch.iter().count(), 0);
        for port in 0..64 {
            assert!(!batch.is_full());
            batch.push(from(port), b"x");
        }
        assert!(batch.is_full());
    }
}
