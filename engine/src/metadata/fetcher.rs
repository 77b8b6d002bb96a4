//! The fetcher: which peer is asked for which block of the info dictionary, and which peers are believed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use sha1::{Digest, Sha1};
use sha2::Sha256;
use tailwater_metainfo::InfoHashes;
use tailwater_types::address::AddressGroup;

use super::draft::{Draft, Team};
use super::event::{DropReason, FetchState, LinkKey, Output};
use super::{MAX_DRAFT_BYTES, MAX_DRAFTS, MAX_METADATA_LEN};

/// The request pipeline: requests outstanding at one peer. More would only lengthen the wait for blocks that another
/// peer could send.
pub(super) const PIPELINE: usize = 4;
/// A block that is later than this is requested from every peer that has time: one of them may be the only honest one.
/// A second is several round trips, and the most that 40 silent peers delay a fetch.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// A peer that has requests to answer and sends nothing for this long is dropped.
pub(super) const STALLED_AFTER: Duration = Duration::from_secs(15);
/// The pause after a peer rejects a request: it is busy, or has nothing yet.
const REJECT_PAUSE: Duration = Duration::from_secs(20);
/// A peer that rejects this often in a row, with a pause after each, is dropped.
pub(super) const MAX_REJECTS: u32 = 3;
/// Sizes remembered for which blocks of several peers did not fit together; after that, every size counts as one.
const MAX_DISTRUSTED: usize = 256;

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) group: AddressGroup,
    pub(super) size: u32,
    /// Blocks requested and not answered, with the time of the request.
    pub(super) asked: BTreeMap<u32, Instant>,
    /// Since when there is something to answer and nothing has come.
    pub(super) waiting_since: Option<Instant>,
    held_until: Option<Instant>,
    rejects: u32,
    /// Drafts in which it took part that were given up to make room for others.
    pub(super) turns: u32,
}

impl Peer {
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        self.held_until.is_none_or(|until| until <= now)
    }

    /// The peer has sent something: the clock for the rest starts again.
    fn heard(&mut self, now: Instant) {
        self.waiting_since = (!self.asked.is_empty()).then_some(now);
    }
}

/// Whether bytes are the info dictionary of these hashes: its SHA-1 is the v1 hash, or where there is none, its SHA-256 the
/// v2 hash (BEP 52). Where both are known, that they are of one torrent is for the caller to see.
#[must_use]
pub fn is_metadata_of(bytes: &[u8], hashes: InfoHashes) -> bool {
    match (hashes.v1, hashes.v2) {
        (Some(v1), _) => Sha1::digest(bytes).as_slice() == v1.as_bytes(),
        (None, Some(v2)) => Sha256::digest(bytes).as_slice() == v2.as_bytes(),
        (None, None) => false,
    }
}

/// Fetches one info dictionary (BEP 9). Any order of calls is safe; after each, take what [`Fetcher::poll_output`]
/// gives.
#[derive(Debug)]
pub struct Fetcher {
    hashes: InfoHashes,
    pub(super) peers: BTreeMap<LinkKey, Peer>,
    pub(super) drafts: Vec<Draft>,
    /// Sizes for which blocks of several peers did not fit together.
    distrusted: BTreeSet<u32>,
    /// Drafts of each size that were given up to make room for others.
    pub(super) turns: BTreeMap<u32, u32>,
    pub(super) outputs: VecDeque<Output>,
    /// How it was when it was complete.
    pub(super) end: Option<FetchState>,
    /// When requests were last dealt out.
    pub(super) advanced_at: Option<Instant>,
    /// The peers whose blocks the result is made of.
    senders: BTreeSet<LinkKey>,
}

impl Fetcher {
    /// Fetches the info dictionary that has these hashes.
    #[must_use]
    pub const fn new(hashes: InfoHashes) -> Self {
        Self {
            hashes,
            peers: BTreeMap::new(),
            drafts: Vec::new(),
            distrusted: BTreeSet::new(),
            turns: BTreeMap::new(),
            outputs: VecDeque::new(),
            end: None,
            advanced_at: None,
            senders: BTreeSet::new(),
        }
    }

    /// The extension handshake of a peer at `ip` says that it has the metadata, and its size.
    pub fn handle_size(&mut self, now: Instant, peer: LinkKey, ip: IpAddr, size: u32) {
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
                    group: AddressGroup::of(ip),
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

    /// A block was received; `total_size` is the size of the whole by the message.
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

    /// A peer rejected a request for a block.
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

    /// A connection has ended.
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

    /// The next output for the driver.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Fetcher::handle_timeout`] if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let of_peers = self.peers.values().flat_map(|peer| {
            let late = peer.asked.values().map(|asked| *asked + PATIENCE);
            let stalled = peer.waiting_since.map(|since| since + STALLED_AFTER);
            late.chain(stalled).chain(peer.held_until)
        });
        let turns = self.drafts.iter().map(|draft| draft.turn_ends);
        // What was due by then has been acted on.
        let is_ahead = |at: &Instant| self.advanced_at.is_none_or(|done| *at > done);
        of_peers.chain(turns).filter(is_ahead).min()
    }

    /// After [`Output::Complete`]: the peers whose blocks the info dictionary is made of. They were honest.
    #[must_use]
    pub const fn senders(&self) -> &BTreeSet<LinkKey> {
        &self.senders
    }

    /// The progress of the fetch.
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
        // Its draft may have been given up meanwhile.
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
        if is_metadata_of(draft.bytes(), self.hashes) {
            self.end = Some(FetchState {
                holders: self.peers.len(),
                size: Some(draft.size),
                have: draft.blocks(),
                total: draft.blocks(),
            });
            self.senders = draft.contributors();
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

    /// Whether a size is no longer drafted from several peers. Once too many sizes turned out to be lies, that holds
    /// for all.
    pub(super) fn is_distrusted(&self, size: u32) -> bool {
        self.distrusted.len() >= MAX_DISTRUSTED || self.distrusted.contains(&size)
    }

    fn drop_peer(&mut self, peer: LinkKey, reason: DropReason) {
        self.forget(peer);
        self.outputs.push_back(Output::Drop { peer, reason });
    }

    fn forget(&mut self, peer: LinkKey) {
        self.peers.remove(&peer);
        // The blocks of a shared draft stay: others go on with it.
        let is_of_use = |draft: &Draft| {
            let mut peers = self.peers.iter();
            draft.have() > 0 || peers.any(|(&key, peer)| draft.includes(key, peer.size))
        };
        self.drafts
            .retain(|draft| draft.team != Team::Only(peer) && is_of_use(draft));
        self.outputs.retain(
            |output| !matches!(output, Output::Request { peer: asked, .. } if *asked == peer),
        );
    }

    /// For tests: panics if the tables do not agree with each other.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        assert!(self.drafts.len() <= MAX_DRAFTS);
        let bytes: u64 = self.drafts.iter().map(|draft| u64::from(draft.size)).sum();
        assert!(bytes <= MAX_DRAFT_BYTES);
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
