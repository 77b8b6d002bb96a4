//! Datagrams that arrive.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::shared::{Core, Entry, Shared, now};
use super::stream::UtpStream;
use crate::Transmit;
use crate::connection::Connection;
use crate::endpoint::Route;
use crate::packet::Packet;

/// Takes the datagrams of a [`UtpSocket`](super::UtpSocket) that have arrived at a shared port.
///
/// [`handle`](Self::handle) does not wait. After all datagrams that were received together, call
/// [`flush`](Self::flush): it answers them, and wakes the tasks that wait for them.
#[derive(Debug)]
pub struct Receiver {
    core: Arc<Core>,
    accepted: mpsc::Sender<UtpStream>,
    /// The connection of the last datagram.
    last: Option<(SocketAddr, u16, Arc<Shared>)>,
    touched: Vec<Arc<Shared>>,
}

impl Receiver {
    pub(super) const fn new(core: Arc<Core>, accepted: mpsc::Sender<UtpStream>) -> Self {
        Self {
            core,
            accepted,
            last: None,
            touched: Vec::new(),
        }
    }

    /// Datagrams from one address, one behind the other, each `segment_len` bytes long, of which only the last may be
    /// shorter (GRO). What is no uTP is ignored.
    pub fn handle(&mut self, from: SocketAddr, contents: &[u8], segment_len: usize) {
        let now = now();
        let mut packets = contents
            .chunks(segment_len.max(1))
            .filter_map(|datagram| Packet::decode(datagram).ok())
            .peekable();
        while let Some(packet) = packets.next() {
            let Some(shared) = self.route(now, from, &packet) else {
                continue;
            };
            let id = packet.header.connection_id;
            let mut inner = shared.lock();
            inner.connection.handle_packet(now, &packet);
            // The whole run under one lock.
            while let Some(next) =
                packets.next_if(|next| next.header.connection_id == id && is_ordinary(next))
            {
                inner.connection.handle_packet(now, &next);
            }
            if inner.connection.closed().is_some() {
                // What comes now is for a connection that is not known.
                self.last = None;
            }
            let was_touched = std::mem::replace(&mut inner.is_touched, true);
            drop(inner);
            if !was_touched {
                self.touched.push(shared);
            }
        }
    }

    /// Answers what has arrived.
    pub fn flush(&mut self) {
        for shared in std::mem::take(&mut self.touched) {
            let mut inner = shared.lock();
            inner.is_touched = false;
            let was_connected = inner.is_connected;
            let is_proven = inner.is_half_open && !inner.connection.is_half_open();
            let wakes = shared.flush(&mut inner);
            let is_new = is_proven && inner.is_connected && !was_connected;
            inner.is_half_open &= !is_proven;
            drop(inner);
            wakes.wake();
            if is_proven {
                self.core.table.lock().on_proven();
            }
            if is_new {
                // If the program does not keep up with accepting, the stream is dropped, and the connection closed.
                let stream = UtpStream::new(shared);
                let _ = self.accepted.try_send(stream);
            }
        }
    }

    fn route(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &Packet<'_>,
    ) -> Option<Arc<Shared>> {
        let id = packet.header.connection_id;
        if let Some((last_from, last_id, shared)) = &self.last
            && (*last_from, *last_id) == (from, id)
            && is_ordinary(packet)
        {
            return Some(Arc::clone(shared));
        }
        let mut table = self.core.table.lock();
        match table.route(now, from, packet) {
            Route::Existing(Entry(shared)) => {
                if is_ordinary(packet) {
                    self.last = Some((from, id, Arc::clone(&shared)));
                }
                Some(shared)
            }
            Route::New => {
                let opening = table.accept(now, from, packet)?;
                let connection = Connection::accept(&self.core.config, &opening, &packet.header);
                let shared = Shared::new(Arc::clone(&self.core), connection);
                table.insert(&opening, Entry(Arc::clone(&shared)));
                drop(table);
                self.core.runtime.spawn(Arc::clone(&shared).run());
                shared.lock().is_touched = true;
                self.touched.push(shared);
                None
            }
            Route::Reset(reset) => {
                drop(table);
                // It may be lost, as any datagram.
                let _ = self
                    .core
                    .datagrams
                    .try_send(&Transmit::single(from, &reset));
                None
            }
            Route::Ignored => None,
        }
    }
}

/// Whether the id of a packet is that of its receiver, without exception.
fn is_ordinary(packet: &Packet<'_>) -> bool {
    use crate::packet::Kind::{Reset, Syn};
    !matches!(packet.header.kind, Reset | Syn)
}
