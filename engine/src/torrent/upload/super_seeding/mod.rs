//! Super-seeding (BEP 16): a torrent that has everything gives each piece to the swarm once, and leaves the rest to it.
//!
//! A new peer is told that we have nothing, then of one piece, by `have`. It is told of the next when another peer shows
//! that piece: then it has been shared, and costs us no second upload. Pieces that no peer has, and none is fetching, go
//! first. So the swarm has a whole copy after little more than one upload of the torrent.
//!
//! At most as many peers fetch at once as there are upload slots. They are unchoked while they are led, because what they
//! can ask for is bounded by what they were told of; the choker deals with other peers only.
//!
//! Super-seeding rests while it would do no good: when another seed was seen lately, or each piece is at two peers. Then
//! peers are told of all pieces, and served as by any seed.

mod recipient;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tailwater_metainfo::{Bitfield, PieceIndex};

use crate::peer::Command;
use crate::torrent::peers::{Connected, ConnectedPeer};
use crate::torrent::{Engine, PeerKey, Space};

pub(crate) use recipient::Recipient;

/// A peer that has said nothing of its pieces for this long has none: without the fast extension (BEP 6) it may leave
/// the bitfield out.
const BITFIELD_WITHIN: Duration = Duration::from_secs(2);
/// Another seed is believed to be in the swarm for this long after it was seen. Seeds do not stay connected to each
/// other.
const SEED_STAYS: Duration = Duration::from_secs(900);
/// With each piece at this many peers, one of them may leave and the swarm still has it.
const COPIES_ENOUGH: u32 = 1;
/// The most `have` messages a second to a peer that is told of all pieces after all, of 9 bytes each.
const HAVES_A_SECOND: usize = 1_024;

/// The state of super-seeding in a torrent.
#[derive(Debug)]
pub(crate) struct SuperSeeding {
    /// The user wants it.
    is_asked: bool,
    /// It is in effect: new peers are led.
    is_active: bool,
    /// Another seed was seen then.
    seed_seen: Option<Instant>,
    /// A peer may be due for a piece.
    is_due: bool,
}

impl SuperSeeding {
    pub(crate) const fn new(is_asked: bool, has_all: bool) -> Self {
        Self {
            is_asked,
            is_active: is_asked && has_all,
            seed_seen: None,
            is_due: false,
        }
    }

    pub(crate) const fn is_active(&self) -> bool {
        self.is_active
    }

    fn is_seed_near(&self, now: Instant) -> bool {
        let is_recent = |at| now.saturating_duration_since(at) < SEED_STAYS;
        self.seed_seen.is_some_and(is_recent)
    }
}

impl ConnectedPeer {
    /// Whether it is told of pieces one by one: the choker leaves it alone.
    pub(crate) fn is_led(&self) -> bool {
        self.recipient.as_ref().is_some_and(|peer| peer.is_led())
    }

    /// Whether a piece that was revealed to it is on its way.
    pub(crate) fn is_fetching_revealed(&self) -> bool {
        self.led().is_some_and(Recipient::is_fetching)
    }

    /// Whether it is led and has not said yet which pieces it has: perhaps it is another seed.
    pub(crate) fn is_unknown(&self) -> bool {
        self.led().is_some_and(|peer| !peer.is_known())
    }

    fn led(&self) -> Option<&Recipient> {
        self.recipient.as_deref().filter(|peer| peer.is_led())
    }

    fn led_mut(&mut self) -> Option<&mut Recipient> {
        self.recipient.as_deref_mut().filter(|peer| peer.is_led())
    }
}

/// The pieces that are on their way to peers: to how many, and whether all of those take too long.
type Underway = BTreeMap<PieceIndex, (u32, bool)>;

impl<S: Space> Engine<S> {
    /// Has the torrent super-seed (BEP 16) while it has every piece, or no longer. Peers that are connected already and
    /// know what we have are served as before; when it ends, peers are told of all pieces.
    pub fn set_super_seeding(&mut self, now: Instant, super_seeding: bool) {
        self.super_seeding.is_asked = super_seeding;
        self.weigh_super_seeding(now);
    }

    /// Whether peers that connect now are told of pieces one by one: super-seeding is asked for, the torrent is complete,
    /// and the swarm is in need of it.
    #[must_use]
    pub const fn is_super_seeding(&self) -> bool {
        self.super_seeding.is_active
    }

    /// Decides whether super-seeding is of use now.
    pub(crate) fn weigh_super_seeding(&mut self, now: Instant) {
        let is_of_use = self.super_seeding.is_asked
            && self.supply.pieces.have().is_all()
            && !self.super_seeding.is_seed_near(now)
            && !self.swarm_has_copies(COPIES_ENOUGH);
        if is_of_use == self.super_seeding.is_active {
            return;
        }
        self.super_seeding.is_active = is_of_use;
        if !is_of_use {
            self.release_recipients(now);
        }
        self.tell_upload_only(now);
    }

