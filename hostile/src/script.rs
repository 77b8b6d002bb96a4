//! Scripts: one side of a connection as a state machine without I/O.

use std::time::Instant;

use bytes::Bytes;

/// One side of a connection: bytes in, bytes out, and when it wants to be called again.
///
/// A script knows no socket and no clock, so the same one attacks over TCP ([`tcp::Crowd`](crate::tcp::Crowd)), over a
/// simulated network ([`Pump`](crate::Pump)), or through whatever transport comes later. It may send without end: its
/// driver bounds time and bytes.
pub trait Script: Send {
    /// Bytes came from the other side.
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]);

    /// The next bytes to send. Asked whenever the transport would take some; `None` when there is nothing to send now.
    #[must_use = "bytes that are dropped are never sent"]
    fn poll_send(&mut self, now: Instant) -> Option<Bytes>;

    /// When there will be something to send, if nothing comes before.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Whether the other side's bytes are taken from the socket now. A peer that does not read lets them pile up.
    fn is_reading(&self) -> bool {
        true
    }

    /// Whether it hangs up once all is sent.
    fn is_over(&self) -> bool {
        false
    }
}

impl Script for Box<dyn Script> {
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        (**self).handle_bytes(now, bytes);
    }

    fn poll_send(&mut self, now: Instant) -> Option<Bytes> {
        (**self).poll_send(now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }

    fn is_reading(&self) -> bool {
        (**self).is_reading()
    }

    fn is_over(&self) -> bool {
        (**self).is_over()
    }
}

/// One port that sends datagrams and receives them: as [`Script`], for protocols over UDP.
pub trait DatagramScript: Send {
    /// A datagram came. Returns whether it made a connection.
    fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> bool;

    /// The next datagram to send; `None` when there is none now. It is asked again after a moment.
    #[must_use = "datagrams that are dropped are never sent"]
    fn poll_send(&mut self, now: Instant) -> Option<Bytes>;
}
