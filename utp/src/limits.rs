//! Every bound of the crate, with its unit and its reason.
//!
//! Those that a program may want to change are defaults of [`Config`](crate::Config).

use std::time::Duration;

/// The longest chain of extension headers in one packet. BEP 29 defines one; deployed implementations know three, and
/// a probe of the path's MTU is padded with up to six.
pub const MAX_EXTENSIONS: usize = 16;

/// The longest bitmask of a selective acknowledgement, in bytes: the largest multiple of four that a length of one byte
/// can say (BEP 29). It covers 2016 packets.
pub const MAX_SELECTIVE_ACK_LEN: usize = 252;

/// How far ahead of the next expected packet a packet may be, in packets. As far as a selective acknowledgement
/// reaches, so that every packet that is kept can be acknowledged.
pub const MAX_REORDER: u16 = 2_016;

/// How many packets may wait for their acknowledgement at once: no more than the receiver would keep.
pub const MAX_OUTSTANDING: usize = 2_000;

/// The default of the largest receive buffer of a connection, in bytes: what it advertises as its window when nothing waits
/// to be read. It bounds the rate of a connection to this many bytes a round trip, and to half of them where what was
/// lost is lost again, as all that follows waits meanwhile: 2 MiB would be 84 Mbit/s at 100 ms.
pub const DEFAULT_RECEIVE_BUFFER: usize = MAX_RECEIVE_BUFFER;

/// The receive buffer that a connection begins with, in bytes. It is doubled when a round trip fills a quarter of it.
pub const BASE_RECEIVE_BUFFER: usize = 256 * 1024;

/// The send buffer that a connection begins with, in bytes. It is doubled when the congestion window needs it.
pub const BASE_SEND_BUFFER: usize = 512 * 1024;

/// The default of the memory of an endpoint by which buffers of all its connections together may grow, in bytes: forty
/// connections at full speed over a long path. Without it a stranger could make every connection hold what few need.
pub const DEFAULT_BUFFER_MEMORY: usize = 256 * 1024 * 1024;

/// The largest receive buffer, in bytes: what [`MAX_REORDER`] packets of a common size fill.
pub const MAX_RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// The smallest receive buffer, in bytes: a few packets.
pub const MIN_RECEIVE_BUFFER: usize = 16 * 1024;

/// The default of the largest send buffer of a connection, in bytes: what it holds unsent or unacknowledged.
pub const DEFAULT_SEND_BUFFER: usize = MAX_SEND_BUFFER;

/// The largest send buffer, in bytes.
pub const MAX_SEND_BUFFER: usize = 4 * 1024 * 1024;

/// The smallest send buffer, in bytes.
pub const MIN_SEND_BUFFER: usize = 16 * 1024;

/// How many bytes a connection takes before it has sent them. A writer is woken when half of it is free; more would
/// only delay what a program wants to send first.
pub const MAX_UNSENT: usize = 256 * 1024;

/// The default number of connections of an endpoint.
pub const DEFAULT_MAX_CONNECTIONS: usize = 2_048;

/// The default number of connections that have been begun by others and have not proven their address yet. More are
/// not answered: the sender of a real `ST_SYN` repeats it.
pub const DEFAULT_BACKLOG: usize = 128;

/// Answers to packets of unknown connections (`ST_RESET`): at most this many at once,
pub const RESET_BURST: u32 = 50;

/// and one more after each of these. A reset is as long as a packet without payload, so it never amplifies.
pub const RESET_INTERVAL: Duration = Duration::from_millis(20);

/// Events that wait to be polled. Beyond it an endpoint refuses incoming connections.
pub const MAX_EVENTS: usize = 16 * 1024;

/// The payload of a datagram that every path carries, in bytes: what IPv6 promises (1280) less its headers. It is the
/// first size of packets.
pub const BASE_DATAGRAM: usize = 1_232;

/// The datagram that is used after packets of [`BASE_DATAGRAM`] got lost again and again, in bytes: what IPv4 promises
/// (576) less its headers.
pub const MIN_DATAGRAM: usize = 548;

/// The longest datagram that is sent, in bytes: Ethernet's jumbo frames.
pub const MAX_DATAGRAM: usize = 8_952;

/// The default for the longest datagram that the path's MTU is probed for, in bytes: Ethernet's 1500 less IPv4's
/// headers. For an IPv6 address 20 bytes less.
pub const DEFAULT_MAX_DATAGRAM: usize = 1_472;

/// Search for the path's MTU ends when the sizes that are left differ by less, in bytes.
pub const MTU_PRECISION: usize = 16;

/// A size is given up after this many probes of it were lost: loss need not be because of the size.
pub const MTU_ATTEMPTS: u8 = 3;

/// The path's MTU is searched again after this time: routes change.
pub const MTU_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Consecutive timeouts after which packets are thought to be too long for the path.
pub const BLACK_HOLE_TIMEOUTS: u32 = 2;

/// Segments in one [`Transmit`](crate::Transmit): what Linux takes (`UDP_MAX_SEGMENTS`).
pub const MAX_SEGMENTS: usize = 64;

/// The bytes of one [`Transmit`](crate::Transmit): a datagram of IPv4 has 65 507, headers of all segments included.
pub const MAX_BATCH: usize = 64 * 1024 - 512;

/// The first retransmission timeout (BEP 29).
pub const INITIAL_RTO: Duration = Duration::from_secs(1);

/// The shortest retransmission timeout: what libtorrent uses. Lost tails are found earlier, by a probe.
pub const MIN_RTO: Duration = Duration::from_millis(500);

/// The longest retransmission timeout.
pub const MAX_RTO: Duration = Duration::from_secs(15);

/// Timeouts in a row, without any acknowledgement, after which a connection is given up: 30 s or more. A peer whose program
/// has ended says nothing, and whoever reads from it alone waits for so long; libtorrent gives up after 3.
pub const MAX_TIMEOUTS: u32 = 5;

/// How often an `ST_SYN` is sent: with [`INITIAL_RTO`] and its doubling a connection is refused after 15 s.
pub const MAX_SYNS: u32 = 4;

/// How long a connection that was begun by another may take to prove its address.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an acknowledgement may wait for data that carries it, or for more that it can acknowledge.
pub const ACK_DELAY: Duration = Duration::from_millis(20);

/// How long it may wait after a second packet has come: more come soon, and one acknowledgement for all of them saves
/// both sides work. It is short against the delay that congestion control measures.
pub const SHORT_ACK_DELAY: Duration = Duration::from_millis(2);

/// An acknowledgement does not wait for more than this many packets.
pub const ACK_PACKETS: u32 = 16;

/// Acknowledgements for the same packet after which the next one is thought to be lost, and as many packets that
/// arrived though they were sent later (BEP 29, RFC 6675).
pub const DUPLICATE_ACKS: u32 = 3;

/// A packet without payload is sent after this time without any: home routers forget mappings after 30 s (libutp).
pub const KEEP_ALIVE: Duration = Duration::from_secs(29);

/// The longest pause between probes of a window that is closed (libutp).
pub const MAX_WINDOW_PROBE: Duration = Duration::from_secs(15);

/// How long a connection that was closed here tries to deliver what it has accepted.
pub const LINGER: Duration = Duration::from_secs(30);

/// How long a connection that has ended on both sides answers repeated packets.
pub const TIME_WAIT: Duration = Duration::from_secs(2);
