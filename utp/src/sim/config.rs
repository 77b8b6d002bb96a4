//! The configuration of a simulation.

use std::time::Duration;

use crate::Congestion;

/// One connection that sends as much as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flow {
    /// Its congestion controller.
    pub congestion: Congestion,
    /// When it connects.
    pub start: Duration,
    /// When it stops; `None`: it goes on to the end of the simulation.
    pub end: Option<Duration>,
}

impl Flow {
    /// A flow from the beginning to the end.
    #[must_use]
    pub const fn new(congestion: Congestion) -> Self {
        Self {
            congestion,
            start: Duration::ZERO,
            end: None,
        }
    }

    /// It connects later.
    #[must_use]
    pub const fn start(mut self, start: Duration) -> Self {
        self.start = start;
        self
    }

    /// It stops earlier.
    #[must_use]
    pub const fn end(mut self, end: Duration) -> Self {
        self.end = Some(end);
        self
    }
}

/// A bottleneck and the flows over it. Every flow has its own sender; all have the same receiver, whose line is the
/// bottleneck. Acknowledgements find no queue.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SimConfig {
    /// The same seed gives the same report.
    pub seed: u64,
    /// How much time passes.
    pub duration: Duration,
    /// The rate of the bottleneck, in bytes a second; 0: there is no bottleneck.
    pub rate: u64,
    /// The round trip without queues.
    pub rtt: Duration,
    /// The queue before the bottleneck, in bytes; what finds it full is dropped.
    pub queue: usize,
    /// The share of datagrams that get lost, each way, besides those that find the queue full: 0 to 1.
    pub loss: f64,
    /// The share of datagrams that are held back for up to a quarter of a round trip, so that later ones overtake them:
    /// 0 to 1.
    pub reorder: f64,
    /// The share of datagrams that arrive twice: 0 to 1.
    pub duplicate: f64,
    /// Every datagram takes up to this much longer, without overtaking others.
    pub jitter: Duration,
    /// The receiver's clock is so much faster than the senders', in millionths.
    pub drift_ppm: i32,
    /// The receive buffer of a connection, in bytes, within the range of
    /// [`Config::receive_buffer`](crate::Config::receive_buffer).
    pub receive_buffer: usize,
    /// The flows; those beyond [`MAX_FLOWS`](Self::MAX_FLOWS) are left out.
    pub flows: Vec<Flow>,
}

impl SimConfig {
    /// The most flows that are simulated.
    pub const MAX_FLOWS: usize = 100;
}

impl Default for SimConfig {
    /// A LEDBAT flow for a minute over 100 Mbit/s, 40 ms, behind a queue of 256 KiB.
    fn default() -> Self {
        Self {
            seed: 1,
            duration: Duration::from_secs(60),
            rate: 12_500_000,
            rtt: Duration::from_millis(40),
            queue: 256 * 1024,
            loss: 0.0,
            reorder: 0.0,
            duplicate: 0.0,
            jitter: Duration::ZERO,
            drift_ppm: 0,
            receive_buffer: crate::limits::DEFAULT_RECEIVE_BUFFER,
            flows: vec![Flow::new(Congestion::Ledbat)],
        }
    }
}
