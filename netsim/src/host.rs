//! A host and the two directions of its link.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::agenda::Nanos;
use crate::event::ConnId;
use crate::link::Link;

/// The first source port of outgoing connections (RFC 6335's dynamic range).
const FIRST_EPHEMERAL_PORT: u16 = 49_152;

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) addr: SocketAddr,
    pub(crate) link: Link,
    pub(crate) is_up: bool,
    pub(crate) is_accepting: bool,
    pub(crate) uplink: Uplink,
    /// When the downlink of the host is free again.
    down_free: Nanos,
    next_port: u16,
}

/// The send queue of a host: each connection at most once, so that connections share the line in turn.
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

    /// The source address of the next outgoing connection.
    pub(crate) fn ephemeral_addr(&mut self) -> SocketAddr {
        let addr = SocketAddr::new(self.addr.ip(), self.next_port);
        self.next_port = self
            .next_port
            .checked_add(1)
            .unwrap_or(FIRST_EPHEMERAL_PORT);
        addr
    }

    /// When `bytes` that reach the downlink now have passed it.
    pub(crate) fn pass_down(&mut self, now: Nanos, bytes: usize) -> Nanos {
        let begin = self.down_free.max(now);
        self.down_free = begin.saturating_add(self.link.time_down(bytes));
        self.down_free
    }

    /// How long what reaches the downlink now waits for it.
    pub(crate) const fn wait_down(&self, now: Nanos) -> Nanos {
        self.down_free.saturating_sub(now)
    }

    /// Whether the downlink's queue has room for a datagram that reaches it now.
    pub(crate) fn has_room_down(&self, now: Nanos) -> bool {
        self.wait_down(now) <= self.link.time_down(self.link.queue_bytes())
    }
}
