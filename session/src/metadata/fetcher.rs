//! Whom to ask for which block of the info dictionary, and whom to believe.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use sha1::{Digest, Sha1};
use tailwater_metainfo::InfoHash;

use super::draft::{Draft, Team};
use super::terms::{DropReason, FetchState, LinkKey, Output};
use super::{MAX_DRAFTS, MAX_METADATA_LEN};

/// Requests outstanding at one peer. More would only lengthen the wait for those that another could answer.
const PIPELINE: usize = 4;
/// A block that is later than this may be asked of another peer too.
const PATIENCE: Duration = Duration::from_secs(2);
/// A peer that leaves requests unanswered for so long, without sending anything, is dropped.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(15);
/// A peer that rejects a request is left alone for this long: it is busy, or has nothing yet.
const REJECT_PAUSE: Duration = Duration::from_secs(20);
/// A peer that rejects that often in a row, with a pause after each, is dropped.
pub(super) const MAX_REJECTS: u32 = 3;
/// While a draft waits for its turn, the others have to be whole within this time, or make room: whoever claims odd sizes
/// and sends a block now and then does not hold up the rest.
const TURN: Duration = Duration::from_secs(30);
/// Sizes remembered for which blocks of several peers did not fit together; after that, every size counts as one.
const MAX_DISTRUSTED: usize = 256;

#[derive(Debug)]
struct Peer {
    size: u32,
    /// Blocks asked for and not answered, with the time of asking.
    asked: BTreeMap<u32, Instant>,
    /// Since when there is something to answer and nothing has come.
    waiting_since: Option<Instant>,
    held_until: Option<Instant>,
    rejects: u32,
    /// Drafts of its own size that were given up to make room for others.
    turns: u32,
}

impl Peer {
    fn is_ready(&self, now: Instant) -> bool {
        self.held_until.is_none_or(|until| until <= now)
    }

    /// Something came: the clock for the rest starts again.
    fn heard(&mut self, now: Instant) {
        self.waiting_since = (!self.asked.is_empty()).then_some(now);
    }
}

/// Fetches one info dictionary. Any order of calls is safe; after each, take what [`Fetcher::poll_output`] gives.
#[derive(Debug)]
pub struct Fetcher {
    info_hash: InfoHash,
    peers: BTreeMap<LinkKey, Peer>,
    drafts: Vec<Draft>,
    /// Sizes for which blocks of several peers did not fit together.
    distrusted: BTreeSet<u32>,
    outputs: VecDeque<Output>,
    /// How it was when it was complete.
    end: Option<FetchState>,
}

impl Fetcher {
    /// For the info dictionary whose SHA-1 is `info_hash`.
    #[must_use]
    pub const fn new(info_hash: InfoHash) -> Self {
        Self {
            info_hash,
            peers: BTreeMap::new(),
            drafts: Vec::new(),
            distrusted: BTreeSet::new(),
            outputs: VecDeque::new(),
            end: None,
        }
    }

    /// A peer's extension handshake says that it has the metadata, and of what size.
    pub fn handle_size(&mut self, now: Instant, peer: LinkKey, size: u32) {
        if self.end.is_some() {
            return;
        }
        let before = self.peers.get(&peer).map(|known| known.size);
        match before {
            Some(before) if before == size => return,
            Some(before) => self.drop_peer(peer, DropReason::Inconsistent { before, now: size }),
            None if size == 0 || size > MAX_METADATA_LEN => {
                self.drop_peer(peer, DropReason::Size(size));
            }
            None => {
                let new = Peer {
                    size,
                    asked: BTreeMap::new(),
                    waiting_since: None,
                    held_until: None,
                    rejects: 0,
                    turns: 0,
                };
                self.peers.insert(peer, new);
            }
        }
        self.advance(now);
    }

