//! One connection: a byte stream each way over packets that get lost, overtake each other and come twice.
//!
//! ```text
//!             connect                         ST_SYN arrives
//!                │                                  │
//!             SynSent ── ST_STATE ──► Connected ◄── SynReceived (no payload until the address is proven)
//!                │                        │              │
//!                │      both ends and their acknowledgement, or a time limit
//!                ▼                        ▼              ▼
//!              Closed ◄──────────────── Closing ◄────────┘
//! ```
//!
//! [`Connection`] routes; what it routes between are [`send_buffer`], [`receive_buffer`], [`rtt`], [`mtu`] and the
//! congestion controller.

mod close;
mod growth;
mod incoming;
mod mtu;
mod outgoing;
mod pacer;
mod receive_buffer;
mod rtt;
mod send_buffer;
mod slab;
mod spare;
mod timers;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use self::growth::Growth;
use self::mtu::MtuSearch;
use self::pacer::Pacer;
use self::receive_buffer::ReceiveBuffer;
use self::rtt::RoundTrip;
use self::send_buffer::SendBuffer;
use self::timers::Timers;
use crate::config::Config;
use crate::congestion::{Controller, DelayTracker};
use crate::limits::MAX_UNSENT;
use crate::packet::{HEADER_LEN, Header};
use crate::seq::Seq;

pub(crate) use self::outgoing::Plan;
pub use self::outgoing::Transmit;

/// Why a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// Both sides have ended their streams, or this side has closed it.
    #[error("the connection has been closed")]
    Closed,
    /// The peer does not know the connection, or wants no more of it.
    #[error("the peer has reset the connection")]
    Reset,
    /// The peer has refused the connection.
    #[error("the peer has refused the connection")]
    Refused,
    /// The peer has not answered for too long.
    #[error("the peer does not answer")]
    TimedOut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `ST_SYN` has been sent.
    SynSent,
    /// `ST_SYN` has arrived and been answered. The address may be forged.
    SynReceived,
    Connected,
    Closed(CloseReason),
}

/// What has changed since it was asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The connection is established, for an incoming one: its address is proven.
    pub(crate) is_connected: bool,
    /// Bytes can be read, or the end.
    pub(crate) is_readable: bool,
    /// Bytes can be written again.
    pub(crate) is_writable: bool,
    pub(crate) is_closed: bool,
}

/// What is needed to begin a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(crate) now: Instant,
    pub(crate) remote: SocketAddr,
    /// The id of packets that the peer sends.
    pub(crate) receive_id: u16,
    /// The id of packets that the peer gets.
    pub(crate) send_id: u16,
    pub(crate) first_seq: u16,
    /// Added to timestamps, in microseconds.
    pub(crate) clock_offset: u32,
}

