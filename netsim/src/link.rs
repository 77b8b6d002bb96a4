//! Access links: delay, rates, loss and queue of a host's connection to the network.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::agenda::Nanos;

/// The access link of a host: its delay, its rate in each direction, and how it treats datagrams.
///
/// All that a host sends shares its rate upwards, all that it receives its rate downwards. `n` bytes on idle links
/// take `n / up` of the sender, the delays of both hosts, then `n / down` of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    delay: Duration,
    up: Option<NonZeroU64>,
    down: Option<NonZeroU64>,
    loss_per_million: u32,
    queue_bytes: usize,
    send_buffer: usize,
}

/// The default size of a datagram queue, in bytes.
const DEFAULT_QUEUE: usize = 256 * 1024;

/// The default send buffer of a connection, in bytes: what it holds unsent or in flight.
const DEFAULT_SEND_BUFFER: usize = 256 * 1024;

/// The shortest segment of a stream, in bytes: what an Ethernet frame holds.
const MIN_SEGMENT: usize = 1_460;

/// The longest segment of a stream, in bytes. Shorter segments are closer to a real network, and slower to simulate.
const MAX_SEGMENT: usize = 16 * 1024;

impl Link {
    /// A link of the given one-way delay, of unlimited rate, that loses nothing.
    #[must_use]
    pub const fn new(delay: Duration) -> Self {
        Self {
            delay,
            up: None,
            down: None,
            loss_per_million: 0,
            queue_bytes: DEFAULT_QUEUE,
            send_buffer: DEFAULT_SEND_BUFFER,
        }
    }

    /// A wired local network: 0.1 ms, 1 Gbit/s each way.
    #[must_use]
    pub fn lan() -> Self {
        Self::new(Duration::from_micros(100)).with_rate(125_000_000)
    }

    /// A home line: 15 ms, 16 Mbit/s down, 1 Mbit/s up.
    #[must_use]
    pub fn dsl() -> Self {
        Self::new(Duration::from_millis(15))
            .with_up(125_000)
            .with_down(2_000_000)
    }

    /// The rate in both directions, in bytes a second; 0 means no limit.
    #[must_use]
    pub const fn with_rate(self, bytes_per_second: u64) -> Self {
        self.with_up(bytes_per_second).with_down(bytes_per_second)
    }

    /// The rate from the host, in bytes a second; 0 means no limit.
    #[must_use]
    pub const fn with_up(mut self, bytes_per_second: u64) -> Self {
        self.up = NonZeroU64::new(bytes_per_second);
        self
    }

    /// The rate to the host, in bytes a second; 0 means no limit.
    #[must_use]
    pub const fn with_down(mut self, bytes_per_second: u64) -> Self {
        self.down = NonZeroU64::new(bytes_per_second);
        self
    }

    /// How many of a million datagrams sent by the host are lost on their way, besides those that overflow a queue.
    /// Streams lose nothing: loss only delays a real stream. From 1 000 000 on, all datagrams are lost.
    #[must_use]
    pub const fn with_loss_per_million(mut self, datagrams: u32) -> Self {
        self.loss_per_million = datagrams;
        self
    }

    /// How many bytes may queue in each direction before a datagram is dropped; bytes queue only at a limited rate.
    #[must_use]
    pub const fn with_queue(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// How many bytes each connection of the host may hold unsent or unacknowledged. It bounds the rate of one
    /// connection to this many bytes a round trip.
    #[must_use]
    pub const fn with_send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = bytes;
        self
    }

    pub(crate) fn delay(&self) -> Nanos {
        Nanos::try_from(self.delay.as_nanos()).unwrap_or(Nanos::MAX)
    }

    pub(crate) fn time_up(&self, bytes: usize) -> Nanos {
        time(self.up, bytes)
    }

    pub(crate) fn time_down(&self, bytes: usize) -> Nanos {
        time(self.down, bytes)
    }

    pub(crate) const fn loss_per_million(&self) -> u32 {
        self.loss_per_million
    }

    pub(crate) const fn queue_bytes(&self) -> usize {
        self.queue_bytes
    }

    pub(crate) const fn send_buffer(&self) -> usize {
        self.send_buffer
    }

    /// The segment length of a stream: 4 ms of the line, within bounds, so that streams that share the line take turns
    /// often.
    pub(crate) fn segment(&self) -> usize {
        let Some(rate) = self.up else {
            return MAX_SEGMENT;
        };
        usize::try_from(rate.get() / 250)
            .map_or(MAX_SEGMENT, |bytes| bytes.clamp(MIN_SEGMENT, MAX_SEGMENT))
    }
}

/// How long a line of `rate` bytes a second is busy with `bytes`, rounded up.
fn time(rate: Option<NonZeroU64>, bytes: usize) -> Nanos {
    let Some(rate) = rate else {
        return 0;
    };
    let nanos = (bytes as u128 * 1_000_000_000).div_ceil(u128::from(rate.get()));
    Nanos::try_from(nanos).unwrap_or(Nanos::MAX)
}
