//! Packets that arrive.

use std::time::{Duration, Instant};

use super::receive_buffer::Received;
use super::{CloseReason, Connection, State};
use crate::congestion::{Ack, Loss};
use crate::limits::{ACK_DELAY, ACK_PACKETS, DUPLICATE_ACKS, SHORT_ACK_DELAY};
use crate::packet::{Header, Kind, Packet, SelectiveAck};
use crate::seq::Seq;

/// What uTorrent sends as a delay that it has not measured.
const UNKNOWN_DELAY: u32 = i32::MAX.cast_unsigned();

impl Connection {
    /// A packet of this connection has arrived.
    pub(crate) fn handle_packet(&mut self, now: Instant, packet: &Packet<'_>) {
        let header = &packet.header;
        match (self.state, header.kind) {
            (State::Closed(_), _) => {}
            (_, Kind::Reset) => self.handle_reset(header),
            (_, Kind::Syn) => self.handle_syn(header),
            (State::SynSent, _) => self.handle_answer(now, header),
            (State::SynReceived | State::Connected, _) => self.handle_established(now, packet),
        }
    }

    fn handle_reset(&mut self, header: &Header) {
        // It acknowledges the packet that it answers, or, for one without a number of its own, the next one.
        let ack = Seq(header.ack_nr);
        if self.state == State::SynSent {
            if ack == self.first_seq {
                self.end(CloseReason::Refused);
            }
            return;
        }
        let next = self.send.next_seq();
        if ack == next || self.send.count_acked(ack).is_some() {
            self.end(CloseReason::Reset);
        }
    }

    /// `ST_SYN` comes again when its answer was lost.
    fn handle_syn(&mut self, header: &Header) {
        let is_ours = Seq(header.seq_nr) == self.receive.ack_nr();
        if self.state == State::SynReceived && is_ours {
            self.is_ack_due = true;
        }
    }

    /// The answer to `ST_SYN`. Only `ST_STATE` tells the peer's first number: a packet with payload may be any of its
    /// first ones. If `ST_STATE` is lost, the peer repeats it when `ST_SYN` is.
    fn handle_answer(&mut self, now: Instant, header: &Header) {
        if header.kind != Kind::State || Seq(header.ack_nr) != self.first_seq {
            return;
        }
        self.state = State::Connected;
        self.changes.is_connected = true;
        self.timers.syn = None;
        self.is_syn_due = false;
        self.receive.set_next(Seq(header.seq_nr));
        if self.timers.syns == 1 {
            let elapsed = now.saturating_duration_since(self.clock_epoch);
            self.rtt.on_sample(elapsed);
        }
        self.measure(now, header, None);
        self.set_peer_window(header);
        // A first packet proves our address to the peer, so that it may send.
        self.start_ack_timer(now, ACK_DELAY);
        self.start_keep_alive(now);
        self.changes.is_writable = true;
    }

    fn handle_established(&mut self, now: Instant, packet: &Packet<'_>) {
        let header = &packet.header;
        let Some(count) = self.send.count_acked(Seq(header.ack_nr)) else {
            return;
        };
        if self.state == State::SynReceived {
            if Seq(header.ack_nr) != self.first_seq.minus(1) {
                return;
            }
            self.state = State::Connected;
            self.changes.is_connected = true;
            self.changes.is_writable = true;
            self.timers.end = None;
            self.start_keep_alive(now);
        }
        self.stats.packets_received += 1;
        self.handle_ack(now, packet, count);
        if header.kind != Kind::State {
            self.handle_payload(now, packet);
        }
        self.wake_writer();
        self.wait_for_repeats(now);
    }

    /// Delays of both directions. `rtt` is how long ago a packet was sent that is acknowledged.
    pub(super) fn measure(&mut self, now: Instant, header: &Header, rtt: Option<Duration>) {
        if header.timestamp != 0 {
            let difference = self.timestamp(now).wrapping_sub(header.timestamp);
            self.timestamp_difference = difference;
            self.delays.on_incoming(now, difference);
        }
        let delay = header.timestamp_difference;
        if delay != 0 && delay != UNKNOWN_DELAY {
            self.delays.on_outgoing(now, delay, rtt);
        }
    }

    fn set_peer_window(&mut self, header: &Header) {
        self.peer_window = usize::try_from(header.window).unwrap_or(usize::MAX);
        if !self.is_peer_window_closed() {
            self.timers.window_probe = None;
            self.timers.window_probes = 0;
            self.is_window_probe_due = false;
        }
    }

