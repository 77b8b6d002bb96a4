//! The connection slots of a fetch: which address gets one, and which connection makes room when another address waits.
//!
//! A peer that does not help costs a slot, and one host can run any number of peers. So a slot is lent for a turn of a
//! few round trips. A peer that sends what was requested keeps it for longer. When others wait, slots whose time is
//! over are taken back, from the peers that gave least first.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tailwater_types::address::{AddressGroup, Scope};

use super::LinkKey;

/// Connections that we make, those under way included. An info dictionary is small: a few peers would do if they were
/// all honest and quick.
pub const MAX_DIALLED: usize = 30;
/// Connections that peers make to us.
pub const MAX_CALLERS: usize = 10;
/// Connections with one address of a local network: several clients behind one router.
const MAX_LOCAL: usize = 4;
/// What a peer has to send in a turn to keep its slot: as many bytes as may be outstanding at it. Metadata of a usual
/// size is no longer.
const HELPFUL: u64 = 64 * 1024;
/// Turns that a connection may wait for its first request, while others get some.
const IDLE_TURNS: u32 = 3;
/// Turns that a dial may take: it needs more round trips.
const DIAL_TURNS: u32 = 2;
/// The most turns of a connection, even if the peer helps: it may be a liar that claims a large size.
const MAX_TURNS: u32 = 8;
/// A turn doubles each time its address has lost a slot, up to 16 times as long: so a slow honest peer has time enough
/// in the end.
const MAX_DOUBLINGS: u32 = 4;
/// Addresses whose turns are remembered: as many as are known.
const MAX_REMEMBERED: usize = 3_000;

/// How long a connection that waits for a permit of the session keeps its slot.
const QUEUED_WITHIN: Duration = Duration::from_secs(60);

/// The side that made a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Way {
    /// We did.
    Dialled,
    /// The peer did.
    Called,
}

impl Way {
    const fn limit(self) -> usize {
        match self {
            Self::Dialled => MAX_DIALLED,
            Self::Called => MAX_CALLERS,
        }
    }
}

/// The answer to an address that asks for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver has to handle every one: what is new breaks it on purpose"
)]
pub enum Admission {
    /// There is a free slot.
    Free,
    /// This connection makes room; then ask again.
    Displace(LinkKey),
    /// There is no slot before this time.
    Wait(Instant),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It waits for a permit of the session.
    Queued,
    Dialling,
    /// It has no request to answer.
    Idle,
    /// It has requests to answer, and has sent this many bytes since the first.
    Asked {
        bytes: u64,
    },
}

#[derive(Debug)]
struct Slot {
    addr: SocketAddr,
    way: Way,
    since: Instant,
    turn: Duration,
    phase: Phase,
    phase_began: Instant,
    /// Requests that it has not answered.
    outstanding: usize,
    /// Bytes in all.
    given: u64,
}

impl Slot {
    /// When the slot may be taken for others.
    fn ends(&self) -> Instant {
        let turns = match self.phase {
            // The peer can do nothing about it, and others would wait too.
            Phase::Queued => return self.since + QUEUED_WITHIN,
            Phase::Dialling => DIAL_TURNS,
            Phase::Idle => IDLE_TURNS,
            Phase::Asked { .. } => 1,
        };
        let last = self.since + self.turn * MAX_TURNS;
        last.min(self.phase_began + self.turn * turns)
    }

    const fn is_coming(&self) -> bool {
        matches!(self.phase, Phase::Queued | Phase::Dialling)
    }

    fn enter(&mut self, now: Instant, phase: Phase) {
        (self.phase, self.phase_began) = (phase, now);
    }
}

/// The length of a turn: a few round trips, as long as they can be from that address, and the time to send a few
/// blocks.
const fn turn(ip: IpAddr) -> Duration {
    match Scope::of(ip) {
        Scope::Global => Duration::from_secs(2),
        Scope::Shared | Scope::Local | Scope::LinkLocal => Duration::from_secs(1),
        Scope::Loopback => Duration::from_millis(500),
    }
}

/// The most connections with one address (IPv6: /64). On this machine tests and proxies run many clients, which only
/// their ports tell apart.
pub const fn max_links(ip: IpAddr) -> usize {
    match Scope::of(ip) {
        Scope::Global => 1,
        Scope::Shared | Scope::Local | Scope::LinkLocal => MAX_LOCAL,
        Scope::Loopback => usize::MAX,
    }
}

/// The slots of a fetch.
#[derive(Debug, Default)]
pub struct Slots {
    slots: BTreeMap<LinkKey, Slot>,
    /// How often an address has lost its slot.
    lost: BTreeMap<SocketAddr, u32>,
}

impl Slots {
    /// Whether an address may have a slot now. `is_named`: the user named it, so it shares its host's slots with no
    /// other.
    pub fn admission(&self, now: Instant, way: Way, addr: SocketAddr, is_named: bool) -> Admission {
        let group = AddressGroup::of(addr.ip());
        // A caller may be the one that we are calling.
        let is_rival = |slot: &Slot| {
            AddressGroup::of(slot.addr.ip()) == group && (way == Way::Dialled || !slot.is_coming())
        };
        let of_host = self.slots.values().filter(|slot| is_rival(slot)).count();
        if !is_named && of_host >= max_links(addr.ip()) {
            return self.first_to_go(now, is_rival);
        }
        let of_way = self.slots.values().filter(|slot| slot.way == way).count();
        if of_way >= way.limit() {
            return self.first_to_go(now, |slot| slot.way == way);
        }
        Admission::Free
    }

