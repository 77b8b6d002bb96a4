//! The simulated network: hosts, connections, datagrams, timers, in simulated time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::agenda::{Agenda, Nanos};
use crate::digest::Digest;
use crate::event::{ConnId, Event, HostId};
use crate::host::{Host, Outgoing};
use crate::link::Link;
use crate::stream::{End, EndState, Ends};
use crate::timer::{Fired, Timers};

/// A network of hosts, in simulated time.
///
/// Time stands still while the caller works, and jumps to the next event in [`next_event`](Self::next_event).
/// The same seed and the same calls give the same events; [`digest`](Self::digest) tells whether they did.
#[derive(Debug)]
pub struct Network {
    start: Instant,
    now: Nanos,
    agenda: Agenda<Action>,
    hosts: Vec<Host>,
    by_addr: HashMap<SocketAddr, HostId>,
    ends: Ends,
    timers: Timers,
    rng: fastrand::Rng,
    digest: Digest,
}

/// An internal event of the network at a set time. A connection is given by the end that the event acts on.
#[derive(Debug)]
enum Action {
    /// `connect` reaches the address.
    Call { conn: ConnId, to: SocketAddr },
    /// The answer to `connect` comes back.
    Answer { conn: ConnId, is_accepted: bool },
    /// The host's line upwards is free again.
    UplinkFree { host: HostId },
    /// Bytes, or with none the end of the stream, reach the receiver's line.
    Arrive { conn: ConnId, bytes: Vec<u8> },
    /// They have passed the receiver's line.
    Deliver { conn: ConnId, bytes: Vec<u8> },
    /// The sender learns that bytes were delivered.
    Acknowledge { conn: ConnId, bytes: usize },
    /// A datagram reaches the receiver's line.
    DatagramArrive {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// It has passed the receiver's line.
    DatagramDeliver {
        from: SocketAddr,
        host: HostId,
        bytes: Vec<u8>,
    },
    /// A timer may be due.
    Timer { host: HostId, token: u64 },
}

impl Network {
    /// An empty network whose clock begins at `start` and whose randomness comes from `seed` alone.
    #[must_use]
    pub fn new(seed: u64, start: Instant) -> Self {
        Self {
            start,
            now: 0,
            agenda: Agenda::new(),
            hosts: Vec::new(),
            by_addr: HashMap::new(),
            ends: Ends::default(),
            timers: Timers::default(),
            rng: fastrand::Rng::with_seed(seed),
            digest: Digest::new(seed),
        }
    }

    /// The simulated time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.at(self.now)
    }

