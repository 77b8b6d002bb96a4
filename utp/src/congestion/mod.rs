//! Congestion control: how many bytes may be unacknowledged.

mod delay;
mod ledbat;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use delay::DelayTracker;
pub use ledbat::Ledbat;

/// What an acknowledgement told.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ack {
    /// When it arrived.
    pub now: Instant,
    /// The payload that it acknowledged for the first time, in bytes.
    pub bytes: usize,
    /// The payload that was in flight before it, in bytes.
    pub in_flight: usize,
    /// How long packets wait in queues on the way to the peer: the one-way delay less the smallest one of the last
    /// minutes, the smallest of a few samples. `None` as long as the peer has not measured it.
    pub queuing_delay: Option<Duration>,
    /// The smoothed round-trip time.
    pub rtt: Duration,
    /// The shortest round-trip time of the connection so far.
    pub min_rtt: Duration,
    /// Whether the window, and not the program or the peer, has limited what was sent lately. If not, growing it would
    /// mean nothing.
    pub is_window_limited: bool,
}

/// A congestion controller of one connection: a window, in bytes, that acknowledgements and losses move.
pub trait Controller: Debug + Send {
    /// Packets were acknowledged.
    fn on_ack(&mut self, ack: &Ack);

    /// Packets were lost. It is called once for the losses of one window: a packet that was sent before the last call
    /// does not cause another one. `queuing_delay` is as in [`Ack`].
    fn on_loss(&mut self, now: Instant, queuing_delay: Option<Duration>);

    /// Nothing was acknowledged for a whole retransmission timeout: all that was in flight counts as lost.
    fn on_timeout(&mut self, now: Instant);

    /// The path takes packets of this payload, in bytes.
    fn set_packet_len(&mut self, bytes: usize);

    /// How many bytes of payload may be in flight.
    fn window(&self) -> usize;

    /// Whether the window still grows exponentially.
    fn is_in_slow_start(&self) -> bool;
}

/// Makes a controller for each connection. [`Congestion`] names those of this crate.
pub trait ControllerFactory: Debug + Send + Sync {
    /// A controller of a connection that begins now and sends packets of `packet_len` bytes of payload.
    fn controller(&self, now: Instant, packet_len: usize) -> Box<dyn Controller>;
}

/// The congestion controllers of this crate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Congestion {
    /// LEDBAT (RFC 6817) with slow start: keeps the queue on the way below a target, 100 ms at most, and so yields to
    /// other traffic.
    #[default]
    Ledbat,
}

impl ControllerFactory for Congestion {
    fn controller(&self, now: Instant, packet_len: usize) -> Box<dyn Controller> {
        match self {
            Self::Ledbat => Box::new(Ledbat::new(now, packet_len)),
        }
    }
}

impl From<Congestion> for Arc<dyn ControllerFactory> {
    fn from(congestion: Congestion) -> Self {
        Arc::new(congestion)
    }
}
