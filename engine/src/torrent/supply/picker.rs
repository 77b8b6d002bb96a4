//! The piece picker: which piece to start next, by priority, then rarest first with random ties, or in order.
//!
//! Pieces that may be started stand in buckets, one for each (priority, availability). A change of availability
//! moves a piece between neighbouring buckets in constant time; nothing is ever sorted.

use std::ops::Range;

use tailwater_metainfo::{Bitfield, Geometry, PieceIndex};

/// The priority of a file or piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Priority {
    /// Not downloaded.
    Skip,
    /// After everything else.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Before everything else.
    High,
}

/// A piece that is in no bucket.
const NOWHERE: u32 = u32::MAX;

#[derive(Debug)]
pub(crate) struct Picker {
    sequential: bool,
    /// How many peers other than seeds have each piece.
    availability: Vec<u16>,
    /// Peers that came with everything: counted once for all pieces.
    seeds: u16,
    priorities: Vec<Priority>,
    /// The buckets, by priority, then availability.
    buckets: [Vec<Vec<PieceIndex>>; 3],
    /// Each piece's position in its bucket, or [`NOWHERE`].
    positions: Vec<u32>,
    /// The same pieces in order: for readers' windows and for fetching in order.
    listed: Bitfield,
    /// Pieces that are not to be started for now, whatever else is said of them.
    withheld: Bitfield,
}

impl Picker {
    pub(crate) fn new(geometry: &Geometry, sequential: bool) -> Self {
        let count = geometry.piece_count() as usize;
        Self {
            sequential,
            availability: vec![0; count],
            seeds: 0,
            priorities: vec![Priority::Normal; count],
            buckets: Default::default(),
            positions: vec![NOWHERE; count],
            listed: Bitfield::none(geometry),
            withheld: Bitfield::none(geometry),
        }
    }

    /// Whether there are pieces that could be started, now or later, whichever suppliers have them.
    pub(crate) fn has_candidates(&self) -> bool {
        let mut withheld = self.withheld.iter();
        !self.listed.is_none() || withheld.any(|piece| self.is_wanted(piece))
    }

    pub(crate) fn priority(&self, piece: PieceIndex) -> Priority {
        self.priorities[piece.as_usize()]
    }

    pub(crate) fn is_wanted(&self, piece: PieceIndex) -> bool {
        self.priority(piece) > Priority::Skip
    }

    pub(crate) fn set_sequential(&mut self, sequential: bool) {
        self.sequential = sequential;
    }

    pub(crate) fn set_priority(
        &mut self,
        piece: PieceIndex,
        priority: Priority,
        rng: &mut fastrand::Rng,
    ) {
        let listed = self.remove(piece);
        self.priorities[piece.as_usize()] = priority;
        if listed {
            self.insert(piece, rng);
        }
    }

    /// The piece is not to be started until it is released.
    pub(crate) fn withhold(&mut self, piece: PieceIndex) {
        self.withheld.set(piece);
        self.remove(piece);
    }

    /// The piece may be started, once it is inserted. Says whether it was withheld.
    pub(crate) fn release(&mut self, piece: PieceIndex) -> bool {
        self.withheld.clear(piece)
    }

    /// The piece may be started from now on, if it is wanted and not withheld.
    pub(crate) fn insert(&mut self, piece: PieceIndex, rng: &mut fastrand::Rng) {
        if self.is_listed(piece) || !self.is_wanted(piece) || self.withheld.has(piece) {
            return;
        }
        self.listed.set(piece);
        self.place(piece, rng);
    }

    /// The piece is not to be started; says whether it could have been.
    pub(crate) fn remove(&mut self, piece: PieceIndex) -> bool {
        let listed = self.listed.clear(piece);
        if listed {
            self.unplace(piece);
        }
        listed
    }

    /// Replaces what a peer has. Each pair: its pieces, and whether it counts as a seed. Costs a step for each piece that
    /// differs; for those of seeds none.
    pub(crate) fn replace_peer(
        &mut self,
        (old, was_seed): (&Bitfield, bool),
        (new, is_seed): (&Bitfield, bool),
        rng: &mut fastrand::Rng,
    ) {
        self.seeds = self.seeds - u16::from(was_seed) + u16::from(is_seed);
        match (was_seed, is_seed) {
            (true, true) => {}
            (true, false) => new.iter().for_each(|piece| self.gained(piece, rng)),
            (false, true) => old.iter().for_each(|piece| self.lost(piece, rng)),
            (false, false) => {
                for piece in old.differences(new) {
                    match new.has(piece) {
                        true => self.gained(piece, rng),
                        false => self.lost(piece, rng),
                    }
                }
            }
        }
    }