    /// A block came; `total_size` is what the message says of the whole.
    pub fn handle_data(
        &mut self,
        now: Instant,
        key: LinkKey,
        block: u32,
        total_size: Option<u32>,
        data: &[u8],
    ) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        let before = peer.size;
        if peer.asked.remove(&block).is_none() {
            self.drop_peer(key, DropReason::Unrequested(block));
        } else if let Some(other) = total_size.filter(|total| *total != before) {
            let reason = DropReason::Inconsistent { before, now: other };
            self.drop_peer(key, reason);
        } else {
            peer.rejects = 0;
            peer.held_until = None;
            peer.heard(now);
            self.put(key, before, block, data);
        }
        self.advance(now);
    }

    /// A peer will not send a block.
    pub fn handle_reject(&mut self, now: Instant, key: LinkKey, block: u32) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        if peer.asked.remove(&block).is_none() {
            return;
        }
        peer.heard(now);
        // Several requests that it rejects at once are one refusal.
        if peer.is_ready(now) {
            peer.rejects += 1;
            peer.held_until = Some(now + REJECT_PAUSE);
        }
        if peer.rejects >= MAX_REJECTS {
            self.drop_peer(key, DropReason::Rejects);
        }
        self.advance(now);
    }

    /// A connection is gone.
    pub fn handle_closed(&mut self, now: Instant, peer: LinkKey) {
        self.forget(peer);
        self.advance(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let is_stalled = |peer: &Peer| {
            peer.waiting_since
                .is_some_and(|since| now >= since + STALLED_AFTER)
        };
        let stalled: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| is_stalled(peer))
            .map(|(key, _)| *key)
            .collect();
        for peer in stalled {
            self.drop_peer(peer, DropReason::Stalled);
        }
        self.advance(now);
    }

    /// What the driver is to do next.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Fetcher::handle_timeout`] if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let of_peers = self.peers.values().flat_map(|peer| {
            let late = peer.asked.values().map(|asked| *asked + PATIENCE);
            let stalled = peer.waiting_since.map(|since| since + STALLED_AFTER);
            late.chain(stalled).chain(peer.held_until)
        });
        let turns = self.drafts.iter().map(|draft| draft.opened + TURN);
        of_peers.chain(turns).filter(|at| *at > now).min()
    }

    /// How far it is.
    #[must_use]
    pub fn state(&self) -> FetchState {
        if let Some(end) = self.end {
            return end;
        }
        let farthest = self.drafts.iter().max_by_key(|draft| draft.have());
        FetchState {
            holders: self.peers.len(),
            size: farthest.map(|draft| draft.size),
            have: farthest.map_or(0, Draft::have),
            total: farthest.map_or(0, Draft::blocks),
        }
    }

    fn put(&mut self, key: LinkKey, size: u32, block: u32, data: &[u8]) {
        let mut drafts = self.drafts.iter_mut();
        // A draft that was given up meanwhile has no use for it.
        let Some(index) = drafts.position(|draft| draft.includes(key, size)) else {
            return;
        };
        if !self.drafts[index].put(block, data, key) {
            self.drop_peer(key, DropReason::Length(block));
        } else if self.drafts[index].is_whole() {
            let draft = self.drafts.remove(index);
            self.judge(draft);
        }
    }

    fn judge(&mut self, draft: Draft) {
        if Sha1::digest(draft.bytes()).as_slice() == self.info_hash.as_bytes() {
            self.end = Some(FetchState {
                holders: self.peers.len(),
                size: Some(draft.size),
                have: draft.blocks(),
                total: draft.blocks(),
            });
            self.peers.clear();
            self.drafts.clear();
            self.outputs.clear();
            self.outputs.push_back(Output::Complete(draft.into_bytes()));
            return;
        }
        let contributors = draft.contributors();
        match contributors.first() {
            Some(only) if contributors.len() == 1 => self.drop_peer(*only, DropReason::Lied),
            _ => {
                if self.distrusted.len() < MAX_DISTRUSTED {
                    self.distrusted.insert(draft.size);
                }
            }
        }
    }

    /// Where so many sizes were lies, no size is drafted from several peers any more.
    fn is_distrusted(&self, size: u32) -> bool {
        self.distrusted.len() >= MAX_DISTRUSTED || self.distrusted.contains(&size)
    }

    fn drop_peer(&mut self, peer: LinkKey, reason: DropReason) {
        self.forget(peer);
        self.outputs.push_back(Output::Drop { peer, reason });
    }

    fn forget(&mut self, peer: LinkKey) {
        self.peers.remove(&peer);
        // The blocks of a draft by everybody stay: others go on with it.
        self.drafts.retain(|draft| draft.team != Team::Only(peer));
        self.outputs.retain(
            |output| !matches!(output, Output::Request { peer: asked, .. } if *asked == peer),
        );
    }

    fn advance(&mut self, now: Instant) {
        if self.end.is_some() {
            return;
        }
        while let Some((size, team)) = self.next_draft(now) {
            if self.drafts.len() >= MAX_DRAFTS && !self.make_room(now) {
                break;
            }
            self.drafts.push(Draft::new(now, size, team));
        }
        for index in 0..self.drafts.len() {
            self.ask(now, index);
        }
    }

    /// The draft that is most worth beginning: that of the size which most of the idle peers claim.
    fn next_draft(&self, now: Instant) -> Option<(u32, Team)> {
        // Fewest turns, most claims, smallest; the first peer stands for all.
        let mut claims: BTreeMap<u32, (u32, usize, LinkKey)> = BTreeMap::new();
        for (&key, peer) in &self.peers {
            let is_busy = self
                .drafts
                .iter()
                .any(|draft| draft.includes(key, peer.size));
            if is_busy || !peer.is_ready(now) {
                continue;
            }
            let claim = claims.entry(peer.size).or_insert((peer.turns, 0, key));
            claim.1 += 1;
            if peer.turns < claim.0 {
                (claim.0, claim.2) = (peer.turns, key);
            }
        }
        let best = claims
            .into_iter()
            .min_by_key(|(_, (turns, count, _))| (*turns, std::cmp::Reverse(*count)));
        best.map(|(size, (_, _, key))| match self.is_distrusted(size) {
            true => (size, Team::Only(key)),
            false => (size, Team::Everybody),
        })
    }

    /// Gives up a draft that nobody works on, or the oldest one that had its turn.
    fn make_room(&mut self, now: Instant) -> bool {
        let is_idle = |draft: &Draft| {
            !self.peers.iter().any(|(&key, peer)| {
                draft.includes(key, peer.size) && (peer.is_ready(now) || !peer.asked.is_empty())
            })
        };
        let idle = self.drafts.iter().position(is_idle);
        let had_its_turn = || {
            let (index, oldest) = self
                .drafts
                .iter()
                .enumerate()
                .min_by_key(|(_, draft)| draft.opened)?;
            (now >= oldest.opened + TURN).then_some(index)
        };
        let Some(index) = idle.or_else(had_its_turn) else {
            return false;
        };
        let given_up = self.drafts.remove(index);
        for (&key, peer) in &mut self.peers {
            if given_up.includes(key, peer.size) {
                peer.turns += 1;
            }
        }
        true
    }

    /// Asks for the blocks of a draft that are not on their way.
    fn ask(&mut self, now: Instant, index: usize) {
        let draft = &self.drafts[index];
        let mut members: Vec<_> = self
            .peers
            .iter_mut()
            .filter(|(key, peer)| draft.includes(**key, peer.size))
            .collect();
        for block in draft.missing() {
            let is_free = |peer: &Peer| peer.is_ready(now) && peer.asked.len() < PIPELINE;
            if !members.iter().any(|(_, peer)| is_free(peer)) {
                return;
            }
            let is_asked = |peer: &Peer| peer.asked.get(&block).copied();
            let asked = members.iter().filter_map(|(_, peer)| is_asked(peer)).max();
            if asked.is_some_and(|asked| now < asked + PATIENCE) {
                continue;
            }
            let least_busy = members
                .iter_mut()
                .filter(|(_, peer)| is_free(peer) && is_asked(peer).is_none())
                .min_by_key(|(_, peer)| peer.asked.len());
            if let Some((key, peer)) = least_busy {
                peer.asked.insert(block, now);
                peer.waiting_since.get_or_insert(now);
                self.outputs
                    .push_back(Output::Request { peer: **key, block });
            }
        }
    }

    /// For tests: panics if the tables do not agree with each other.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        assert!(self.drafts.len() <= MAX_DRAFTS);
        assert!(self.distrusted.len() <= MAX_DISTRUSTED);
        for draft in &self.drafts {
            draft.check_invariants();
            assert!(!draft.is_whole() && draft.size <= MAX_METADATA_LEN);
            if let Team::Only(key) = draft.team {
                assert!(self.peers.contains_key(&key), "{key:?} is gone");
            }
        }
        for (&key, peer) in &self.peers {
            let drafts = self.drafts.iter();
            let mine = drafts
                .filter(|draft| draft.includes(key, peer.size))
                .count();
            assert!(mine <= 1, "{key:?} works on {mine} drafts");
            assert!(peer.asked.len() <= PIPELINE);
            assert_eq!(peer.asked.is_empty(), peer.waiting_since.is_none());
        }
        assert!(self.end.is_none() || self.peers.is_empty());
    }
}
