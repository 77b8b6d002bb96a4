//! Buffers that grow while they are used, out of memory that all connections of an endpoint share.

use std::time::Instant;

use super::Connection;
use crate::config::Config;
use crate::limits::{BASE_RECEIVE_BUFFER, BASE_SEND_BUFFER, MAX_UNSENT};

/// A buffer that a round trip fills to this part is doubled, so that the next one finds room.
const FILLED: usize = 4;

/// How large the buffers of a connection are and may become, in bytes.
#[derive(Debug)]
pub(super) struct Growth {
    send: Room,
    receive: Room,
    /// When this round trip began, and what had arrived by then.
    round: (Instant, u64),
}

#[derive(Debug)]
struct Room {
    base: usize,
    capacity: usize,
    max: usize,
    is_wanted: bool,
}

impl Room {
    fn new(base: usize, max: usize) -> Self {
        let base = base.min(max);
        Self {
            base,
            capacity: base,
            max,
            is_wanted: false,
        }
    }

    /// Doubles it, if `memory` has so much.
    fn grow(&mut self, memory: &mut usize) {
        let wanted = self.capacity.min(self.max - self.capacity);
        if std::mem::take(&mut self.is_wanted) && wanted <= *memory {
            self.capacity += wanted;
            *memory -= wanted;
        }
    }

    fn want(&mut self) {
        self.is_wanted = self.capacity < self.max;
    }
}

impl Growth {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        Self {
            send: Room::new(BASE_SEND_BUFFER, config.send_buffer),
            receive: Room::new(BASE_RECEIVE_BUFFER, config.receive_buffer),
            round: (now, 0),
        }
    }

    pub(super) const fn send(&self) -> usize {
        self.send.capacity
    }

    pub(super) const fn receive(&self) -> usize {
        self.receive.capacity
    }
}

impl Connection {
    /// Memory that the buffers have been given beyond what they began with.
    pub(crate) const fn lent(&self) -> usize {
        let Growth { send, receive, .. } = &self.growth;
        send.capacity - send.base + receive.capacity - receive.base
    }

    /// Whether [`grow`](Self::grow) would do something.
    #[cfg(feature = "tokio")]
    pub(crate) const fn is_growing(&self) -> bool {
        self.growth.receive.is_wanted || self.growth.send.is_wanted
    }

    /// Lets the buffers grow, if that would help, by no more than `memory`.
    pub(crate) fn grow(&mut self, mut memory: usize) {
        self.growth.receive.grow(&mut memory);
        self.growth.send.grow(&mut memory);
        self.receive.set_capacity(self.growth.receive.capacity);
    }

    /// Bytes have arrived in order.
    pub(super) fn on_received(&mut self, now: Instant) {
        let received = self.receive.received();
        let (began, before) = self.growth.round;
        let is_filled = received - before >= (self.growth.receive.capacity / FILLED) as u64;
        if is_filled {
            self.growth.receive.want();
        }
        if is_filled || now.saturating_duration_since(began) >= self.rtt.smoothed() {
            self.growth.round = (now, received);
        }
    }

    /// The congestion window has grown.
    pub(super) fn on_window(&mut self) {
        if self.controller.window() + MAX_UNSENT > self.growth.send.capacity {
            self.growth.send.want();
        }
    }

    /// Gives back what it has been given: it is idle.
    pub(super) fn shrink(&mut self) {
        let Growth { send, receive, .. } = &mut self.growth;
        if self.send.queued() == 0 {
            send.capacity = send.base;
        }
        if self.receive.is_empty() {
            receive.capacity = receive.base;
            self.receive.set_capacity(receive.capacity);
        }
    }
}