    /// A peer has gone.
    pub(crate) fn remove_peer(&mut self, bits: &Bitfield, seed: bool, rng: &mut fastrand::Rng) {
        match seed {
            true => self.seeds -= 1,
            false => bits.iter().for_each(|piece| self.lost(piece, rng)),
        }
    }

    /// One more peer has the piece.
    pub(crate) fn gained(&mut self, piece: PieceIndex, rng: &mut fastrand::Rng) {
        self.shift(piece, 1, rng);
    }

    /// One peer fewer has the piece.
    pub(crate) fn lost(&mut self, piece: PieceIndex, rng: &mut fastrand::Rng) {
        self.shift(piece, -1, rng);
    }

    /// Picks the best piece to start among those that a peer has and that `allowed` lets through.
    pub(crate) fn pick(
        &self,
        bits: &Bitfield,
        allowed: impl Fn(PieceIndex) -> bool,
    ) -> Option<PieceIndex> {
        let fits = |piece: &PieceIndex| bits.has(*piece) && allowed(*piece);
        for buckets in self.buckets.iter().rev() {
            let mut pieces = buckets.iter().flatten().copied().filter(fits);
            let best = match self.sequential {
                true => pieces.min(),
                false => pieces.next(),
            };
            if best.is_some() {
                return best;
            }
        }
        None
    }

    /// The pieces that may be started in this range of numbers, in order.
    pub(crate) fn listed_in(&self, range: Range<u32>) -> impl Iterator<Item = PieceIndex> + '_ {
        self.listed.iter_in(range)
    }

    /// How many connected peers have the piece.
    pub(crate) fn availability(&self, piece: PieceIndex) -> u32 {
        u32::from(self.availability[piece.as_usize()]) + u32::from(self.seeds)
    }

    /// Whether the piece may be started.
    pub(crate) fn is_listed(&self, piece: PieceIndex) -> bool {
        self.listed.has(piece)
    }

    fn shift(&mut self, piece: PieceIndex, by: i16, rng: &mut fastrand::Rng) {
        let listed = self.is_listed(piece);
        if listed {
            self.unplace(piece);
        }
        let availability = &mut self.availability[piece.as_usize()];
        *availability = availability.saturating_add_signed(by);
        if listed {
            self.place(piece, rng);
        }
    }

    fn bucket(&mut self, piece: PieceIndex) -> Option<&mut Vec<PieceIndex>> {
        let level = match self.priority(piece) {
            Priority::Skip => return None,
            Priority::Low => 0,
            Priority::Normal => 1,
            Priority::High => 2,
        };
        let rank = usize::from(self.availability[piece.as_usize()]);
        let buckets = &mut self.buckets[level];
        if buckets.len() <= rank {
            buckets.resize_with(rank + 1, Vec::new);
        }
        buckets.get_mut(rank)
    }

    /// Puts a piece into its bucket at a random position, so that ties break at random.
    fn place(&mut self, piece: PieceIndex, rng: &mut fastrand::Rng) {
        let Some(bucket) = self.bucket(piece) else {
            return;
        };
        let last = bucket.len();
        let position = rng.usize(..=last);
        bucket.push(piece);
        bucket.swap(position, last);
        let displaced = bucket[last];
        self.positions[displaced.as_usize()] = index(last);
        self.positions[piece.as_usize()] = index(position);
    }

    fn unplace(&mut self, piece: PieceIndex) {
        let position = self.positions[piece.as_usize()] as usize;
        let moved = self.bucket(piece).and_then(|bucket| {
            bucket.swap_remove(position);
            bucket.get(position).copied()
        });
        if let Some(moved) = moved {
            self.positions[moved.as_usize()] = index(position);
        }
        self.positions[piece.as_usize()] = NOWHERE;
    }

    /// Panics if an invariant does not hold; tests and simulations call it after every step.
    pub(crate) fn check_invariants(&self) {
        let mut listed = 0;
        for buckets in &self.buckets {
            for (rank, bucket) in buckets.iter().enumerate() {
                for (position, piece) in bucket.iter().enumerate() {
                    assert_eq!(self.positions[piece.as_usize()], index(position));
                    assert_eq!(usize::from(self.availability[piece.as_usize()]), rank);
                    listed += 1;
                }
            }
        }
        assert_eq!(listed, self.listed.count() as usize);
        let placed = self.positions.iter().filter(|p| **p != NOWHERE).count();
        assert_eq!(placed, self.listed.count() as usize);
        assert!(self.listed.iter().all(|piece| self.is_listed(piece)));
    }
}

