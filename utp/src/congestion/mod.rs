//! Congestion control: how many bytes may be unacknowledged.

mod cubic;
mod delay;
mod delivery;
mod ledbat;
mod ledbat_plus_plus;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use cubic::Cubic;
pub(crate) use delay::DelayTracker;
pub use ledbat::Ledbat;
pub use ledbat_plus_plus::LedbatPlusPlus;

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

/// Packets were lost.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Loss {
    /// When that was found out.
    pub now: Instant,
    /// The payload that was lost, in bytes.
    pub bytes: usize,
    /// As in [`Ack`].
    pub queuing_delay: Option<Duration>,
    /// Whether these are the first losses since a whole window was sent: packets that were sent before the last loss
    /// was found out are not.
    pub is_first_of_window: bool,
}

/// A congestion controller of one connection: a window, in bytes, that acknowledgements and losses move.
pub trait Controller: Debug + Send {
    /// Packets were acknowledged.
    fn on_ack(&mut self, ack: &Ack);

    /// Packets were lost.
    fn on_loss(&mut self, loss: &Loss);

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
    /// CUBIC (RFC 9438): as TCP, it takes its share and fills the queue.
    Cubic,
    /// LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus), for research.
    LedbatPlusPlus,
}

/// A window, from a number that is neither negative nor larger than a `usize`.
#[expect(clippy::cast_possible_truncation, reason = "clamped by the caller")]
const fn to_bytes(window: f64) -> usize {
    window as usize
}

impl ControllerFactory for Congestion {
    fn controller(&self, now: Instant, packet_len: usize) -> Box<dyn Controller> {
        match self {
            Self::Ledbat => Box::new(Ledbat::new(now, packet_len)),
            Self::Cubic => Box::new(Cubic::new(packet_len)),
            Self::LedbatPlusPlus => Box::new(LedbatPlusPlus::new(packet_len)),
        }
    }
}

impl From<Congestion> for Arc<dyn ControllerFactory> {
    fn from(congestion: Congestion) -> Self {
        Arc::new(congestion)
    }
}
