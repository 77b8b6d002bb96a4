//! UDP trackers (BEP 15, BEP 41): packets, and the client's side of one exchange.

mod exchange;
mod options;
mod packet;
mod reader;
#[cfg(test)]
mod tests;

pub use exchange::{
    CONNECTION_LIFETIME, Connection, Exchange, MAX_RETRANSMISSIONS, Reply, Transmit,
};
pub use options::MAX_URL_DATA_LEN;
pub use packet::{Family, MAX_PACKET_LEN, Request, Response};