/// A bucket holds at most [`tailwater_metainfo::limits::MAX_PIECES`] pieces.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(NOWHERE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn geometry() -> Geometry {
        Geometry::new(12, 1).unwrap()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u32),
        Remove(u32),
        Gained(u32),
        Lost(u32),
        Priority(u32, Priority),
        Pick(u16),
    }

    fn step() -> impl Strategy<Value = Step> {
        let piece = 0u32..12;
        let priority = prop_oneof![
            Just(Priority::Skip),
            Just(Priority::Low),
            Just(Priority::Normal),
            Just(Priority::High)
        ];
        prop_oneof![
            piece.clone().prop_map(Step::Insert),
            piece.clone().prop_map(Step::Remove),
            piece.clone().prop_map(Step::Gained),
            piece.clone().prop_map(Step::Lost),
            (piece, priority).prop_map(|(piece, priority)| Step::Priority(piece, priority)),
            any::<u16>().prop_map(Step::Pick),
        ]
    }

    proptest! {
        /// A naive picker keeps (listed, availability, priority) and takes the best by a full scan.
        #[test]
        fn picks_like_a_full_scan(
            sequential: bool,
            seed: u64,
            steps in proptest::collection::vec(step(), 1..120),
        ) {
            let geometry = geometry();
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut picker = Picker::new(&geometry, sequential);
            let mut model = [(false, 0u32, Priority::Normal); 12];
            for step in steps {
                match step {
                    Step::Insert(n) => {
                        picker.insert(geometry.piece(n).unwrap(), &mut rng);
                        let entry = &mut model[n as usize];
                        entry.0 |= entry.2 > Priority::Skip;
                    }
                    Step::Remove(n) => {
                        let listed = picker.remove(geometry.piece(n).unwrap());
                        prop_assert_eq!(listed, std::mem::take(&mut model[n as usize].0));
                    }
                    Step::Gained(n) => {
                        picker.gained(geometry.piece(n).unwrap(), &mut rng);
                        model[n as usize].1 += 1;
                    }
                    Step::Lost(n) => {
                        picker.lost(geometry.piece(n).unwrap(), &mut rng);
                        model[n as usize].1 = model[n as usize].1.saturating_sub(1);
                    }
                    Step::Priority(n, priority) => {
                        picker.set_priority(geometry.piece(n).unwrap(), priority, &mut rng);
                        let entry = &mut model[n as usize];
                        entry.2 = priority;
                        entry.0 &= priority > Priority::Skip;
                    }
                    Step::Pick(mask) => {
                        let mut bits = Bitfield::none(&geometry);
                        for piece in geometry.pieces() {
                            if mask >> piece.get() & 1 == 1 {
                                bits.set(piece);
                            }
                        }
                        let rank = |n: u32| {
                            let (_, availability, priority) = model[n as usize];
                            let tie = if sequential { n } else { availability };
                            (std::cmp::Reverse(priority), tie)
                        };
                        let best = (0..12)
                            .filter(|&n| mask >> n & 1 == 1 && model[n as usize].0)
                            .map(rank)
                            .min();
                        let picked = picker.pick(&bits, |_| true).map(|piece| rank(piece.get()));
                        prop_assert_eq!(picked, best);
                    }
                }
                picker.check_invariants();
            }
        }
    }

    #[test]
    fn ties_break_at_random() {
        let geometry = geometry();
        let all = Bitfield::all(&geometry);
        let first_picks: std::collections::BTreeSet<_> = (0..64)
            .map(|seed| {
                let mut rng = fastrand::Rng::with_seed(seed);
                let mut picker = Picker::new(&geometry, false);
                for piece in geometry.pieces() {
                    picker.insert(piece, &mut rng);
                }
                picker.pick(&all, |_| true)
            })
            .collect();
        assert!(first_picks.len() > 6, "{first_picks:?}");
    }

    #[test]
    fn a_seed_costs_no_walk_over_the_pieces() {
        let geometry = geometry();
        let mut rng = fastrand::Rng::with_seed(1);
        let mut picker = Picker::new(&geometry, false);
        let all = Bitfield::all(&geometry);
        let none = Bitfield::none(&geometry);
        picker.replace_peer((&none, false), (&all, true), &mut rng);
        assert!(picker.availability.iter().all(|count| *count == 0));
        picker.remove_peer(&all, true, &mut rng);
        assert_eq!(picker.seeds, 0);
    }
}