/// Counters of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams that were sent.
    pub packets_sent: u64,
    /// Datagrams that arrived and were valid.
    pub packets_received: u64,
    /// Datagrams that were sent again.
    pub packets_resent: u64,
    /// Payload that was acknowledged by the peer, in bytes.
    pub bytes_acknowledged: u64,
    /// Payload that arrived in order, in bytes.
    pub bytes_received: u64,
    /// How often a whole window was given up.
    pub timeouts: u64,
    /// The smoothed round-trip time.
    pub rtt: Duration,
    /// The congestion window, in bytes.
    pub congestion_window: usize,
    /// Payload in flight, in bytes.
    pub in_flight: usize,
    /// How long packets to the peer wait in queues.
    pub queuing_delay: Duration,
    /// The longest datagram that the path is known to carry, in bytes.
    pub datagram_len: usize,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    state: State,
    remote: SocketAddr,
    receive_id: u16,
    send_id: u16,
    /// The first sequence number: that of `ST_SYN`, or of the answer to it and the first packet with payload.
    first_seq: Seq,
    clock_epoch: Instant,
    clock_offset: u32,
    send: SendBuffer,
    growth: Growth,
    receive: ReceiveBuffer,
    rtt: RoundTrip,
    mtu: MtuSearch,
    delays: DelayTracker,
    controller: Box<dyn Controller>,
    pacer: Pacer,
    timers: Timers,
    /// What the peer's clock and ours say about its last packet's way, in microseconds.
    timestamp_difference: u32,
    peer_window: usize,
    last_advertised: usize,
    /// Packets to send again, whatever the window, to find out what is lost: the first and the last one.
    tail_probes_due: u8,
    /// One packet may be sent though the peer's window is closed.
    is_window_probe_due: bool,
    duplicate_acks: u32,
    /// Losses of packets that were sent before this one, in the order of sending, have been answered.
    recovery_order: u64,
    /// Whether the congestion window has kept something from being sent.
    is_window_limited: bool,
    /// Packets that arrived since the last acknowledgement.
    unacknowledged: u32,
    is_ack_due: bool,
    is_syn_due: bool,
    is_reset_due: bool,
    is_closing: bool,
    /// A writer was refused.
    is_writer_waiting: bool,
    changes: Changes,
    stats: Stats,
    /// Packets without payload, and probes, are built here.
    scratch: Vec<u8>,
}

impl Connection {
    /// Begins a connection: `ST_SYN` is sent.
    pub(crate) fn connect(config: &Config, opening: &Opening) -> Self {
        let first_seq = Seq(opening.first_seq);
        let mut connection = Self::new(config, opening, State::SynSent, first_seq.plus(1), Seq(0));
        connection.is_syn_due = true;
        connection
    }

    /// Answers an `ST_SYN`.
    pub(crate) fn accept(config: &Config, opening: &Opening, syn: &Header) -> Self {
        let next = Seq(syn.seq_nr).plus(1);
        let first_seq = Seq(opening.first_seq);
        let mut connection = Self::new(config, opening, State::SynReceived, first_seq, next);
        connection.peer_window = usize::try_from(syn.window).unwrap_or(usize::MAX);
        // Its way is measured before there are queues.
        connection.measure(opening.now, syn, None);
        connection.is_ack_due = true;
        connection
    }

    fn new(config: &Config, opening: &Opening, state: State, next_seq: Seq, next: Seq) -> Self {
        let now = opening.now;
        let mtu = MtuSearch::new(opening.remote, config.max_datagram);
        let packet_len = mtu.datagram() - HEADER_LEN;
        let growth = Growth::new(config, now);
        Self {
            state,
            remote: opening.remote,
            receive_id: opening.receive_id,
            send_id: opening.send_id,
            first_seq: Seq(opening.first_seq),
            clock_epoch: now,
            clock_offset: opening.clock_offset,
            send: SendBuffer::new(next_seq, now),
            receive: ReceiveBuffer::new(next, growth.receive()),
            rtt: RoundTrip::new(),
            mtu,
            delays: DelayTracker::default(),
            controller: config.congestion.controller(now, packet_len),
            pacer: Pacer::new(now),
            timers: Timers::new(now, state),
            timestamp_difference: 0,
            peer_window: 0,
            last_advertised: growth.receive(),
            growth,
            tail_probes_due: 0,
            is_window_probe_due: false,
            duplicate_acks: 0,
            recovery_order: 0,
            is_window_limited: false,
            unacknowledged: 0,
            is_ack_due: false,
            is_syn_due: false,
            is_reset_due: false,
            is_closing: false,
            is_writer_waiting: false,
            changes: Changes::default(),
            stats: Stats::default(),
            scratch: Vec::new(),
        }
    }

    pub(crate) const fn remote(&self) -> SocketAddr {
        self.remote
    }

    pub(crate) const fn receive_id(&self) -> u16 {
        self.receive_id
    }

    /// Whether this is a connection that another has begun and that has not proven its address.
    pub(crate) fn is_half_open(&self) -> bool {
        self.state == State::SynReceived
    }