    fn handle_ack(&mut self, now: Instant, packet: &Packet<'_>, count: usize) {
        let header = &packet.header;
        let in_flight = self.send.in_flight();
        let arrived = packet.selective_ack.iter().flat_map(SelectiveAck::arrived);
        let min_rtt = self.rtt.min();
        let ack = Seq(header.ack_nr);
        let is_old = ack.since(self.send.first_seq().minus(1)) < 0;
        let acked = self.send.acknowledge(now, (ack, count), arrived, min_rtt);
        if !is_old {
            self.set_peer_window(header);
        }
        if let Some(rtt) = acked.rtt {
            self.rtt.on_sample(rtt);
        }
        self.measure(now, header, acked.shortest);
        if acked.packets > 0 {
            self.duplicate_acks = 0;
            self.rtt.on_progress();
            self.tail_probes_due = 0;
            self.stats.bytes_acknowledged += u64::try_from(acked.bytes).unwrap_or_default();
            self.restart_retransmit(now);
            if let Some(probe) = acked.probe {
                self.mtu.on_acked(now, probe);
                let packet_len = self.packet_len();
                self.controller.set_packet_len(packet_len);
            }
        } else if header.kind == Kind::State && !is_old && self.send.is_outstanding() {
            self.duplicate_acks += 1;
            if self.is_peer_window_closed() {
                // The peer lives, and only its program does not read.
                self.rtt.on_progress();
            }
        }
        if acked.bytes > 0 {
            let window = self.controller.window();
            let is_nearly_full = in_flight >= window - window / 4;
            self.controller.on_ack(&Ack {
                now,
                bytes: acked.bytes,
                in_flight,
                queuing_delay: self.delays.queuing_delay(),
                rtt: self.rtt.smoothed(),
                min_rtt: self.rtt.min(),
                is_window_limited: self.is_window_limited || is_nearly_full,
            });
            self.on_window();
        }
        self.detect_lost(now);
    }

    /// Finds lost packets, and slows down once for all of a window.
    pub(super) fn detect_lost(&mut self, now: Instant) {
        let patience = self.rtt.patience();
        let mut lost = self.send.detect_lost(now, patience);
        let is_repeated = self.duplicate_acks == DUPLICATE_ACKS && !self.is_peer_window_closed();
        if is_repeated && !self.send.has_gap() {
            // A peer that sends no selective acknowledgements.
            lost = self.send.lose_first();
        }
        if let Some(probe) = lost.probe {
            self.mtu.on_lost(now, probe);
        }
        if lost.bytes > 0 {
            self.pacer.allow(self.packet_len());
        }
        if let Some(order) = lost.newest_order {
            let is_first_of_window = order >= self.recovery_order;
            if is_first_of_window {
                self.recovery_order = self.send.next_order();
            }
            self.controller.on_loss(&Loss {
                now,
                bytes: lost.bytes,
                queuing_delay: self.delays.queuing_delay(),
                is_first_of_window,
            });
        }
        if self.send.has_gap() && self.timers.overtaken.is_none() {
            self.timers.overtaken = Some(now + patience);
        }
    }

    fn handle_payload(&mut self, now: Instant, packet: &Packet<'_>) {
        let header = &packet.header;
        let was_readable = self.is_readable();
        let is_fin = header.kind == Kind::Fin;
        let received = self
            .receive
            .receive(Seq(header.seq_nr), is_fin, packet.payload);
        match received {
            Received::InOrder => {
                self.unacknowledged += 1;
                self.on_received(now);
                let is_urgent = self.receive.has_gap() || self.receive.is_ended();
                if is_urgent || self.unacknowledged >= ACK_PACKETS {
                    self.is_ack_due = true;
                } else if self.unacknowledged > 1 {
                    self.start_ack_timer(now, SHORT_ACK_DELAY);
                } else {
                    self.start_ack_timer(now, ACK_DELAY);
                }
                if !was_readable && self.is_readable() {
                    self.changes.is_readable = true;
                }
            }
            // The peer learns at once of a gap, of what it need not repeat, and of a window that is closed.
            Received::Kept | Received::Duplicate | Received::Refused => self.is_ack_due = true,
        }
        let is_unwanted = self.is_closing && !is_fin && self.send.is_fin_acked();
        if is_unwanted && received == Received::InOrder {
            // Our end has arrived, and the peer goes on sending what will not be read.
            self.abort();
        }
    }
}
