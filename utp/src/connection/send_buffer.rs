//! What has been written and not been acknowledged yet, as packets that are ready to be sent.
//!
//! A byte is copied once, from the program into a packet: packets lie one behind the other in slabs, each behind room
//! for its header, so that a run of packets of one length is one buffer for the system (GSO). uTP numbers packets, not
//! bytes, so a packet that has been sent is never cut anew.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::slab::{Slabs, Span};
use crate::limits::{DUPLICATE_ACKS, MAX_BATCH, MAX_OUTSTANDING};
use crate::packet::{HEADER_LEN, Kind};
use crate::seq::Seq;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unsent,
    InFlight,
    /// Thought to be lost: to be sent again.
    Lost,
    /// Acknowledged, though an earlier one is not.
    Acked,
}

#[derive(Debug)]
struct Outgoing {
    state: State,
    is_fin: bool,
    /// Sent more than once: it is not known which one an acknowledgement is for.
    is_repeated: bool,
    /// The length of the datagram if it was padded to probe the path's MTU.
    probe: Option<usize>,
    span: Span,
    /// Counts all packets that were sent, repeated ones anew.
    order: u64,
    sent_at: Instant,
}

impl Outgoing {
    fn payload_len(&self) -> usize {
        self.span.len.saturating_sub(HEADER_LEN)
    }
}

/// What an acknowledgement changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Acked {
    /// Payload, in bytes.
    pub(super) bytes: usize,
    pub(super) packets: usize,
    /// The round-trip time by the packet that was sent last, if that is known.
    pub(super) rtt: Option<Duration>,
    /// The shortest time since a packet of these was sent, of those that were sent once.
    pub(super) shortest: Option<Duration>,
    /// The longest probe of the path's MTU that arrived.
    pub(super) probe: Option<usize>,
    newest_order: Option<u64>,
    min_rtt: Duration,
}

/// Packets that are thought to be lost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lost {
    /// The newest of them, in the order of sending; `None` if there are none, or only probes of the path's MTU.
    pub(super) newest_order: Option<u64>,
    /// Payload, in bytes.
    pub(super) bytes: usize,
    /// A lost probe of the path's MTU: its length.
    pub(super) probe: Option<usize>,
}

/// Packets that are to be sent now, of one length except for the last, which may be shorter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// The index of the first one, counted from the oldest that is not acknowledged.
    first: usize,
    pub(super) count: usize,
    pub(super) seq: Seq,
    pub(super) kind: Kind,
    /// Bytes, headers included.
    pub(super) len: usize,
    /// Bytes of one packet, its header included.
    pub(super) segment: usize,
}

#[derive(Debug)]
pub(super) struct SendBuffer {
    /// From the oldest that is not acknowledged.
    packets: VecDeque<Outgoing>,
    slabs: Slabs,
    /// The number of the first packet.
    first_seq: Seq,
    /// The index of the first one that has never been sent.
    unsent: usize,
    /// Payload in flight, in bytes.
    in_flight: usize,
    /// Payload that is neither acknowledged nor lost to us: what the buffer holds, in bytes.
    queued: usize,
    unsent_bytes: usize,
    lost: usize,
    /// No packet before this index is lost.
    lost_from: usize,
    /// Acknowledged packets behind one that is not.
    acked_behind: usize,
    next_order: u64,
    /// The newest packet that has arrived, in the order of sending.
    newest_acked: Option<u64>,
    max_outstanding: usize,
    has_fin: bool,
    epoch: Instant,
}

impl SendBuffer {
    pub(super) fn new(first_seq: Seq, now: Instant) -> Self {
        Self {
            packets: VecDeque::new(),
            slabs: Slabs::default(),
            first_seq,
            unsent: 0,
            in_flight: 0,
            queued: 0,
            unsent_bytes: 0,
            lost: 0,
            lost_from: 0,
            acked_behind: 0,
            next_order: 0,
            newest_acked: None,
            max_outstanding: 0,
            has_fin: false,
            epoch: now,
        }
    }

    /// Payload that is held, in bytes.
    pub(super) const fn queued(&self) -> usize {
        self.queued
    }