    /// Whether each piece is at this many connected peers.
    fn swarm_has_copies(&self, copies: u32) -> bool {
        let mut pieces = self.supply.geometry.pieces();
        pieces.all(|piece| self.supply.picker.availability(piece) >= copies)
    }

    /// From now on the choker deals with all peers.
    fn release_recipients(&mut self, now: Instant) {
        for key in self.peers.connected_keys() {
            let peer = self.peers.connection_mut(key);
            let Some(peer) = peer.filter(|peer| peer.is_led()) else {
                continue;
            };
            let holds_idle_slot = !peer.am_choking && !peer.peer_interested;
            if let Some(led) = peer.led_mut() {
                led.release();
            }
            self.command(key, Command::ServeToldOnly(false));
            if holds_idle_slot {
                self.choke(key);
            }
        }
        self.rechoke(now);
    }

    /// The first words to a new peer: what we have.
    pub(crate) fn greet(&mut self, now: Instant, key: PeerKey) {
        self.weigh_super_seeding(now);
        if !self.super_seeding.is_active {
            self.command(key, Command::Greet(self.supply.pieces.have().clone()));
            return;
        }
        let geometry = self.supply.geometry.clone();
        if let Some(peer) = self.peers.connection_mut(key) {
            peer.recipient = Some(Box::new(Recipient::new(now, &geometry)));
        }
        self.command(key, Command::ServeToldOnly(true));
        self.command(key, Command::Greet(Bitfield::none(&geometry)));
    }

    /// A peer has said which pieces it has; aria2 says so again instead of many `have` messages.
    pub(crate) fn handle_bitfield_seen(&mut self, now: Instant, key: PeerKey) {
        self.note_seed(now, key);
        if !self.super_seeding.is_active {
            return;
        }
        self.super_seeding.is_due = true;
        let Some(peer) = self.peers.get(key) else {
            return;
        };
        let shown = peer.supply.bits.clone();
        let is_elsewhere = |piece| self.supply.picker.availability(piece) > 1;
        let elsewhere: Vec<_> = shown.iter().map(is_elsewhere).collect();
        let mut from_us = Bitfield::none(&self.supply.geometry);
        if let Some(led) = self.led_mut(key) {
            led.set_known();
            for (piece, is_elsewhere) in shown.iter().zip(elsewhere) {
                if led.handle_have(now, piece, is_elsewhere) {
                    from_us.set(piece);
                }
            }
        }
        for (other, peer) in self.peers.connected_mut() {
            let led = peer.led_mut().filter(|_| other != key);
            if let Some(led) = led {
                for piece in shown.iter() {
                    led.handle_seen(piece, !from_us.has(piece));
                }
            }
        }
    }

    /// A peer has one piece more.
    pub(crate) fn handle_have_seen(&mut self, now: Instant, key: PeerKey, piece: PieceIndex) {
        self.note_seed(now, key);
        if !self.super_seeding.is_active {
            return;
        }
        self.super_seeding.is_due = true;
        let is_elsewhere = self.supply.picker.availability(piece) > 1;
        // A peer that is not led may have it from us.
        let is_from_us = match self.led_mut(key) {
            Some(led) => {
                led.set_known();
                led.handle_have(now, piece, is_elsewhere)
            }
            None => true,
        };
        for (other, peer) in self.peers.connected_mut() {
            let led = peer.led_mut().filter(|_| other != key);
            if let Some(led) = led {
                led.handle_seen(piece, !is_from_us);
            }
        }
    }

    fn led_mut(&mut self, key: PeerKey) -> Option<&mut Recipient> {
        self.peers.connection_mut(key)?.led_mut()
    }

    fn note_seed(&mut self, now: Instant, key: PeerKey) {
        let peer = self.peers.connection(key);
        if self.super_seeding.is_asked && peer.is_some_and(|peer| peer.supply.bits.is_all()) {
            self.super_seeding.seed_seen = Some(now);
        }
    }

