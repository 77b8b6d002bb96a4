//! Connections by address and id: where a datagram goes, who may begin a connection.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use super::resets::ResetLimiter;
use crate::config::Config;
use crate::connection::Opening;
use crate::packet::{HEADER_LEN, Header, Kind, Packet};

/// How often another id is drawn when one is in use.
const ID_ATTEMPTS: u32 = 64;

/// A connection cannot be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// As many as the configuration allows.
    #[error("there are {0} connections already")]
    TooMany(usize),
    /// Nearly all ids of connections with this address are in use.
    #[error("there are too many connections with this address")]
    NoId,
}

/// Where a packet goes.
#[derive(Debug)]
pub(crate) enum Route<T> {
    /// To this connection.
    Existing(T),
    /// It begins a connection, if there is room for one.
    New,
    /// Its connection is not known: this answers it.
    Reset([u8; HEADER_LEN]),
    /// Nowhere.
    Ignored,
}

/// Connections by the other's address and the id that its packets have.
#[derive(Debug)]
pub(crate) struct Table<T> {
    connections: HashMap<(SocketAddr, u16), T>,
    half_open: usize,
    backlog: usize,
    max_connections: usize,
    resets: ResetLimiter,
    rng: fastrand::Rng,
}

impl<T: Clone + PartialEq> Table<T> {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        Self {
            connections: HashMap::new(),
            half_open: 0,
            backlog: config.backlog,
            max_connections: config.max_connections,
            resets: ResetLimiter::new(now),
            rng: fastrand::Rng::with_seed(config.seed),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Where a packet goes. The id of a packet is that which its receiver expects; only a reset may have either.
    pub(crate) fn route(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &Packet<'_>,
    ) -> Route<T> {
        let header = &packet.header;
        let id = header.connection_id;
        if header.kind == Kind::Syn {
            // The id of the one who begins; it sends to the one after it from now on.
            let existing = self.connections.get(&(from, id.wrapping_add(1)));
            return existing.map_or(Route::New, |known| Route::Existing(known.clone()));
        }
        if let Some(known) = self.connections.get(&(from, id)) {
            return Route::Existing(known.clone());
        }
        if header.kind == Kind::Reset {
            return self.by_send_id(from, id);
        }
        if !self.resets.take(now) {
            return Route::Ignored;
        }
        let reset = Header {
            kind: Kind::Reset,
            connection_id: id,
            timestamp: 0,
            timestamp_difference: 0,
            window: 0,
            seq_nr: self.rng.u16(..),
            ack_nr: header.seq_nr,
        };
        Route::Reset(reset.encode(0))
    }

    /// A reset that answers a packet of ours bears the id that we have sent: the other one of the pair.
    fn by_send_id(&self, from: SocketAddr, id: u16) -> Route<T> {
        let ids = [id.wrapping_add(1), id.wrapping_sub(1)];
        let mut known = ids
            .into_iter()
            .filter_map(|id| self.connections.get(&(from, id)));
        let found = known.next();
        found.map_or(Route::Ignored, |known| Route::Existing(known.clone()))
    }

    /// Begins a connection of ours. It must be [inserted](Self::insert).
    pub(crate) fn open(
        &mut self,
        now: Instant,
        remote: SocketAddr,
    ) -> Result<Opening, ConnectError> {
        if self.connections.len() >= self.max_connections {
            return Err(ConnectError::TooMany(self.max_connections));
        }
        for _ in 0..ID_ATTEMPTS {
            let id = self.rng.u16(..);
            // A reset names either id of a pair, so neighbours are left free.
            let near = [id.wrapping_sub(1), id, id.wrapping_add(1)];
            let is_free = near
                .iter()
                .all(|id| !self.connections.contains_key(&(remote, *id)));
            if is_free {
                return Ok(self.opening(now, remote, id, id.wrapping_add(1)));
            }
        }
        Err(ConnectError::NoId)
    }

    /// Begins a connection that `syn` asks for, if there is room. It must be [inserted](Self::insert).
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        from: SocketAddr,
        syn: &Packet<'_>,
    ) -> Option<Opening> {
        let is_full = self.half_open >= self.backlog;
        if is_full || self.connections.len() >= self.max_connections {
            return None;
        }
        let send_id = syn.header.connection_id;
        let id = send_id.wrapping_add(1);
        self.half_open += 1;
        Some(self.opening(now, from, id, send_id))
    }

    fn opening(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        receive_id: u16,
        send_id: u16,
    ) -> Opening {
        Opening {
            now,
            remote,
            receive_id,
            send_id,
            first_seq: self.rng.u16(..),
            clock_offset: self.rng.u32(..),
        }
    }

    /// `entry` stands for the connection.
    pub(crate) fn insert(&mut self, opening: &Opening, entry: T) {
        let key = (opening.remote, opening.receive_id);
        self.connections.insert(key, entry);
    }

    /// All connections.
    #[cfg(feature = "tokio")]
    pub(crate) fn all(&self) -> Vec<T> {
        self.connections.values().cloned().collect()
    }

    /// A connection that was accepted is no longer half open: its address is proven, or it has ended.
    pub(crate) const fn on_proven(&mut self) {
        self.half_open = self.half_open.saturating_sub(1);
    }

    /// A connection has ended.
    pub(crate) fn remove(&mut self, remote: SocketAddr, id: u16, entry: &T) {
        if self.connections.get(&(remote, id)) == Some(entry) {
            self.connections.remove(&(remote, id));
        }
    }
}
