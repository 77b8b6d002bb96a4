//! A host and the two directions of its link.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::agenda::Nanos;
use crate::event::ConnId;
use crate::link::Link;

/// The first port that outgoing connections seem to come from (RFC 6335's dynamic range).
const FIRST_EPHEMERAL_PORT: u16 = 49_152;

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) addr: SocketAddr,
    pub(crate) link: Link,
    pub(crate) is_up: bool,
    pub(crate) is_accepting: bool,
    pub(crate) uplink: Uplink,
    /// When the line towards the host has passed on everything that has arrived at it.
    down_free: Nanos,
    next_port: u16,
}

/// What waits to be sent: each connection at most once, so that those which share the line take turns.
#[derive(Debug, Default)]
pub(crate) struct Uplink {
    pub(crate) queue: VecDeque<Outgoing>,
    /// The bytes of the datagrams in the queue.
    pub(crate) datagram_bytes: usize,
    pub(crate) is_busy: bool,
}

#[derive(Debug)]
pub(crate) enum Outgoing {
    Stream(ConnId),
    Datagram { to: SocketAddr, bytes: Vec<u8> },
}

impl Host {
    pub(crate) fn new(addr: SocketAddr, link: Link) -> Self {
        Self {
            addr,
            link,
            is_up: true,
            is_accepting: true,
            uplink: Uplink::default(),
            down_free: 0,
            next_port: FIRST_EPHEMERAL_PORT,
        }
    }

    /// The address that the next outgoing connection seems to come from.
    pub(crate) fn ephemeral_addr(&mut self) -> SocketAddr {
        let addr = SocketAddr::new(self.addr.ip(), self.next_port);
        self.next_port = self
            .next_port
            .checked_add(1)
            .unwrap_or(FIRST_EPHEMERAL_PORT);
        addr
    }

    /// When `bytes` that reach the line towards the host now are through it.
    pub(crate) fn pass_down(&mut self, now: Nanos, bytes: usize) -> Nanos {
        let begin = self.down_free.max(now);
        self.down_free = begin.saturating_add(self.link.time_down(bytes));
        self.down_free
    }

    /// Whether a datagram that reaches the line towards the host now may queue up for it.
    pub(crate) fn has_room_down(&self, now: Nanos) -> bool {
        let waiting = self.down_free.saturating_sub(now);
        waiting <= self.link.time_down(self.link.queue_bytes())
    }
}
