//! Local service discovery (BEP 14): announces our torrents by multicast, and finds the neighbours that have them too.
//!
//! [`LocalDiscovery`] does no I/O. When a torrent is announced:
//!
//! ```text
//!            added, or a network appears
//!                        │ at once
//!                        ▼                2 s, once
//!   newcomer heard ──▶ announce ──────────────────▶ announce
//!   within half a second ▲                             │
//!                        └─────────────────────────────┘
//!                                every 5 min
//! ```
//!
//! An announce is repeated, because multicast over the air gets lost and is not acknowledged. A newcomer is answered,
//! because it may be unable to receive connections and would otherwise wait for up to 5 minutes for our next announce;
//! a client that knows `MAX_NEIGHBOURS` others in the swarm does not answer, so no more than that and one do, however
//! many there are.
//!
//! A token bucket limits all packets: `PACKETS_AT_ONCE`, then one a minute. What is not urgent leaves a minute after
//! the packet before it at the earliest.

mod limiter;
mod networks;
mod schedule;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use tailwater_metainfo::InfoHash;
use tailwater_types::pacing::{Rate, TokenBucket};
use tailwater_wire::limits::MAX_LSD_SENT_HASHES;
use tailwater_wire::{LocalAnnounce, LsdCookie, LsdError};

use limiter::Limiter;
pub use networks::Network;
use schedule::{Due, Schedule};

/// How often a torrent is announced (BEP 14).
const ANNOUNCE_EVERY: Duration = Duration::from_secs(5 * 60);
/// How often a packet leaves (BEP 14), after the first few.
const PACKET_EVERY: Duration = Duration::from_secs(60);
/// Packets that may leave at once: those of `MAX_SINGLE` torrents with a packet each, and their repetitions.
const PACKETS_AT_ONCE: u32 = 10;
const PACKET_RATE: Rate = Rate::every(PACKET_EVERY, PACKETS_AT_ONCE);
/// Up to this many torrents, each has packets of its own, which fits one a minute: old clients take no more than one
/// info-hash, and Transmission 3 no packet of more than 200 bytes. Beyond, packets are filled (BEP 14).
const MAX_SINGLE: usize = 5;
/// How long after the first announce of a torrent the second one follows.
const REPEAT_AFTER: Duration = Duration::from_secs(2);
/// How long an answer may wait, so that answers of several clients do not collide.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// A client that announced a torrent within this time does not answer for it.
const ANSWER_GAP: Duration = PACKET_EVERY;
/// Neighbours that are remembered for each torrent. With this many, one of them announces it twice a minute anyway.
const MAX_NEIGHBOURS: usize = 8;
/// A neighbour that has been silent for this long has gone: it has missed two announces.
const NEIGHBOUR_FOR: Duration = Duration::from_secs(11 * 60);

/// The content of a packet that concerns us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where the neighbour accepts connections.
    pub addr: SocketAddr,
    /// The torrents that it shares with us; at least one, each once.
    pub info_hashes: Vec<InfoHash>,
}

/// Why a packet is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ignored {
    /// Its sender is in none of our networks.
    #[error("it comes from outside of the local networks")]
    Far,
    /// The rate limiter refuses it.
    #[error("too many come")]
    TooMany,
    /// It cannot be parsed.
    #[error(transparent)]
    Malformed(#[from] LsdError),
    /// It carries our own cookie.
    #[error("it is our own")]
    Own,
    /// It names no torrent of ours.
    #[error("it is about other torrents than ours")]
    OtherTorrents,
}

/// The state machine of local discovery: decides when to announce, and which announces of others to believe.
///
/// It must not be given private torrents (BEP 27): its driver passes the public ones to
/// [`LocalDiscovery::handle_torrents`].
#[derive(Debug)]
pub struct LocalDiscovery {
    /// Our listening port; 0 announces nothing.
    port: u16,
    cookie: LsdCookie,
    rng: fastrand::Rng,
    torrents: HashMap<InfoHash, Torrent>,
    schedule: Schedule,
    networks: Vec<Network>,
    packets: TokenBucket,
    last_sent: Option<Instant>,
    limiter: Limiter,
}

#[derive(Debug)]
struct Torrent {
    due: Due,
    announced: Option<Instant>,
    /// Whether another announce follows soon after the next one.
    repeat: bool,
    neighbours: Vec<(SocketAddr, Instant)>,
}

impl LocalDiscovery {
    /// `port` is our listening port; without one, it only receives. The cookie and the delays come from `seed`.
    pub fn new(port: Option<u16>, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        Self {
            port: port.unwrap_or(0),
            cookie: LsdCookie::from(rng.u64(..)),
            rng,
            torrents: HashMap::new(),
            schedule: Schedule::default(),
            networks: Vec::new(),
            packets: TokenBucket::default(),
            last_sent: None,
            limiter: Limiter::new(),
        }
    }

    /// Sets our public torrents. New ones are announced at once.
    pub fn handle_torrents(&mut self, now: Instant, public: &[InfoHash]) {
        let kept: HashSet<_> = public.iter().copied().collect();
        let schedule = &mut self.schedule;
        self.torrents.retain(|info_hash, torrent| {
            let stays = kept.contains(info_hash);
            if !stays {
                schedule.remove(*info_hash, torrent.due);
            }
            stays
        });
        for info_hash in kept {
            self.torrents.entry(info_hash).or_insert_with(|| {
                let due = Due::urgent(now);
                schedule.insert(info_hash, due);
                Torrent {
                    due,
                    announced: None,
                    repeat: true,
                    neighbours: Vec::new(),
                }
            });
        }
    }