    pub(super) const fn unsent_bytes(&self) -> usize {
        self.unsent_bytes
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// The number of the oldest packet that is not acknowledged.
    pub(super) const fn first_seq(&self) -> Seq {
        self.first_seq
    }

    /// The number of the next packet that is sent for the first time.
    pub(super) fn next_seq(&self) -> Seq {
        self.seq_at(self.unsent)
    }

    /// Whether packets are sent and not acknowledged.
    pub(super) const fn is_outstanding(&self) -> bool {
        self.unsent > 0
    }

    pub(super) const fn has_lost(&self) -> bool {
        self.lost > 0
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.unsent < self.packets.len()
    }

    /// Whether the end has been written and acknowledged, and all before it.
    pub(super) fn is_fin_acked(&self) -> bool {
        self.has_fin && self.packets.is_empty()
    }

    fn seq_at(&self, index: usize) -> Seq {
        // There are no more packets than numbers.
        self.first_seq
            .plus(u16::try_from(index).unwrap_or(u16::MAX))
    }

    /// Takes bytes, cut into packets of `packet_len` bytes of payload.
    pub(super) fn write(&mut self, mut bytes: &[u8], packet_len: usize) {
        if self.has_fin {
            return;
        }
        self.queued += bytes.len();
        self.unsent_bytes += bytes.len();
        bytes = self.fill_last(bytes, packet_len);
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(packet_len));
            let span = self.slabs.push(now, packet_len, bytes.len());
            self.push(span, false);
            bytes = later;
        }
    }

    /// Fills up the last packet, if it has not been sent.
    fn fill_last<'a>(&mut self, bytes: &'a [u8], packet_len: usize) -> &'a [u8] {
        if let Some(last) = self.packets.back_mut()
            && last.state == State::Unsent
        {
            let room = packet_len.saturating_sub(last.payload_len());
            let (now, later) = bytes.split_at(bytes.len().min(room));
            if self.slabs.extend(&mut last.span, now) {
                return later;
            }
        }
        bytes
    }

    /// Ends the stream, behind what has been written.
    pub(super) fn write_fin(&mut self) {
        if !self.has_fin {
            self.has_fin = true;
            let span = self.slabs.push(&[], 0, 0);
            self.push(span, true);
        }
    }

    fn push(&mut self, span: Span, is_fin: bool) {
        self.packets.push_back(Outgoing {
            state: State::Unsent,
            is_fin,
            is_repeated: false,
            probe: None,
            span,
            order: 0,
            sent_at: self.epoch,
        });
    }

    /// The index of the next packet to send: those that were lost first.
    fn next_index(&mut self) -> usize {
        if self.lost == 0 {
            return self.unsent;
        }
        while self.lost_from < self.unsent
            && let Some(packet) = self.packets.get(self.lost_from)
            && packet.state != State::Lost
        {
            self.lost_from += 1;
        }
        self.lost_from
    }

    /// The payload of the next packet to send, in bytes; 0 if there is none.
    pub(super) fn next_len(&self) -> usize {
        let packet = if self.lost == 0 {
            self.packets.get(self.unsent)
        } else {
            let mut lost = self.packets.iter().skip(self.lost_from);
            lost.find(|packet| packet.state == State::Lost)
        };
        packet.map_or(0, Outgoing::payload_len)
    }

    /// Packets to send: those that were lost, then those that have not been sent, no more than `bytes` of payload and
    /// `segments`.
    pub(super) fn next_run(&mut self, bytes: usize, segments: usize) -> Option<Run> {
        let first = self.next_index();
        let packet = self.packets.get(first)?;
        let (wanted, segment, is_fin) = (packet.state, packet.span.len, packet.is_fin);
        let outstanding = MAX_OUTSTANDING.saturating_sub(first);
        let (mut count, mut len, mut payload) = (0, 0, 0);
        let mut end = packet.span.begin;
        for next in self.packets.range(first..) {
            let is_alike = next.state == wanted
                && next.is_fin == is_fin
                && next.span.slab == packet.span.slab
                && next.span.begin == end
                && next.span.len <= segment;
            payload += next.payload_len();
            let fits = payload <= bytes && count < segments.min(outstanding);
            if !is_alike || !fits || len + next.span.len > MAX_BATCH {
                break;
            }
            count += 1;
            len += next.span.len;
            end += next.span.len;
            if next.span.len < segment {
                break;
            }
        }
        let kind = if is_fin { Kind::Fin } else { Kind::Data };
        let seq = self.seq_at(first);
        (count > 0).then_some(Run {
            first,
            count,
            seq,
            kind,
            len,
            segment,
        })
    }

    /// The packets of a run are sent: `header` makes the header of each. Returns their bytes.
    pub(super) fn send(
        &mut self,
        now: Instant,
        run: &Run,
        mut header: impl FnMut(Seq) -> [u8; HEADER_LEN],
    ) -> &[u8] {
        self.mark_sent(now, run, None);
        let Some(packet) = self.packets.get(run.first) else {
            return &[];
        };
        let span = packet.span;
        let bytes = self.slabs.bytes_mut(span.slab, span.begin, run.len);
        let mut seq = run.seq;
        for packet in bytes.chunks_mut(run.segment) {
            if let Some(room) = packet.first_chunk_mut::<HEADER_LEN>() {
                *room = header(seq);
            }
            seq = seq.plus(1);
        }
        bytes
    }

    /// The first packet of a run is sent alone, padded to probe the path's MTU: its payload.
    pub(super) fn send_probe(&mut self, now: Instant, run: &Run, datagram: usize) -> &[u8] {
        let single = Run { count: 1, ..*run };
        self.mark_sent(now, &single, Some(datagram));
        let Some(packet) = self.packets.get(run.first) else {
            return &[];
        };
        let span = packet.span;
        let bytes = self.slabs.bytes_mut(span.slab, span.begin, span.len);
        bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    fn mark_sent(&mut self, now: Instant, run: &Run, probe: Option<usize>) {
        for index in run.first..run.first + run.count {
            let Some(packet) = self.packets.get_mut(index) else {
                return;
            };
            let len = packet.payload_len();
            match packet.state {
                State::Unsent => {
                    self.unsent = index + 1;
                    self.unsent_bytes = self.unsent_bytes.saturating_sub(len);
                    self.in_flight += len;
                }
                State::Lost => {
                    packet.is_repeated = true;
                    self.lost = self.lost.saturating_sub(1);
                    self.in_flight += len;
                }
                State::InFlight | State::Acked => packet.is_repeated = true,
            }
            packet.state = State::InFlight;
            packet.probe = probe;
            packet.order = self.next_order;
            packet.sent_at = now;
            self.next_order += 1;
        }
        self.max_outstanding = self.max_outstanding.max(self.unsent);
    }

    /// How many of the packets that are outstanding `ack` acknowledges; `None` if it is for a packet that has not been
    /// sent, or that is negative by more than can be in the network.
    pub(super) fn count_acked(&self, ack: Seq) -> Option<usize> {
        let count = ack.since(self.first_seq.minus(1));
        let oldest = i32::try_from(self.max_outstanding).unwrap_or(i32::MAX);
        let oldest = -oldest.max(i32::try_from(DUPLICATE_ACKS).unwrap_or(3));
        match usize::try_from(count) {
            Ok(count) => (count <= self.unsent).then_some(count),
            Err(_) => (count >= oldest).then_some(0),
        }
    }

    /// The first `count` packets have arrived, and those that are `arrived` packets behind `ack`, which is the last of
    /// these, or an earlier one if the acknowledgement was overtaken.
    pub(super) fn acknowledge(
        &mut self,
        now: Instant,
        (ack, count): (Seq, usize),
        arrived: impl Iterator<Item = u16>,
        min_rtt: Duration,
    ) -> Acked {
        let mut acked = Acked {
            min_rtt,
            ..Acked::default()
        };
        for offset in arrived {
            let Ok(index) = usize::try_from(ack.plus(offset).since(self.first_seq)) else {
                continue;
            };
            if index >= self.unsent {
                break;
            }
            if let Some(packet) = self.packets.get_mut(index)
                && packet.state != State::Acked
            {
                Self::on_arrived(packet, now, &mut acked, &mut self.in_flight, &mut self.lost);
                packet.state = State::Acked;
                self.acked_behind += 1;
            }
        }
        for _ in 0..count.min(self.unsent) {
            self.pop_acked(now, &mut acked);
        }
        while let Some(packet) = self.packets.front()
            && packet.state == State::Acked
        {
            self.pop_acked(now, &mut acked);
        }
        self.newest_acked = self.newest_acked.max(acked.newest_order);
        acked
    }

    fn pop_acked(&mut self, now: Instant, acked: &mut Acked) {
        let Some(mut packet) = self.packets.pop_front() else {
            return;
        };
        if packet.state == State::Acked {
            self.acked_behind -= 1;
        } else {
            let packet = &mut packet;
            Self::on_arrived(packet, now, acked, &mut self.in_flight, &mut self.lost);
        }
        self.queued = self.queued.saturating_sub(packet.payload_len());
        self.slabs.release(packet.span.slab);
        self.first_seq = self.first_seq.plus(1);
        self.unsent = self.unsent.saturating_sub(1);
        self.lost_from = self.lost_from.saturating_sub(1);
    }

    fn on_arrived(
        packet: &mut Outgoing,
        now: Instant,
        acked: &mut Acked,
        in_flight: &mut usize,
        lost: &mut usize,
    ) {
        let len = packet.payload_len();
        match packet.state {
            State::InFlight => *in_flight = in_flight.saturating_sub(len),
            State::Lost => *lost = lost.saturating_sub(1),
            State::Unsent | State::Acked => {}
        }
        acked.bytes += len;
        acked.packets += 1;
        let elapsed = now.saturating_duration_since(packet.sent_at);
        if !packet.is_repeated {
            acked.shortest = Some(acked.shortest.map_or(elapsed, |other| other.min(elapsed)));
        }
        if packet.is_repeated && elapsed < acked.min_rtt {
            // An earlier one has arrived.
            return;
        }
        if !packet.is_repeated {
            acked.probe = acked.probe.max(packet.probe);
        }
        if acked.newest_order < Some(packet.order) {
            acked.newest_order = Some(packet.order);
            acked.rtt = (!packet.is_repeated).then_some(elapsed);
        }
    }

    /// Whether packets have arrived that were sent after one that has not.
    pub(super) const fn has_gap(&self) -> bool {
        self.acked_behind > 0
    }

    /// Finds packets that are thought to be lost: three that were sent later have arrived, or one has and it was sent
    /// `patience` before now.
    pub(super) fn detect_lost(&mut self, now: Instant, patience: Duration) -> Lost {
        let mut lost = Lost::default();
        let Some(newest) = self.newest_acked else {
            return lost;
        };
        let mut behind = self.acked_behind;
        for index in 0..self.unsent {
            let Some(packet) = self.packets.get_mut(index) else {
                break;
            };
            match packet.state {
                State::Acked => behind -= 1,
                // Nothing from here on has arrived, nor was sent before something that has.
                _ if behind == 0 && packet.order > newest => break,
                State::InFlight if packet.order < newest => {
                    let is_overtaken = packet.order + u64::from(DUPLICATE_ACKS) <= newest;
                    let elapsed = now.saturating_duration_since(packet.sent_at);
                    if is_overtaken || elapsed >= patience {
                        self.mark_lost(index, &mut lost);
                    }
                }
                State::InFlight | State::Lost | State::Unsent => {}
            }
        }
        lost
    }

    /// The oldest packet is thought to be lost.
    pub(super) fn lose_first(&mut self) -> Lost {
        let mut lost = Lost::default();
        self.mark_lost(0, &mut lost);
        lost
    }

    /// All that is in flight is thought to be lost.
    pub(super) fn lose_all(&mut self) -> Lost {
        let mut lost = Lost::default();
        for index in 0..self.unsent {
            self.mark_lost(index, &mut lost);
        }
        lost
    }

    fn mark_lost(&mut self, index: usize, lost: &mut Lost) {
        let Some(packet) = self.packets.get_mut(index) else {
            return;
        };
        if packet.state != State::InFlight {
            return;
        }
        packet.state = State::Lost;
        let len = packet.payload_len();
        self.in_flight = self.in_flight.saturating_sub(len);
        lost.bytes += len;
        self.lost += 1;
        self.lost_from = self.lost_from.min(index);
        match packet.probe.take() {
            Some(probe) => lost.probe = Some(probe),
            None => lost.newest_order = lost.newest_order.max(Some(packet.order)),
        }
    }

    /// The oldest packet that is outstanding, alone.
    pub(super) fn first_outstanding(&self) -> Option<Run> {
        self.outstanding(0)
    }

    /// The newest one.
    pub(super) fn last_outstanding(&self) -> Option<Run> {
        self.outstanding(self.unsent.checked_sub(1)?)
    }

    fn outstanding(&self, index: usize) -> Option<Run> {
        let packet = self.packets.get(index)?;
        (packet.state == State::InFlight).then(|| Run {
            first: index,
            count: 1,
            seq: self.seq_at(index),
            kind: if packet.is_fin { Kind::Fin } else { Kind::Data },
            len: packet.span.len,
            segment: packet.span.len,
        })
    }

    /// The order of the next packet that is sent.
    pub(super) const fn next_order(&self) -> u64 {
        self.next_order
    }

    /// Frees memory that is kept for a steady stream.
    pub(super) fn trim(&mut self) {
        self.slabs.trim();
    }

    /// Forgets what has not been sent, so that an end can be sent soon.
    pub(super) fn clear(&mut self) {
        self.packets.clear();
        self.slabs = Slabs::default();
        self.unsent = 0;
        self.in_flight = 0;
        self.queued = 0;
        self.unsent_bytes = 0;
        self.lost = 0;
        self.lost_from = 0;
        self.acked_behind = 0;
    }

    #[cfg(feature = "__fuzz")]
    pub(super) fn check_invariants(&self) {
        let count = |state| {
            let alike = self.packets.iter().filter(|packet| packet.state == state);
            let bytes = alike.clone().map(Outgoing::payload_len).sum::<usize>();
            (alike.count(), bytes)
        };
        assert_eq!(count(State::InFlight).1, self.in_flight);
        assert_eq!(count(State::Lost).0, self.lost);
        assert_eq!(count(State::Acked).0, self.acked_behind);
        assert_eq!(
            count(State::Unsent),
            (self.packets.len() - self.unsent, self.unsent_bytes)
        );
        let all = self.packets.iter().map(Outgoing::payload_len);
        assert_eq!(all.sum::<usize>(), self.queued);
        let before = self.packets.iter().take(self.lost_from);
        assert!(before.clone().all(|packet| packet.state != State::Lost));
        assert!(self.unsent <= MAX_OUTSTANDING);
    }
}
