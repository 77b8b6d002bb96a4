//! The driver: connections over tokio, on a socket of its own or on a port that is shared with other protocols.
//!
//! - [`UtpSocket::bind`] opens a UDP socket, with the system's offloads where it has them (GSO, GRO, batched receive).
//! - [`UtpSocket::from_datagrams`] leaves the socket to the caller: it implements [`Datagrams`] to send, and hands what
//!   has arrived to the [`Receiver`].
//!
//! Each connection has a lock of its own and one small task for its time-outs. Packets are sent by the task that writes,
//! reads or receives; the table of all connections is locked once for each connection that is begun or ends, and for
//! each batch of datagrams from another connection than the batch before.

mod datagrams;
mod receiver;
mod shared;
mod socket;
mod stream;
mod udp;

pub use datagrams::Datagrams;
pub use receiver::Receiver;
pub use socket::UtpSocket;
pub use stream::{Interest, UtpStream};
pub use udp::{ReceiveBuffer, UdpDatagrams};
