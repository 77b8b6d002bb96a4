//! Packets that are sent.

use std::net::SocketAddr;
use std::time::Instant;

use super::pacer::Pace;
use super::send_buffer::Run;
use super::{Connection, State};
use crate::packet::{HEADER_LEN, Header, Kind, SELECTIVE_ACK, write_padding};
use crate::seq::Seq;

/// Datagrams to send to one address: segments of one length, of which only the last may be shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit<'a> {
    /// Where to.
    pub destination: SocketAddr,
    /// The datagrams, one behind the other.
    pub contents: &'a [u8],
    /// The length of a datagram, in bytes; that of the last one is what is left.
    pub segment_len: usize,
    /// Whether it is a probe of the path's MTU, which must not be fragmented on its way. Other datagrams may be.
    pub dont_fragment: bool,
}

impl<'a> Transmit<'a> {
    /// Datagrams of `segment_len` bytes, one behind the other, that may be fragmented.
    #[must_use]
    pub const fn new(destination: SocketAddr, contents: &'a [u8], segment_len: usize) -> Self {
        Self {
            destination,
            contents,
            segment_len,
            dont_fragment: false,
        }
    }

    /// The same, for a probe of the path's MTU or not.
    #[must_use]
    pub const fn with_dont_fragment(self, dont_fragment: bool) -> Self {
        Self {
            dont_fragment,
            ..self
        }
    }

    pub(crate) const fn single(destination: SocketAddr, contents: &'a [u8]) -> Self {
        Self {
            destination,
            contents,
            segment_len: contents.len(),
            dont_fragment: false,
        }
    }

    /// The datagrams.
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.contents.chunks(self.segment_len.max(1))
    }
}

/// The peer is told of this much more room, in bytes, if it knew of little: two packets.
const MIN_WINDOW_UPDATE: usize = 3_000;

/// What is sent next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plan {
    Reset,
    Syn,
    /// A packet without payload.
    Ack,
    Run(Run),
}

impl Connection {
    /// What is to be sent next, `max_segments` datagrams at most. It must be [built](Self::transmit).
    pub(crate) fn plan(&mut self, now: Instant, max_segments: usize) -> Option<Plan> {
        let is_ack_due = self.is_ack_due.then_some(Plan::Ack);
        match self.state {
            State::Closed(_) => std::mem::take(&mut self.is_reset_due).then_some(Plan::Reset),
            State::SynSent => std::mem::take(&mut self.is_syn_due).then_some(Plan::Syn),
            // Not more than was received: the address may be forged.
            State::SynReceived => is_ack_due,
            // Only a packet without payload has room for a bitmask.
            State::Connected if self.is_ack_due && self.receive.has_gap() => is_ack_due,
            State::Connected => {
                let run = self.next_run(now, max_segments.max(1));
                run.map(Plan::Run).or(is_ack_due)
            }
        }
    }

