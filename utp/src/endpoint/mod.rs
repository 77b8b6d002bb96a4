//! All connections of one port.

mod resets;
mod table;

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use crate::config::Config;
use crate::connection::{Changes, CloseReason, Connection, Plan, Stats, Transmit};
use crate::limits::{MAX_EVENTS, MAX_SEGMENTS};
use crate::packet::Packet;

pub use table::ConnectError;
pub(crate) use table::{Route, Table};

/// A connection of an [`Endpoint`]. It is never used for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey {
    slot: usize,
    generation: u64,
}

#[cfg(feature = "__fuzz")]
impl ConnectionKey {
    /// That of no connection.
    pub(crate) const fn none() -> Self {
        Self {
            slot: 0,
            generation: u64::MAX,
        }
    }
}

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Another has begun a connection and has proven its address.
    Accepted {
        /// The connection.
        key: ConnectionKey,
        /// Who.
        remote: SocketAddr,
    },
    /// A connection that was begun here is established.
    Connected {
        /// The connection.
        key: ConnectionKey,
    },
    /// There are bytes to read, or the end.
    Readable {
        /// The connection.
        key: ConnectionKey,
    },
    /// There is room to write again.
    Writable {
        /// The connection.
        key: ConnectionKey,
    },
    /// The connection has ended: what has arrived can still be read, until [`Endpoint::close`] is called.
    Closed {
        /// The connection.
        key: ConnectionKey,
        /// Why.
        reason: CloseReason,
    },
}

/// An operation of a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// There is nothing to read, or no room to write: an event tells when there is.
    #[error("nothing can be read or written now")]
    WouldBlock,
    /// The connection has ended.
    #[error("{0}")]
    Closed(CloseReason),
    /// The endpoint knows no such connection.
    #[error("there is no such connection")]
    Unknown,
}

#[derive(Debug)]
struct Entry {
    generation: u64,
    connection: Connection,
    is_incoming: bool,
    is_announced: bool,
    /// The program will not ask any more.
    is_released: bool,
    /// It stands in the list of those that may have something to send.
    is_queued: bool,
    timeout: Option<Instant>,
    /// Its part of the memory that buffers may grow by.
    lent: usize,
}

/// All connections of one port, as a state machine: datagrams, time and the program's calls go in; datagrams and events
/// come out.
///
/// Any call order is safe. After calls that begin with `handle`, and after [`read`](Self::read), [`write`](Self::write),
/// [`connect`](Self::connect), [`shutdown`](Self::shutdown) and [`close`](Self::close), poll until there is no more to
/// transmit; datagrams that arrive together are better handled together before that.
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    table: Table<usize>,
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    next_generation: u64,
    timeouts: BTreeSet<(Instant, usize)>,
    events: VecDeque<Event>,
    /// Connections that may have something to send.
    queue: VecDeque<usize>,
    /// The memory that all buffers have grown by.
    lent: usize,
    /// A reset for a packet of an unknown connection.
    resets: VecDeque<(SocketAddr, Vec<u8>)>,
    scratch: Vec<u8>,
}

