//! How a connection ends.

use std::time::Instant;

use super::{CloseReason, Connection, State};
use crate::limits::{LINGER, TIME_WAIT};

impl Connection {
    /// Ends this side's stream, behind what has been written. Reading goes on.
    pub(crate) fn shutdown(&mut self) {
        if self.closed().is_none() {
            self.send.write_fin();
        }
    }

    /// Nothing will be read or written any more. What has been written is delivered, if the peer takes it within
    /// [`LINGER`].
    pub(crate) fn close(&mut self, now: Instant) {
        if self.closed().is_some() || self.is_closing {
            return;
        }
        match self.state {
            State::SynSent | State::SynReceived => self.abort(),
            State::Connected | State::Closed(_) => {
                self.is_closing = true;
                self.receive.discard();
                self.send.write_fin();
                self.timers.end = Some(now + LINGER);
                self.wait_for_repeats(now);
            }
        }
    }

    /// Ends the connection at once and tells the peer, which may lose what it has not read.
    pub(crate) fn abort(&mut self) {
        if self.closed().is_none() {
            // A peer that has nothing to say any more need not be told.
            self.is_reset_due = !self.is_finished();
            self.end(CloseReason::Closed);
        }
    }

    pub(super) fn end(&mut self, reason: CloseReason) {
        self.state = State::Closed(reason);
        self.send.clear();
        self.timers.clear();
        self.is_ack_due = false;
        self.is_syn_due = false;
        self.changes.is_closed = true;
        self.changes.is_readable = true;
        self.changes.is_writable = true;
    }

    /// Whether both streams have ended and ours was acknowledged.
    pub(crate) fn is_finished(&self) -> bool {
        self.send.is_fin_acked() && self.receive.is_ended()
    }

    /// When all is said, only repeated packets are answered, for a while. Before the program has closed it there may be
    /// something to read.
    pub(super) fn wait_for_repeats(&mut self, now: Instant) {
        if self.is_closing && self.is_finished() {
            let at = now + TIME_WAIT;
            self.timers.end = Some(self.timers.end.map_or(at, |end| end.min(at)));
            self.timers.keep_alive = None;
        }
    }
}