    /// The simulated time since the beginning.
    #[must_use]
    pub const fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    /// A fingerprint of every event so far, with its time and payload. Two runs with the same digest had the same
    /// events.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.digest.get()
    }

    /// Attaches a host that is reached at `addr`, by streams and by datagrams. An older host of this address is
    /// no longer reached.
    pub fn add_host(&mut self, addr: SocketAddr, link: Link) -> HostId {
        // A simulation of 2^32 hosts would have run out of memory long before.
        let host = HostId(u32::try_from(self.hosts.len()).unwrap_or(u32::MAX));
        self.hosts.push(Host::new(addr, link));
        self.by_addr.insert(addr, host);
        host
    }

    /// The address that a host is reached at.
    ///
    /// # Panics
    ///
    /// When the host is of another network.
    #[must_use]
    pub fn addr(&self, host: HostId) -> SocketAddr {
        self.host(host).addr
    }

    /// Whether a host accepts connections. It does by default; turn it off for a host behind a NAT.
    pub fn set_accepting(&mut self, host: HostId, is_accepting: bool) {
        self.host_mut(host).is_accepting = is_accepting;
    }

    /// Removes a host abruptly: its timers are gone, data in flight to it is lost, and its peers see their connections
    /// end one delay later, as if its machine had reset them.
    pub fn kill(&mut self, host: HostId) {
        let entry = self.host_mut(host);
        entry.is_up = false;
        entry.uplink.queue.clear();
        entry.uplink.datagram_bytes = 0;
        let addr = entry.addr;
        if self.by_addr.get(&addr) == Some(&host) {
            self.by_addr.remove(&addr);
        }
        self.timers.cancel_all(host);
        for conn in self.ends.of_host(host) {
            self.reset(conn);
        }
    }

    /// Begins a connection. [`Event::Connected`] or [`Event::Refused`] follows after one round trip; data that is sent
    /// earlier waits until then.
    pub fn connect(&mut self, host: HostId, to: SocketAddr) -> ConnId {
        let conn = self.ends.insert(End::new(host, None, EndState::Connecting));
        let at = self.after(self.path_delay(host, to));
        self.agenda.push(at, Action::Call { conn, to });
        conn
    }

    /// Gives bytes to a connection, and returns how many it took: none when it has ended, fewer than given when its
    /// buffer is full. Then [`Event::Writable`] follows when there is room.
    pub fn send(&mut self, conn: ConnId, bytes: &[u8]) -> usize {
        let Some(end) = self.ends.get_mut(conn) else {
            return 0;
        };
        if end.state == EndState::Closing {
            return 0;
        }
        let limit = self.hosts[end.host.as_usize()].link.send_buffer();
        let room = limit.saturating_sub(end.buffer.len() + end.in_flight);
        let taken = room.min(bytes.len());
        end.buffer.extend(&bytes[..taken]);
        end.is_starved = taken < bytes.len();
        self.enqueue(conn);
        taken
    }

    /// Closes a connection. Bytes that it has taken are still delivered, then the other end gets [`Event::Closed`].
    /// This end gets no more events. Closing twice is harmless. A connection that is not established yet is dropped, as
    /// by [`reset`](Self::reset).
    pub fn close(&mut self, conn: ConnId) {
        let Some(end) = self.ends.get_mut(conn) else {
            return;
        };
        match end.state {
            EndState::Closing => {}
            EndState::Connecting => self.reset(conn),
            EndState::Open => {
                end.state = EndState::Closing;
                self.enqueue(conn);
            }
        }
    }

    /// Resets a connection at once: bytes that it has not put on the line are lost.
    pub fn reset(&mut self, conn: ConnId) {
        let Some(end) = self.ends.remove(conn) else {
            return;
        };
        let Some(peer) = end.peer else {
            return;
        };
        if let Some(other) = self.ends.get(peer) {
            let at = self.after(self.delay_between(end.host, other.host));
            self.agenda.push(
                at,
                Action::Arrive {
                    conn: peer,
                    bytes: Vec::new(),
                },
            );
        }
    }

    /// Sends a datagram. It may be lost: by chance, by a full queue on either side, or because no host has the address.
    pub fn send_datagram(&mut self, host: HostId, to: SocketAddr, bytes: Vec<u8>) {
        let entry = self.host_mut(host);
        let waiting = entry.uplink.datagram_bytes;
        let is_full = waiting + bytes.len() > entry.link.queue_bytes();
        if !entry.is_up || (entry.uplink.is_busy && is_full) {
            return;
        }
        entry.uplink.datagram_bytes += bytes.len();
        entry
            .uplink
            .queue
            .push_back(Outgoing::Datagram { to, bytes });
        self.pump(host);
    }

    /// How long a datagram that reached the host's line downwards now would wait for those before it.
    ///
    /// # Panics
    ///
    /// When the host is of another network.
    #[must_use]
    pub fn wait_down(&self, host: HostId) -> Duration {
        Duration::from_nanos(self.host(host).wait_down(self.now))
    }

    /// Sets a timer of a host, or moves it when one of this token is set. A time that has passed means now.
    pub fn set_timer(&mut self, host: HostId, at: Instant, token: u64) {
        let offset = at.saturating_duration_since(self.start).as_nanos();
        let due = Nanos::try_from(offset).unwrap_or(Nanos::MAX).max(self.now);
        if self.host(host).is_up && self.timers.set(host, token, due) {
            self.agenda.push(due, Action::Timer { host, token });
        }
    }

    /// Cancels a timer, if it is set.
    pub fn cancel_timer(&mut self, host: HostId, token: u64) {
        self.timers.cancel(host, token);
    }

    /// Moves time to the next event and returns it; `None` when nothing will ever happen.
    pub fn next_event(&mut self) -> Option<(Instant, Event)> {
        self.next_before(Nanos::MAX)
    }

    /// Moves time to the next event up to and including `limit` and returns it; with none, moves it to `limit`.
    pub fn next_event_until(&mut self, limit: Instant) -> Option<(Instant, Event)> {
        let offset = limit.saturating_duration_since(self.start).as_nanos();
        let limit = Nanos::try_from(offset).unwrap_or(Nanos::MAX);
        let event = self.next_before(limit);
        if event.is_none() {
            self.now = self.now.max(limit);
        }
        event
    }

    fn next_before(&mut self, limit: Nanos) -> Option<(Instant, Event)> {
        while let Some((at, action)) = self.agenda.pop_until(limit) {
            self.now = at;
            if let Some(event) = self.act(action) {
                self.digest.event(at, &event);
                return Some((self.at(at), event));
            }
        }
        None
    }

    fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Call { conn, to } => self.call(conn, to),
            Action::Answer { conn, is_accepted } => self.answer(conn, is_accepted),
            Action::UplinkFree { host } => {
                self.host_mut(host).uplink.is_busy = false;
                self.pump(host);
                None
            }
            Action::Arrive { conn, bytes } => self.arrive(conn, bytes),
            Action::Deliver { conn, bytes } => self.deliver(conn, bytes),
            Action::Acknowledge { conn, bytes } => self.acknowledge(conn, bytes),
            Action::DatagramArrive { from, to, bytes } => self.datagram_arrive(from, to, bytes),
            Action::DatagramDeliver { from, host, bytes } => {
                let is_up = self.host(host).is_up;
                is_up.then_some(Event::Datagram { host, from, bytes })
            }
            Action::Timer { host, token } => match self.timers.fire(host, token, self.now) {
                Fired::Due => Some(Event::Timer { host, token }),
                Fired::Later(at) => {
                    self.agenda.push(at, Action::Timer { host, token });
                    None
                }
                Fired::Stale => None,
            },
        }
    }

    fn call(&mut self, conn: ConnId, to: SocketAddr) -> Option<Event> {
        let caller = self.ends.get(conn)?.host;
        let callee = self
            .by_addr
            .get(&to)
            .copied()
            .filter(|&host| self.host(host).is_accepting);
        let at = self.after(self.path_delay(caller, to));
        let is_accepted = callee.is_some();
        self.agenda.push(at, Action::Answer { conn, is_accepted });

        let host = callee?;
        let from = self.host_mut(caller).ephemeral_addr();
        let accepted = self.ends.insert(End::new(host, Some(conn), EndState::Open));
        self.ends.get_mut(conn)?.peer = Some(accepted);
        Some(Event::Accepted {
            host,
            conn: accepted,
            from,
        })
    }

    fn answer(&mut self, conn: ConnId, is_accepted: bool) -> Option<Event> {
        let end = self.ends.get_mut(conn)?;
        let host = end.host;
        if !is_accepted {
            self.ends.remove(conn);
            return Some(Event::Refused { host, conn });
        }
        end.state = EndState::Open;
        self.enqueue(conn);
        Some(Event::Connected { host, conn })
    }

    fn arrive(&mut self, conn: ConnId, bytes: Vec<u8>) -> Option<Event> {
        let host = self.ends.get(conn)?.host;
        let now = self.now;
        let at = self.host_mut(host).pass_down(now, bytes.len());
        if at == now {
            return self.deliver(conn, bytes);
        }
        self.agenda.push(at, Action::Deliver { conn, bytes });
        None
    }

    fn deliver(&mut self, conn: ConnId, bytes: Vec<u8>) -> Option<Event> {
        let end = self.ends.get(conn)?;
        let (host, state, peer) = (end.host, end.state, end.peer);
        if bytes.is_empty() {
            self.ends.remove(conn);
            return (state == EndState::Open).then_some(Event::Closed { host, conn });
        }
        if let Some(peer) = peer
            && let Some(sender) = self.ends.get(peer)
        {
            let at = self.after(self.delay_between(host, sender.host));
            let acknowledge = Action::Acknowledge {
                conn: peer,
                bytes: bytes.len(),
            };
            self.agenda.push(at, acknowledge);
        }
        (state == EndState::Open).then_some(Event::Data { host, conn, bytes })
    }

    fn acknowledge(&mut self, conn: ConnId, bytes: usize) -> Option<Event> {
        let end = self.ends.get_mut(conn)?;
        end.in_flight = end.in_flight.saturating_sub(bytes);
        let is_told = end.is_starved && end.state == EndState::Open;
        let host = end.host;
        if is_told {
            end.is_starved = false;
        }
        is_told.then_some(Event::Writable { host, conn })
    }

    fn datagram_arrive(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    ) -> Option<Event> {
        let host = *self.by_addr.get(&to)?;
        let now = self.now;
        let entry = self.host_mut(host);
        if !entry.has_room_down(now) {
            return None;
        }
        let at = entry.pass_down(now, bytes.len());
        if at == now {
            return Some(Event::Datagram { host, from, bytes });
        }
        self.agenda
            .push(at, Action::DatagramDeliver { from, host, bytes });
        None
    }

    /// Queues a connection that has bytes to send in its host's uplink.
    fn enqueue(&mut self, conn: ConnId) {
        let Some(end) = self.ends.get_mut(conn) else {
            return;
        };
        let has_work = !end.buffer.is_empty() || end.state == EndState::Closing;
        if end.is_queued || !has_work || end.state == EndState::Connecting {
            return;
        }
        end.is_queued = true;
        let host = end.host;
        let uplink = &mut self.host_mut(host).uplink;
        uplink.queue.push_back(Outgoing::Stream(conn));
        self.pump(host);
    }

    /// Sends queued segments and datagrams while the uplink is free.
    fn pump(&mut self, host: HostId) {
        loop {
            let uplink = &mut self.host_mut(host).uplink;
            if uplink.is_busy {
                return;
            }
            let Some(outgoing) = uplink.queue.pop_front() else {
                return;
            };
            match outgoing {
                Outgoing::Stream(conn) => self.transmit(host, conn),
                Outgoing::Datagram { to, bytes } => {
                    uplink.datagram_bytes -= bytes.len();
                    self.transmit_datagram(host, to, bytes);
                }
            }
        }
    }

    /// Puts the next segment of a connection on the line; after its last one, the end of the stream.
    fn transmit(&mut self, host: HostId, conn: ConnId) {
        let segment = self.host(host).link.segment();
        let Some(end) = self.ends.get_mut(conn) else {
            return;
        };
        end.is_queued = false;
        let bytes = end.take(segment);
        let len = bytes.len();
        let is_last = end.buffer.is_empty() && end.state == EndState::Closing;
        let peer = end.peer;
        let sent = self.occupy(host, len);
        if let Some(peer) = peer
            && let Some(other) = self.ends.get(peer)
        {
            let at = sent.saturating_add(self.delay_between(host, other.host));
            if !bytes.is_empty() {
                self.agenda.push(at, Action::Arrive { conn: peer, bytes });
            }
            if is_last {
                let bytes = Vec::new();
                self.agenda.push(at, Action::Arrive { conn: peer, bytes });
            }
        }
        if is_last {
            self.ends.remove(conn);
        } else {
            self.requeue(host, conn);
        }
    }

    /// Puts a connection that has more to send behind the others, without sending yet.
    fn requeue(&mut self, host: HostId, conn: ConnId) {
        if let Some(end) = self.ends.get_mut(conn)
            && !end.buffer.is_empty()
        {
            end.is_queued = true;
            let uplink = &mut self.host_mut(host).uplink;
            uplink.queue.push_back(Outgoing::Stream(conn));
        }
    }

    fn transmit_datagram(&mut self, host: HostId, to: SocketAddr, bytes: Vec<u8>) {
        let sent = self.occupy(host, bytes.len());
        let entry = self.host(host);
        let (from, loss) = (entry.addr, entry.link.loss_per_million());
        // Drawn for every datagram, so that changing one host's loss does not change the random numbers of the others.
        if self.rng.u32(0..1_000_000) < loss {
            return;
        }
        let at = sent.saturating_add(self.path_delay(host, to));
        self.agenda
            .push(at, Action::DatagramArrive { from, to, bytes });
    }

    /// Keeps the uplink busy with `bytes`, and returns until when.
    fn occupy(&mut self, host: HostId, bytes: usize) -> Nanos {
        let time = self.host(host).link.time_up(bytes);
        let until = self.after(time);
        if time > 0 {
            self.host_mut(host).uplink.is_busy = true;
            self.agenda.push(until, Action::UplinkFree { host });
        }
        until
    }

    fn path_delay(&self, from: HostId, to: SocketAddr) -> Nanos {
        let near = self.host(from).link.delay();
        let far = self
            .by_addr
            .get(&to)
            .map_or(0, |&host| self.host(host).link.delay());
        near.saturating_add(far)
    }

    fn delay_between(&self, one: HostId, other: HostId) -> Nanos {
        let (near, far) = (self.host(one).link.delay(), self.host(other).link.delay());
        near.saturating_add(far)
    }

    const fn after(&self, delay: Nanos) -> Nanos {
        self.now.saturating_add(delay)
    }

    fn at(&self, offset: Nanos) -> Instant {
        self.start + Duration::from_nanos(offset)
    }

    fn host(&self, host: HostId) -> &Host {
        &self.hosts[host.as_usize()]
    }

    fn host_mut(&mut self, host: HostId) -> &mut Host {
        &mut self.hosts[host.as_usize()]
    }
}
