//! The deadlines of a connection.

use std::time::{Duration, Instant};

use super::{CloseReason, Connection, State};
use crate::limits::{
    HANDSHAKE_TIMEOUT, INITIAL_RTO, KEEP_ALIVE, MAX_SYNS, MAX_TIMEOUTS, MAX_WINDOW_PROBE,
};

/// All deadlines; `None` where there is nothing to wait for.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// `ST_SYN` is sent again, or the connection is given up.
    pub(super) syn: Option<Instant>,
    /// Half-open connections, and those that have ended, are forgotten.
    pub(super) end: Option<Instant>,
    /// All that is in flight is lost.
    pub(super) retransmit: Option<Instant>,
    /// The first and the last packet are sent again, to find out what is lost.
    pub(super) tail_probe: Option<Instant>,
    /// The peer's window is probed.
    pub(super) window_probe: Option<Instant>,
    pub(super) window_probes: u32,
    /// An acknowledgement has waited for long enough.
    pub(super) ack: Option<Instant>,
    /// Packets that were overtaken by others become lost.
    pub(super) overtaken: Option<Instant>,
    pub(super) keep_alive: Option<Instant>,
    /// More of the window may leave.
    pub(super) pace: Option<Instant>,
    pub(super) syns: u32,
}

impl Timers {
    pub(super) fn new(now: Instant, state: State) -> Self {
        let is_half_open = state == State::SynReceived;
        Self {
            syn: None,
            end: is_half_open.then_some(now + HANDSHAKE_TIMEOUT),
            ..Self::default()
        }
    }

    fn all(&self) -> [Option<Instant>; 9] {
        [
            self.syn,
            self.end,
            self.retransmit,
            self.tail_probe,
            self.window_probe,
            self.ack,
            self.overtaken,
            self.keep_alive,
            self.pace,
        ]
    }

    /// Nothing is waited for any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Whether a deadline has passed; then it is taken out.
fn take_due(timer: &mut Option<Instant>, now: Instant) -> bool {
    let is_due = timer.is_some_and(|at| at <= now);
    if is_due {
        *timer = None;
    }
    is_due
}

impl Connection {
    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.all().into_iter().flatten().min()
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.closed().is_some() {
            return;
        }
        if take_due(&mut self.timers.end, now) {
            self.on_end_timeout();
            return;
        }
        // What may leave is sent after this.
        take_due(&mut self.timers.pace, now);
        if take_due(&mut self.timers.syn, now) {
            self.on_syn_timeout();
        }
        if take_due(&mut self.timers.ack, now) {
            self.is_ack_due = true;
        }
        if take_due(&mut self.timers.overtaken, now) {
            self.detect_lost(now);
        }
        if take_due(&mut self.timers.retransmit, now) {
            self.on_retransmit_timeout(now);
        } else if take_due(&mut self.timers.tail_probe, now) {
            self.tail_probes_due = if self.send.is_outstanding() { 2 } else { 0 };
        }
        if take_due(&mut self.timers.window_probe, now) {
            self.timers.window_probes += 1;
            self.is_window_probe_due = self.send.has_unsent() || self.send.has_lost();
        }
        if take_due(&mut self.timers.keep_alive, now) {
            // It is idle.
            self.receive.trim();
            self.send.trim();
            self.shrink();
            self.is_ack_due = true;
        }
    }

    fn on_end_timeout(&mut self) {
        match self.state {
            State::SynReceived => self.end(CloseReason::TimedOut),
            _ if self.is_finished() => self.end(CloseReason::Closed),
            // The peer has not taken all, or goes on sending.
            _ => self.abort(),
        }
    }

    fn on_syn_timeout(&mut self) {
        if self.state != State::SynSent {
            return;
        }
        if self.timers.syns >= MAX_SYNS {
            self.end(CloseReason::TimedOut);
        } else {
            self.is_syn_due = true;
        }
    }

    pub(super) fn start_syn_timer(&mut self, now: Instant) {
        let timeout = INITIAL_RTO.saturating_mul(1 << self.timers.syns.min(8));
        self.timers.syns += 1;
        self.timers.syn = Some(now + timeout);
    }

    fn on_retransmit_timeout(&mut self, now: Instant) {
        if !self.send.is_outstanding() {
            return;
        }
        self.tail_probes_due = 0;
        self.timers.tail_probe = None;
        if self.is_peer_window_closed() {
            // What was sent into a closed window is no sign of congestion.
            self.send.lose_all();
            self.start_window_probe(now);
        } else {
            self.stats.timeouts += 1;
            self.duplicate_acks = 0;
            let lost = self.send.lose_all();
            if let Some(probe) = lost.probe {
                self.mtu.on_lost(now, probe);
            }
            if lost.newest_order.is_some() {
                self.controller.on_timeout(now);
                self.recovery_order = self.send.next_order();
            }
        }
        self.rtt.on_timeout();
        if self.mtu.on_timeouts(now, self.rtt.timeouts()) {
            let packet_len = self.packet_len();
            self.controller.set_packet_len(packet_len);
        }
        if self.rtt.timeouts() > MAX_TIMEOUTS {
            self.end(CloseReason::TimedOut);
        }
    }

    /// Packets have been acknowledged: waits anew if others are outstanding.
    pub(super) fn restart_retransmit(&mut self, now: Instant) {
        self.timers.retransmit = None;
        self.timers.tail_probe = None;
        if self.send.is_outstanding() {
            self.start_retransmit(now);
        }
    }

    /// A packet is sent: waits for its acknowledgement.
    pub(super) fn start_retransmit(&mut self, now: Instant) {
        let timeout = self.rtt.timeout();
        self.timers.retransmit = Some(now + timeout);
        let probe = self.rtt.probe_timeout();
        let probe = probe.filter(|probe| *probe < timeout && self.rtt.timeouts() == 0);
        self.timers.tail_probe = probe.map(|probe| now + probe);
    }

    pub(super) fn start_ack_timer(&mut self, now: Instant, delay: Duration) {
        let at = now + delay;
        self.timers.ack = Some(self.timers.ack.map_or(at, |ack| ack.min(at)));
    }

    pub(super) fn start_window_probe(&mut self, now: Instant) {
        if self.timers.window_probe.is_none() {
            let doubled = 1 << self.timers.window_probes.min(8);
            let pause = self.rtt.timeout().saturating_mul(doubled);
            self.timers.window_probe = Some(now + pause.min(MAX_WINDOW_PROBE));
        }
    }

    pub(super) fn start_keep_alive(&mut self, now: Instant) {
        if self.state == State::Connected {
            self.timers.keep_alive = Some(now + KEEP_ALIVE);
        }
    }
}