    fn first_to_go(&self, now: Instant, is_rival: impl Fn(&Slot) -> bool) -> Admission {
        let rivals = || self.slots.iter().filter(|(_, slot)| is_rival(slot));
        let over = rivals().filter(|(_, slot)| slot.ends() <= now);
        if let Some((&key, _)) = over.min_by_key(|(_, slot)| (slot.given, slot.since)) {
            return Admission::Displace(key);
        }
        let first = rivals().map(|(_, slot)| slot.ends()).min();
        Admission::Wait(first.unwrap_or(now))
    }

    /// When the next connection of a kind may be made, if it has an address of its own.
    pub fn opens(&self, now: Instant, way: Way) -> Instant {
        let of_way = || self.slots.values().filter(|slot| slot.way == way);
        let ends = of_way().map(Slot::ends).min();
        match of_way().count() < way.limit() {
            true => now,
            false => ends.map_or(now, |ends| ends.max(now)),
        }
    }

    /// A connection is wanted.
    pub fn queue(&mut self, now: Instant, key: LinkKey, addr: SocketAddr) {
        self.insert(now, key, addr, Way::Dialled);
    }

    /// The dial begins.
    pub fn dial(&mut self, now: Instant, key: LinkKey) {
        if let Some(slot) = self.slots.get_mut(&key)
            && slot.phase == Phase::Queued
        {
            slot.since = now;
            slot.enter(now, Phase::Dialling);
        }
    }

    /// A peer has connected to us.
    pub fn call(&mut self, now: Instant, key: LinkKey, addr: SocketAddr) {
        self.insert(now, key, addr, Way::Called);
    }

    fn insert(&mut self, now: Instant, key: LinkKey, addr: SocketAddr, way: Way) {
        let lost = self.lost.get(&addr).copied().unwrap_or(0);
        let slot = Slot {
            addr,
            way,
            since: now,
            turn: turn(addr.ip()) * 2_u32.pow(lost.min(MAX_DOUBLINGS)),
            phase: match way {
                Way::Dialled => Phase::Queued,
                Way::Called => Phase::Idle,
            },
            phase_began: now,
            outstanding: 0,
            given: 0,
        };
        self.slots.insert(key, slot);
    }

    /// The connection that is being made to an address.
    pub fn dialling(&self, addr: SocketAddr) -> Option<LinkKey> {
        let is_it = |slot: &Slot| slot.addr == addr && slot.is_coming();
        let mut slots = self.slots.iter();
        slots.find(|(_, slot)| is_it(slot)).map(|(key, _)| *key)
    }

    /// A dial has succeeded.
    pub fn connected(&mut self, now: Instant, key: LinkKey) {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.since = now;
            slot.enter(now, Phase::Idle);
        }
    }

    /// A peer is asked for a block.
    pub fn asked(&mut self, now: Instant, key: LinkKey) {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.outstanding += 1;
            if slot.phase == Phase::Idle {
                slot.enter(now, Phase::Asked { bytes: 0 });
            }
        }
    }

    /// A peer has answered with this many bytes, none if it refused.
    pub fn answered(&mut self, now: Instant, key: LinkKey, count: usize) {
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        // What it was not asked for counts for nothing.
        let Some(outstanding) = slot.outstanding.checked_sub(1) else {
            return;
        };
        slot.outstanding = outstanding;
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        slot.given = slot.given.saturating_add(count);
        let Phase::Asked { bytes } = slot.phase else {
            return;
        };
        let bytes = bytes.saturating_add(count);
        if outstanding == 0 && count > 0 {
            slot.enter(now, Phase::Idle);
        } else if bytes >= HELPFUL {
            slot.enter(now, Phase::Asked { bytes: 0 });
        } else {
            slot.phase = Phase::Asked { bytes };
        }
    }

    /// A connection made room for another: its address gets a longer turn the next time.
    pub fn displace(&mut self, key: LinkKey) {
        let Some(slot) = self.slots.remove(&key) else {
            return;
        };
        if slot.way == Way::Dialled
            && (self.lost.len() < MAX_REMEMBERED || self.lost.contains_key(&slot.addr))
        {
            *self.lost.entry(slot.addr).or_default() += 1;
        }
    }

    /// A connection has ended.
    pub fn remove(&mut self, key: LinkKey) {
        self.slots.remove(&key);
    }

    /// Connections that we make or have made.
    pub fn count_dialled(&self) -> usize {
        let slots = self.slots.values();
        slots.filter(|slot| slot.way == Way::Dialled).count()
    }

    /// A dial that takes longer than it may when others wait.
    pub fn late_dial(&self, now: Instant) -> Option<LinkKey> {
        let mut slots = self.slots.iter();
        let is_late = |slot: &Slot| slot.is_coming() && slot.ends() <= now;
        slots.find(|(_, slot)| is_late(slot)).map(|(key, _)| *key)
    }

    /// When [`Self::late_dial`] has something, if nothing else happens.
    pub fn next_late_dial(&self) -> Option<Instant> {
        let slots = self.slots.values().filter(|slot| slot.is_coming());
        slots.map(Slot::ends).min()
    }

    /// Connections that are being made.
    pub fn count_dialling(&self) -> usize {
        let slots = self.slots.values();
        slots.filter(|slot| slot.is_coming()).count()
    }
}

#[cfg(test)]
mod tests;