    /// A peer that is led wants what it was told of: it is unchoked at once.
    pub(crate) fn unchoke_led(&mut self, now: Instant, key: PeerKey) {
        let peer = self.peers.connection(key);
        let is_due = |peer: Connected<'_>| {
            peer.am_choking && peer.peer_interested && peer.is_fetching_revealed()
        };
        if peer.is_some_and(is_due) {
            self.unchoke(now, key);
        }
    }

    /// Looks once a second at what has become of revealed pieces.
    pub(crate) fn tend_super_seeding(&mut self, now: Instant) {
        self.weigh_super_seeding(now);
        for key in self.peers.connected_keys() {
            let Some(peer) = self.peers.get_mut(key) else {
                continue;
            };
            let has_had_time = now.saturating_duration_since(peer.since) >= BITFIELD_WITHIN;
            let Some(peer) = peer.connection_mut() else {
                continue;
            };
            let (sent, is_unchoked) = (peer.up.total(), !peer.am_choking);
            if let Some(led) = peer.led_mut() {
                if has_had_time {
                    led.set_known();
                }
                if led.tend(now, sent) && is_unchoked {
                    self.choke(key);
                }
            } else {
                self.tell_rest(key);
            }
        }
        self.super_seeding.is_due = true;
        self.reveal_pieces(now);
    }

    /// Tells a released peer of the next pieces, until it knows all.
    fn tell_rest(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.connection_mut(key) else {
            return;
        };
        let Some(recipient) = &mut peer.recipient else {
            return;
        };
        let rest = recipient.rest(self.supply.pieces.have(), HAVES_A_SECOND);
        if rest.len() < HAVES_A_SECOND {
            peer.recipient = None;
        }
        for piece in rest {
            self.command(key, Command::Have(piece));
        }
    }

    /// Reveals pieces to the peers that are due for one, if any may be.
    pub(crate) fn reveal_pieces(&mut self, now: Instant) {
        if !std::mem::take(&mut self.super_seeding.is_due) || !self.super_seeding.is_active {
            return;
        }
        let is_leech = |peer: &Connected<'_>| !peer.supply.bits.is_all() && !peer.upload_only;
        let leeches = self.peers.connected().filter(|(_, peer)| is_leech(peer));
        let is_alone = leeches.count() == 1;
        let mut underway = self.underway(now);
        let busy = self.peers.connected();
        let mut busy = busy.filter(|(_, peer)| peer.is_fetching_revealed()).count();
        let mut queue: Vec<_> = self
            .peers
            .connected()
            .filter(|(_, peer)| is_leech(peer))
            .filter_map(|(key, peer)| Some((peer.contact.led()?, key)))
            .filter(|(led, _)| led.has_room(is_alone))
            .map(|(led, key)| (led.rank(), key))
            .collect();
        queue.sort_unstable();
        for (_, key) in queue {
            let is_busy = self.is_fetching_revealed(key);
            if !is_busy && busy >= self.choker.slots() {
                continue;
            }
            while self.led_mut(key).is_some_and(|led| led.has_room(is_alone))
                && let Some(piece) = self.piece_to_reveal(key, &underway)
            {
                let (count, all_late) = underway.entry(piece).or_insert((0, true));
                *count += 1;
                *all_late = false;
                self.reveal(now, key, piece);
            }
            busy += usize::from(self.is_fetching_revealed(key) && !is_busy);
        }
    }

    fn is_fetching_revealed(&self, key: PeerKey) -> bool {
        let peer = self.peers.connection(key);
        peer.is_some_and(|peer| peer.is_fetching_revealed())
    }

    fn reveal(&mut self, now: Instant, key: PeerKey, piece: PieceIndex) {
        let Some(peer) = self.peers.connection_mut(key) else {
            return;
        };
        let sent = peer.up.total();
        if let Some(led) = peer.led_mut() {
            led.reveal(now, piece, sent);
        }
        self.command(key, Command::Have(piece));
        self.unchoke_led(now, key);
    }

    fn underway(&self, now: Instant) -> Underway {
        let mut underway = Underway::new();
        for (_, peer) in self.peers.connected() {
            for (piece, is_late) in peer
                .contact
                .led()
                .into_iter()
                .flat_map(|led| led.fetches(now))
            {
                let (count, all_late) = underway.entry(piece).or_insert((0, true));
                *count += 1;
                *all_late &= is_late;
            }
        }
        underway
    }

    /// The piece that a peer is told of next: one that no peer has and none is fetching; else one that no peer has and
    /// that has been on its way too long; else, once each piece is at some peer, the one with the fewest copies. Ties are
    /// broken by where the search begins.
    fn piece_to_reveal(&mut self, key: PeerKey, underway: &Underway) -> Option<PieceIndex> {
        let first = self.supply.rng.u32(..self.supply.geometry.piece_count());
        let peer = self.peers.connection(key)?;
        let led = peer.contact.led()?;
        let (mut late, mut rarest) = (None, None);
        let mut is_whole = true;
        let pieces = self.supply.geometry.pieces();
        let (before, after): (Vec<_>, Vec<_>) = pieces.partition(|piece| piece.get() < first);
        for piece in after.into_iter().chain(before) {
            let copies = self.supply.picker.availability(piece);
            let is_fit = !led.is_told(piece) && !peer.supply.bits.has(piece);
            match (copies, underway.get(&piece)) {
                (0, None) if is_fit => return Some(piece),
                (0, fetched) => {
                    is_whole = false;
                    let is_late = fetched.is_some_and(|(_, all_late)| *all_late);
                    if is_fit && is_late {
                        late = late.or(Some(piece));
                    }
                }
                (copies, fetched) if is_fit => {
                    let copies = copies + fetched.map_or(0, |(count, _)| *count);
                    if rarest.is_none_or(|(fewest, _)| copies < fewest) {
                        rarest = Some((copies, piece));
                    }
                }
                _ => {}
            }
        }
        let rarest = rarest.map(|(_, piece)| piece);
        late.or(rarest.filter(|_| is_whole))
    }
}
