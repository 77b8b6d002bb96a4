//! Counters of connections and bytes, updated by scripts and their drivers.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that several scripts and their driver share.
#[derive(Debug, Default)]
pub struct Counts {
    connections: AtomicU64,
    refused: AtomicU64,
    ended: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    payload: AtomicU64,
    corrupt: AtomicU64,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $get:ident, $add:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $get(&self) -> u64 {
            self.$get.load(Ordering::Relaxed)
        }

        pub(crate) fn $add(&self, count: u64) {
            self.$get.fetch_add(count, Ordering::Relaxed);
        }
    )*};
}

impl Counts {
    counters! {
        /// Connections that were established, outgoing or incoming.
        connections, add_connections;
        /// Connections that were refused.
        refused, add_refused;
        /// Connections that the other side closed.
        ended, add_ended;
        /// Bytes sent.
        sent, add_sent;
        /// Bytes received.
        received, add_received;
        /// Bytes of blocks that an honest side of the kit has sent or received.
        payload, add_payload;
        /// Blocks with wrong bytes.
        corrupt, add_corrupt;
    }
}
