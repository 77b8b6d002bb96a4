//! What one peer has made of the pieces that a super-seeding torrent has revealed to it.

use std::time::{Duration, Instant};

use tailwater_metainfo::{Bitfield, Geometry, PieceIndex};

/// A peer that has been sent nothing of its pieces for this long does not fetch them: they may be revealed to others,
/// and its turn is over. Even at 1 KiB/s a block of 16 KiB takes no longer.
const STALLED_AFTER: Duration = Duration::from_secs(20);
/// A peer whose piece has been seen at no other peer for this long gets another piece all the same, behind those that
/// share: it may have no connection but ours.
const SPREAD_WITHIN: Duration = Duration::from_secs(30);
/// A piece that has been on its way for this long may be revealed to a second peer, when no other piece is left.
const OVERDUE_AFTER: Duration = Duration::from_secs(60);

/// The most pieces that a peer has at once of those revealed to it and seen nowhere else.
const MOST_UNPROVEN: usize = 1;
/// The same for a peer whose pieces were seen elsewhere: while one is on its way, it asks for the next.
const MOST_PROVEN: usize = 2;
/// The most pieces on their way to the only peer that lacks anything: there is no other at which one could be seen, so
/// they are bounded only for the case that another peer comes.
const MOST_ALONE: usize = 16;

/// A revealed piece that the peer does not have yet.
#[derive(Clone, Copy, Debug)]
struct Fetch {
    piece: PieceIndex,
    since: Instant,
}

/// Where a peer stands in the queue for the next piece; the least is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Its last piece came to nothing, or was seen nowhere else.
    disappointed: bool,
    since: Instant,
}

/// A peer that is told of pieces one by one (BEP 16).
#[derive(Debug)]
pub(crate) struct Recipient {
    /// The pieces that it has been told of.
    told: Bitfield,
    /// Those of them that it does not have yet, and is expected to fetch.
    fetches: Vec<Fetch>,
    /// Those that it has and that no other peer has shown.
    unseen: Vec<(PieceIndex, Instant)>,
    /// Its latest pieces were seen at others.
    is_proven: bool,
    rank: Rank,
    /// The bytes that it has been sent, and when that changed.
    progress: (u64, Instant),
    /// It has said which pieces it has, or has had the time to.
    is_known: bool,
    /// Super-seeding is over for this peer: it is told of the rest.
    is_released: bool,
}

impl Recipient {
    pub(super) fn new(now: Instant, geometry: &Geometry) -> Self {
        Self {
            told: Bitfield::none(geometry),
            fetches: Vec::new(),
            unseen: Vec::new(),
            is_proven: false,
            rank: Rank {
                disappointed: false,
                since: now,
            },
            progress: (0, now),
            is_known: false,
            is_released: false,
        }
    }

    /// Whether it is still led: told of pieces one by one.
    pub(crate) const fn is_led(&self) -> bool {
        !self.is_released
    }

    /// Whether a piece that was revealed to it is on its way.
    pub(crate) const fn is_fetching(&self) -> bool {
        !self.fetches.is_empty()
    }

    pub(super) const fn rank(&self) -> Rank {
        self.rank
    }

    pub(super) const fn set_known(&mut self) {
        self.is_known = true;
    }

    pub(super) const fn is_known(&self) -> bool {
        self.is_known
    }

    pub(super) fn is_told(&self, piece: PieceIndex) -> bool {
        self.told.has(piece)
    }

    /// The pieces on their way to it, and whether each takes too long.
    pub(super) fn fetches(&self, now: Instant) -> impl Iterator<Item = (PieceIndex, bool)> + '_ {
        let fetches = self.fetches.iter();
        fetches.map(move |fetch| {
            let age = now.saturating_duration_since(fetch.since);
            (fetch.piece, age >= OVERDUE_AFTER)
        })
    }

    /// Whether it may be told of one more piece.
    pub(super) const fn has_room(&self, is_alone: bool) -> bool {
        let most = match (is_alone, self.is_proven) {
            (true, _) => MOST_ALONE,
            (false, true) => MOST_PROVEN,
            (false, false) => MOST_UNPROVEN,
        };
        let open = match is_alone {
            true => self.fetches.len(),
            false => self.fetches.len() + self.unseen.len(),
        };
        self.is_known && !self.is_released && open < most
    }

    /// It is told of a piece, having been sent `sent` bytes in all.
    pub(super) fn reveal(&mut self, now: Instant, piece: PieceIndex, sent: u64) {
        self.told.set(piece);
        if self.fetches.is_empty() {
            self.progress = (sent, now);
        }
        self.fetches.push(Fetch { piece, since: now });
    }

    /// It has a piece now; `is_elsewhere`: so has another peer. Says whether the piece had been revealed to it.
    pub(super) fn handle_have(
        &mut self,
        now: Instant,
        piece: PieceIndex,
        is_elsewhere: bool,
    ) -> bool {
        let before = self.fetches.len();
        self.fetches.retain(|fetch| fetch.piece != piece);
        if self.fetches.len() < before {
            self.rank.since = now;
            if !is_elsewhere {
                self.unseen.push((piece, now));
            }
        }
        self.told.has(piece)
    }

    /// Another peer has a piece; `by_sharing`: not from us.
    pub(super) fn handle_seen(&mut self, piece: PieceIndex, by_sharing: bool) {
        let before = self.unseen.len();
        self.unseen.retain(|(unseen, _)| *unseen != piece);
        if self.unseen.len() < before && by_sharing {
            self.is_proven = true;
            self.rank.disappointed = false;
        }
    }

    /// Time has passed, and the peer has been sent `sent` bytes in all. Says whether its turn is over.
    pub(super) fn tend(&mut self, now: Instant, sent: u64) -> bool {
        let before = self.unseen.len();
        let may_spread = |since| now.saturating_duration_since(since) < SPREAD_WITHIN;
        self.unseen.retain(|(_, since)| may_spread(*since));
        if self.unseen.len() < before {
            self.disappoint(now);
        }
        if self.progress.0 != sent || self.fetches.is_empty() {
            self.progress = (sent, now);
            return false;
        }
        let is_stalled = now.saturating_duration_since(self.progress.1) >= STALLED_AFTER;
        if is_stalled {
            self.fetches.clear();
            self.disappoint(now);
        }
        is_stalled
    }

    const fn disappoint(&mut self, now: Instant) {
        self.is_proven = false;
        self.rank = Rank {
            disappointed: true,
            since: now,
        };
    }

    /// Super-seeding is over for it.
    pub(super) fn release(&mut self) {
        self.is_released = true;
        self.fetches.clear();
        self.unseen.clear();
    }

    /// The next pieces to tell a released peer of, at most `count`, out of those that are held.
    pub(super) fn rest(&mut self, have: &Bitfield, count: usize) -> Vec<PieceIndex> {
        let untold = have.iter().filter(|piece| !self.told.has(*piece));
        let rest: Vec<_> = untold.take(count).collect();
        for piece in &rest {
            self.told.set(*piece);
        }
        rest
    }
}