    /// Sets the networks that we are in. A new one does not know of us: all torrents are announced at once.
    pub fn handle_networks(&mut self, now: Instant, networks: Vec<Network>) {
        let is_new = |network: &Network| {
            let known = &self.networks;
            !known.iter().any(|known| known.contains(network.addr))
        };
        let has_moved = networks.iter().any(is_new);
        self.networks = networks;
        if has_moved {
            for (info_hash, torrent) in &mut self.torrents {
                torrent.repeat = true;
                torrent.due = self.schedule.bring_forward(*info_hash, torrent.due, now);
            }
        }
    }

    /// Handles a packet that was received by one of the groups.
    ///
    /// # Errors
    ///
    /// Why it is ignored.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        from: SocketAddr,
        packet: &[u8],
    ) -> Result<Found, Ignored> {
        if !networks::is_near(from, &self.networks) {
            return Err(Ignored::Far);
        }
        if !self.limiter.admits(now, from.ip()) {
            return Err(Ignored::TooMany);
        }
        let announce = LocalAnnounce::parse(packet)?;
        if announce.cookie.as_ref() == Some(&self.cookie) {
            return Err(Ignored::Own);
        }
        let addr = listening(from, announce.port);
        let mut ours = announce.info_hashes;
        ours.sort_unstable();
        ours.dedup();
        ours.retain(|info_hash| self.torrents.contains_key(info_hash));
        for info_hash in &ours {
            self.meet(now, *info_hash, addr);
        }
        match ours.is_empty() {
            true => Err(Ignored::OtherTorrents),
            false => Ok(Found {
                addr,
                info_hashes: ours,
            }),
        }
    }

    /// The next packet, which is for every group on every interface.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant) -> Option<LocalAnnounce> {
        if self.poll_timeout()? > now || !self.packets.take(now, PACKET_RATE, 1) {
            return None;
        }
        let info_hashes = self.take_due(now);
        for info_hash in &info_hashes {
            if let Some(torrent) = self.torrents.get_mut(info_hash) {
                torrent.announced = Some(now);
                torrent.due = match std::mem::take(&mut torrent.repeat) {
                    true => Due::urgent(now + REPEAT_AFTER),
                    false => Due::routine(now + ANNOUNCE_EVERY),
                };
                self.schedule.insert(*info_hash, torrent.due);
            }
        }
        self.last_sent = Some(now);
        Some(LocalAnnounce {
            port: self.port,
            info_hashes,
            cookie: Some(self.cookie.clone()),
        })
    }

    /// When [`LocalDiscovery::poll_transmit`] has a packet.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.port == 0 {
            return None;
        }
        let ready = self.packets.ready_from(PACKET_RATE, 1);
        let routine_ready = ready.max(self.last_sent.map(|sent| sent + PACKET_EVERY));
        let not_before = |due: Instant, ready: Option<Instant>| ready.map_or(due, |at| due.max(at));
        let urgent = self.schedule.first_urgent();
        let urgent = urgent.map(|due| not_before(due, ready));
        let routine = self.schedule.first_routine();
        let routine = routine.map(|due| not_before(due, routine_ready));
        urgent.into_iter().chain(routine).min()
    }

    /// Takes the torrents that go into one packet out of the schedule.
    fn take_due(&mut self, now: Instant) -> Vec<InfoHash> {
        let mut taken = Vec::new();
        match self.torrents.len() <= MAX_SINGLE {
            true => self.schedule.take(now, now, 1, &mut taken),
            // What would be due before the next packet leaves may as well go with this one.
            false => {
                let soon = now + PACKET_EVERY;
                self.schedule
                    .take(now, soon, MAX_LSD_SENT_HASHES, &mut taken);
            }
        }
        taken
    }

    /// A neighbour has a torrent of ours. If it has just appeared, an announce follows soon.
    fn meet(&mut self, now: Instant, info_hash: InfoHash, addr: SocketAddr) {
        let Some(torrent) = self.torrents.get_mut(&info_hash) else {
            return;
        };
        let is_new = torrent.remember(now, addr);
        let has_announced = |at: Instant| now.saturating_duration_since(at) < ANSWER_GAP;
        if is_new && !torrent.announced.is_some_and(has_announced) {
            let most = u64::try_from(ANSWER_WITHIN.as_millis()).unwrap_or_default();
            let delay = Duration::from_millis(self.rng.u64(0..=most));
            torrent.due = self
                .schedule
                .bring_forward(info_hash, torrent.due, now + delay);
        }
    }
}

impl Torrent {
    /// Whether this neighbour is new and there was room to remember it.
    fn remember(&mut self, now: Instant, addr: SocketAddr) -> bool {
        let is_there = |heard: Instant| now.saturating_duration_since(heard) < NEIGHBOUR_FOR;
        self.neighbours.retain(|(_, heard)| is_there(*heard));
        if let Some(known) = self.neighbours.iter_mut().find(|known| known.0 == addr) {
            known.1 = now;
            return false;
        }
        let has_room = self.neighbours.len() < MAX_NEIGHBOURS;
        if has_room {
            self.neighbours.push((addr, now));
        }
        has_room
    }
}

/// Where a client that sends from this address accepts connections (BEP 14). A link-local address keeps its interface.
fn listening(from: SocketAddr, port: u16) -> SocketAddr {
    match from {
        SocketAddr::V6(from) if from.ip().to_ipv4_mapped().is_none() => {
            SocketAddrV6::new(*from.ip(), port, 0, from.scope_id()).into()
        }
        _ => SocketAddr::new(from.ip().to_canonical(), port),
    }
}