impl Endpoint {
    /// An endpoint without connections, whose clock begins at `now`.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            table: Table::new(&config, now),
            config,
            entries: Vec::new(),
            free: Vec::new(),
            next_generation: 0,
            timeouts: BTreeSet::new(),
            events: VecDeque::new(),
            queue: VecDeque::new(),
            lent: 0,
            resets: VecDeque::new(),
            scratch: Vec::new(),
        }
    }

    /// Begins a connection. [`Event::Connected`] or [`Event::Closed`] follows.
    ///
    /// # Errors
    ///
    /// When there are too many connections.
    pub fn connect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
    ) -> Result<ConnectionKey, ConnectError> {
        let opening = self.table.open(now, remote)?;
        let slot = self.next_slot();
        self.table.insert(&opening, slot);
        let connection = Connection::connect(&self.config, &opening);
        let key = self.insert(slot, connection, false);
        self.after(key.slot);
        Ok(key)
    }

    /// A datagram has arrived.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, payload: &[u8]) {
        let Ok(packet) = Packet::decode(payload) else {
            return;
        };
        match self.table.route(now, from, &packet) {
            Route::Existing(slot) => {
                if let Some(entry) = self.entries.get_mut(slot).and_then(Option::as_mut) {
                    let was_half_open = entry.connection.is_half_open();
                    entry.connection.handle_packet(now, &packet);
                    if was_half_open && !entry.connection.is_half_open() {
                        self.table.on_proven();
                    }
                }
                self.after(slot);
            }
            Route::New if self.events.len() < MAX_EVENTS => {
                let Some(opening) = self.table.accept(now, from, &packet) else {
                    return;
                };
                let slot = self.next_slot();
                self.table.insert(&opening, slot);
                let connection = Connection::accept(&self.config, &opening, &packet.header);
                let key = self.insert(slot, connection, true);
                self.after(key.slot);
            }
            Route::Reset(reset) => self.resets.push_back((from, reset.to_vec())),
            Route::New | Route::Ignored => {}
        }
    }

    /// Does what is due. Call it when the time of [`poll_timeout`](Self::poll_timeout) has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, slot)) = self.timeouts.first()
            && at <= now
        {
            self.timeouts.pop_first();
            if let Some(entry) = self.entries.get_mut(slot).and_then(Option::as_mut) {
                entry.timeout = None;
                let was_half_open = entry.connection.is_half_open();
                entry.connection.handle_timeout(now);
                if was_half_open && !entry.connection.is_half_open() {
                    self.table.on_proven();
                }
            }
            self.after(slot);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timeouts.first().map(|(at, _)| *at)
    }

    /// The next datagrams to send. `now` is written into their headers, so it should be the time of sending.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit<'_>> {
        if let Some((to, reset)) = self.resets.pop_front() {
            self.scratch = reset;
            return Some(Transmit::single(to, &self.scratch));
        }
        let (slot, plan) = self.next_plan(now)?;
        let entry = self.entries.get_mut(slot).and_then(Option::as_mut)?;
        Some(entry.connection.transmit(now, plan))
    }

    /// The next connection that has something to send, and what.
    fn next_plan(&mut self, now: Instant) -> Option<(usize, Plan)> {
        while let Some(&slot) = self.queue.front() {
            let entry = self.entries.get_mut(slot).and_then(Option::as_mut);
            let plan = entry.and_then(|entry| entry.connection.plan(now, MAX_SEGMENTS));
            if let Some(plan) = plan {
                return Some((slot, plan));
            }
            self.queue.pop_front();
            if let Some(entry) = self.entries.get_mut(slot).and_then(Option::as_mut) {
                entry.is_queued = false;
            }
            self.after_sent(slot);
        }
        None
    }

    /// The next event.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Reads what has arrived into `buf`, and returns how many bytes. 0: the peer has ended its stream, or `buf` is
    /// empty.
    ///
    /// # Errors
    ///
    /// When nothing has arrived, or the connection has been lost and all that came before has been read.
    pub fn read(&mut self, key: ConnectionKey, buf: &mut [u8]) -> Result<usize, StreamError> {
        let connection = self.connection_mut(key)?;
        let mut read = 0;
        while let Some(room) = buf.get_mut(read..)
            && !room.is_empty()
        {
            let bytes = connection.peek();
            let len = bytes.len().min(room.len());
            if len == 0 {
                break;
            }
            room.iter_mut()
                .zip(bytes)
                .for_each(|(to, from)| *to = *from);
            connection.consume(len);
            read += len;
        }
        if read == 0 && !buf.is_empty() {
            match connection.closed() {
                _ if connection.is_end_received() => {}
                Some(reason) => return Err(StreamError::Closed(reason)),
                None => return Err(StreamError::WouldBlock),
            }
        }
        self.after(key.slot);
        Ok(read)
    }

    /// Takes as many of `bytes` as there is room for, and returns how many.
    ///
    /// # Errors
    ///
    /// When there is no room, or the connection has ended.
    pub fn write(&mut self, key: ConnectionKey, bytes: &[u8]) -> Result<usize, StreamError> {
        let connection = self.connection_mut(key)?;
        if let Some(reason) = connection.closed() {
            return Err(StreamError::Closed(reason));
        }
        let written = connection.write(bytes);
        if written == 0 && !bytes.is_empty() {
            return Err(StreamError::WouldBlock);
        }
        self.after(key.slot);
        Ok(written)
    }

    /// Ends the stream to the peer, behind what has been written. Reading goes on.
    ///
    /// # Errors
    ///
    /// When there is no such connection.
    pub fn shutdown(&mut self, key: ConnectionKey) -> Result<(), StreamError> {
        self.connection_mut(key)?.shutdown();
        self.after(key.slot);
        Ok(())
    }

    /// Gives a connection back: what has been written is delivered, if the peer takes it within
    /// [`LINGER`](crate::limits::LINGER); the key means nothing any more, and no event follows.
    pub fn close(&mut self, now: Instant, key: ConnectionKey) {
        if let Ok(connection) = self.connection_mut(key) {
            connection.close(now);
            if let Some(entry) = self.entries.get_mut(key.slot).and_then(Option::as_mut) {
                entry.is_released = true;
            }
            self.after(key.slot);
        }
    }

    /// Counters of a connection; `None` if there is no such connection.
    #[must_use]
    pub fn stats(&self, key: ConnectionKey) -> Option<Stats> {
        let entry = self.entries.get(key.slot)?.as_ref()?;
        (entry.generation == key.generation).then(|| entry.connection.stats())
    }

    /// How many connections there are, those included that end.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.table.len()
    }

    /// Asserts that the bookkeeping of all connections is right.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[cfg(feature = "__fuzz")]
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        let entries = self.entries.iter().flatten();
        entries
            .clone()
            .for_each(|entry| entry.connection.check_invariants());
        let half_open = entries.filter(|entry| entry.connection.is_half_open());
        assert!(half_open.count() <= self.config.backlog);
        assert!(self.table.len() <= self.config.max_connections);
        let lent = self.entries.iter().flatten().map(|entry| entry.lent);
        assert_eq!(lent.sum::<usize>(), self.lent);
        assert!(self.lent <= self.config.buffer_memory);
    }

    fn connection_mut(&mut self, key: ConnectionKey) -> Result<&mut Connection, StreamError> {
        let entry = self.entries.get_mut(key.slot).and_then(Option::as_mut);
        let entry = entry.filter(|entry| entry.generation == key.generation && !entry.is_released);
        entry
            .map(|entry| &mut entry.connection)
            .ok_or(StreamError::Unknown)
    }

    fn next_slot(&self) -> usize {
        self.free.last().copied().unwrap_or(self.entries.len())
    }

    fn insert(&mut self, slot: usize, connection: Connection, is_incoming: bool) -> ConnectionKey {
        let generation = self.next_generation;
        self.next_generation += 1;
        let entry = Some(Entry {
            generation,
            connection,
            is_incoming,
            is_announced: false,
            is_released: false,
            is_queued: false,
            timeout: None,
            lent: 0,
        });
        self.free.pop();
        match self.entries.get_mut(slot) {
            Some(free) => *free = entry,
            None => self.entries.push(entry),
        }
        ConnectionKey { slot, generation }
    }

    /// A connection was touched: its events, its timer, its place in the queue.
    fn after(&mut self, slot: usize) {
        let Some(entry) = self.entries.get_mut(slot).and_then(Option::as_mut) else {
            return;
        };
        entry
            .connection
            .grow(self.config.buffer_memory.saturating_sub(self.lent));
        let lent = entry.connection.lent();
        self.lent = self.lent - entry.lent + lent;
        entry.lent = lent;
        let changes = entry.connection.take_changes();
        let key = ConnectionKey {
            slot,
            generation: entry.generation,
        };
        if !entry.is_released {
            Self::announce(entry, key, changes, &mut self.events);
        }
        if !entry.is_queued {
            entry.is_queued = true;
            self.queue.push_back(slot);
        }
        self.update_timeout(slot);
    }

    fn announce(
        entry: &mut Entry,
        key: ConnectionKey,
        changes: Changes,
        events: &mut VecDeque<Event>,
    ) {
        let remote = entry.connection.remote();
        if changes.is_connected {
            entry.is_announced = true;
            events.push_back(if entry.is_incoming {
                Event::Accepted { key, remote }
            } else {
                Event::Connected { key }
            });
        }
        // An incoming connection that is not proven is none yet.
        if entry.is_incoming && !entry.is_announced {
            return;
        }
        if changes.is_readable {
            events.push_back(Event::Readable { key });
        }
        if changes.is_writable && !changes.is_connected {
            events.push_back(Event::Writable { key });
        }
        if changes.is_closed
            && let Some(reason) = entry.connection.closed()
        {
            events.push_back(Event::Closed { key, reason });
        }
    }

    fn update_timeout(&mut self, slot: usize) {
        if let Some(entry) = self.entries.get_mut(slot).and_then(Option::as_mut) {
            let timeout = entry.connection.poll_timeout();
            if timeout != entry.timeout {
                if let Some(old) = entry.timeout {
                    self.timeouts.remove(&(old, slot));
                }
                if let Some(new) = timeout {
                    self.timeouts.insert((new, slot));
                }
                entry.timeout = timeout;
            }
        }
    }

    /// A connection has nothing more to send: it is forgotten if it has ended and the program is done with it.
    fn after_sent(&mut self, slot: usize) {
        self.update_timeout(slot);
        let Some(Some(entry)) = self.entries.get(slot) else {
            return;
        };
        let connection = &entry.connection;
        if connection.closed().is_none() {
            return;
        }
        let (remote, id) = (connection.remote(), connection.receive_id());
        // A later connection may have the same id.
        self.table.remove(remote, id, &slot);
        if entry.is_released || (entry.is_incoming && !entry.is_announced) {
            self.lent -= entry.lent;
            if let Some(entry) = self.entries.get_mut(slot) {
                *entry = None;
            }
            self.free.push(slot);
        }
    }
}