    /// The datagrams of a plan.
    pub(crate) fn transmit(&mut self, now: Instant, plan: Plan) -> Transmit<'_> {
        match plan {
            Plan::Reset => self.build(now, Kind::Reset, self.send.next_seq(), 0),
            Plan::Syn => {
                self.start_syn_timer(now);
                self.build(now, Kind::Syn, self.first_seq, 0);
            }
            Plan::Ack => self.build_ack(now),
            Plan::Run(run) => return self.transmit_run(now, &run),
        }
        Transmit::single(self.remote, &self.scratch)
    }

    fn build_ack(&mut self, now: Instant) {
        let has_gap = self.receive.has_gap();
        let extension = if has_gap { SELECTIVE_ACK } else { 0 };
        self.build(now, Kind::State, self.send.next_seq(), extension);
        if has_gap {
            self.scratch.extend([0, 0]);
            self.receive.write_selective_ack(&mut self.scratch);
            let len = self.scratch.len() - HEADER_LEN - 2;
            if let Some(byte) = self.scratch.get_mut(HEADER_LEN + 1) {
                *byte = u8::try_from(len).unwrap_or(u8::MAX);
            }
        }
        self.on_acknowledged(now);
    }

    /// A packet that acknowledges what has arrived is sent.
    fn on_acknowledged(&mut self, now: Instant) {
        self.is_ack_due = false;
        self.unacknowledged = 0;
        self.timers.ack = None;
        self.start_keep_alive(now);
    }

    fn transmit_run(&mut self, now: Instant, run: &Run) -> Transmit<'_> {
        // The timer runs from the oldest packet on, so that a steady stream of new ones does not put it off.
        if self.timers.retransmit.is_none() {
            self.start_retransmit(now);
        }
        self.on_acknowledged(now);
        let count = u64::try_from(run.count).unwrap_or_default();
        if run.seq.since(self.send.next_seq()) < 0 {
            self.stats.packets_resent += count;
        } else if let Some(datagram) = self.probe_len(now, run) {
            return self.transmit_probe(now, run, datagram);
        }
        self.pacer.on_sent(run.len);
        self.stats.packets_sent += count;
        let header = self.header(now, run.kind, run.seq);
        let contents = self.send.send(now, run, |seq| {
            let header = Header {
                seq_nr: seq.0,
                ..header
            };
            header.encode(0)
        });
        Transmit {
            destination: self.remote,
            contents,
            segment_len: run.segment,
            dont_fragment: false,
        }
    }

    /// What may be sent now: packets that were lost first.
    fn next_run(&mut self, now: Instant, max_segments: usize) -> Option<Run> {
        if let Some(run) = self.next_tail_probe() {
            return Some(run);
        }
        if !self.send.has_lost() && !self.send.has_unsent() {
            self.is_window_limited = false;
            return None;
        }
        if std::mem::take(&mut self.is_window_probe_due) {
            return self.send.next_run(usize::MAX, 1);
        }
        let in_flight = self.send.in_flight();
        let window = self.controller.window();
        let mut room = window.min(self.peer_window).saturating_sub(in_flight);
        if in_flight == 0 {
            if self.is_peer_window_closed() {
                self.start_window_probe(now);
                return None;
            }
            // One packet, however small the congestion window.
            room = room.max(self.send.next_len());
        }
        let pace = Pace {
            window,
            rtt: self.rtt.smoothed(),
            packet_len: self.packet_len(),
        };
        let paced = self.pacer.room(now, &pace);
        let run = self.send.next_run(room.min(paced), max_segments);
        self.is_window_limited = run.is_none() && window <= self.peer_window;
        let is_paced = run.is_none() && paced < room;
        self.timers.pace = self.pacer.pause(now, &pace, is_paced);
        run
    }

    /// Nothing was acknowledged for some round trips. The first packet, because its acknowledgement moves the window, and
    /// with the last one shows what is missing between them.
    fn next_tail_probe(&mut self) -> Option<Run> {
        self.tail_probes_due = self.tail_probes_due.checked_sub(1)?;
        if self.tail_probes_due == 0 {
            return self.send.last_outstanding();
        }
        if self.send.has_lost() {
            self.tail_probes_due = 0;
            return self.send.next_run(usize::MAX, 1);
        }
        self.send.first_outstanding()
    }

    /// The length of a probe of the path's MTU, if one is due and packets follow it, so that its loss is noticed.
    fn probe_len(&mut self, now: Instant, run: &Run) -> Option<usize> {
        let is_followed = self.send.unsent_bytes() > run.segment * 4;
        if run.kind != Kind::Data || !is_followed {
            return None;
        }
        let datagram = self.mtu.probe(now)?;
        // One byte of padding there is not.
        (datagram > run.segment + 1).then_some(datagram)
    }

    /// Whether the peer has no room for the next packet.
    pub(super) fn is_peer_window_closed(&self) -> bool {
        self.peer_window < self.send.next_len()
    }

    /// Sends a packet with padding, to learn whether the path carries datagrams of this length.
    fn transmit_probe(&mut self, now: Instant, run: &Run, datagram: usize) -> Transmit<'_> {
        let header = self.header(now, Kind::Data, run.seq);
        let payload = self.send.send_probe(now, run, datagram);
        let padding = datagram.saturating_sub(HEADER_LEN + payload.len());
        self.scratch.clear();
        self.scratch.extend([0; HEADER_LEN]);
        let extension = write_padding(&mut self.scratch, padding);
        self.scratch.extend_from_slice(payload);
        if let Some(room) = self.scratch.first_chunk_mut::<HEADER_LEN>() {
            *room = header.encode(extension);
        }
        self.mtu.on_sent();
        self.pacer.on_sent(datagram);
        self.stats.packets_sent += 1;
        Transmit {
            dont_fragment: true,
            ..Transmit::single(self.remote, &self.scratch)
        }
    }

    /// The system has refused to send a datagram of this length.
    #[cfg(feature = "tokio")]
    pub(crate) fn on_too_long(&mut self, now: Instant, datagram: usize) {
        if datagram > self.mtu.datagram() {
            self.mtu.on_refused(now, datagram);
        }
    }

    fn header(&mut self, now: Instant, kind: Kind, seq: Seq) -> Header {
        let window = self.receive.window();
        self.last_advertised = window;
        Header {
            kind,
            connection_id: if kind == Kind::Syn {
                self.receive_id
            } else {
                self.send_id
            },
            // 0 would say that there is none.
            timestamp: self.timestamp(now).max(1),
            timestamp_difference: self.timestamp_difference,
            window: u32::try_from(window).unwrap_or(u32::MAX),
            seq_nr: seq.0,
            ack_nr: self.receive.ack_nr().0,
        }
    }

    fn build(&mut self, now: Instant, kind: Kind, seq: Seq, extension: u8) {
        let header = self.header(now, kind, seq);
        self.stats.packets_sent += 1;
        self.scratch.clear();
        self.scratch.extend(header.encode(extension));
    }

    /// After reading: the peer learns of room if it knew of little.
    pub(super) fn update_window(&mut self) -> bool {
        let window = self.receive.window();
        let is_small = self.last_advertised < MIN_WINDOW_UPDATE.max(window / 2);
        let grown = window.saturating_sub(self.last_advertised);
        let is_due = is_small && grown >= MIN_WINDOW_UPDATE && self.state == State::Connected;
        self.is_ack_due |= is_due;
        is_due
    }
}