    pub(crate) const fn closed(&self) -> Option<CloseReason> {
        match self.state {
            State::Closed(reason) => Some(reason),
            State::SynSent | State::SynReceived | State::Connected => None,
        }
    }

    /// Whether the program has closed it.
    #[cfg(feature = "tokio")]
    pub(crate) const fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// What has changed since the last call.
    pub(crate) fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Bytes that can be read now: the first ones of them; empty if there are none.
    pub(crate) fn peek(&self) -> &[u8] {
        self.receive.peek()
    }

    /// `bytes` of what [`peek`](Self::peek) has shown have been read. Returns whether the peer must learn of the room.
    pub(crate) fn consume(&mut self, bytes: usize) -> bool {
        self.receive.consume(bytes);
        self.update_window()
    }

    /// Whether reading gives bytes, the end, or an error.
    pub(crate) const fn is_readable(&self) -> bool {
        self.receive.readable() > 0 || self.is_read_ended()
    }

    /// Whether no more bytes will come, once those that are there are read.
    pub(crate) const fn is_read_ended(&self) -> bool {
        self.receive.is_ended() || self.closed().is_some()
    }

    /// Whether the peer has ended its stream, rather than the connection having been lost.
    pub(crate) const fn is_end_received(&self) -> bool {
        self.receive.is_ended()
    }

    /// How many bytes can be written now.
    pub(crate) fn room(&self) -> usize {
        if self.is_closing || self.closed().is_some() {
            return 0;
        }
        let capacity = self.growth.send().saturating_sub(self.send.queued());
        let unsent = MAX_UNSENT.saturating_sub(self.send.unsent_bytes());
        capacity.min(unsent)
    }

    /// Takes as many of `bytes` as there is room for, and returns how many.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> usize {
        let len = bytes.len().min(self.room());
        self.send
            .write(bytes.get(..len).unwrap_or_default(), self.packet_len());
        if len < bytes.len() {
            self.is_writer_waiting = true;
        }
        len
    }

    /// A writer waits for room: [`Changes::is_writable`] tells it.
    #[cfg(feature = "tokio")]
    pub(crate) const fn expect_room(&mut self) {
        self.is_writer_waiting = true;
    }

    /// Whether writing accepts bytes, or fails.
    pub(crate) fn is_writable(&self) -> bool {
        self.is_closing || self.closed().is_some() || self.room() >= self.room_to_wake()
    }

    /// A writer is not woken for less: each time costs more than a few bytes.
    fn room_to_wake(&self) -> usize {
        (self.growth.send() / 4).min(MAX_UNSENT / 2)
    }

    fn wake_writer(&mut self) {
        if self.is_writer_waiting && self.is_writable() {
            self.is_writer_waiting = false;
            self.changes.is_writable = true;
        }
    }

    /// The payload of a full packet, in bytes.
    fn packet_len(&self) -> usize {
        self.mtu.datagram() - HEADER_LEN
    }

    /// Microseconds of our clock.
    fn timestamp(&self, now: Instant) -> u32 {
        let elapsed = now.saturating_duration_since(self.clock_epoch).as_micros();
        let micros = u32::try_from(elapsed & u128::from(u32::MAX)).unwrap_or_default();
        micros.wrapping_add(self.clock_offset)
    }

    #[cfg(feature = "__fuzz")]
    pub(crate) fn check_invariants(&self) {
        self.send.check_invariants();
        assert!(self.send.queued() <= self.growth.send());
        self.receive.check_invariants();
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            bytes_received: self.receive.received(),
            rtt: self.rtt.smoothed(),
            congestion_window: self.controller.window(),
            in_flight: self.send.in_flight(),
            queuing_delay: self.delays.queuing_delay().unwrap_or_default(),
            datagram_len: self.mtu.datagram(),
            ..self.stats
        }
    }
}
