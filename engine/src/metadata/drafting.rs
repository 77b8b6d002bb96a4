//! The drafts of a fetch: which are begun, and which block is requested from which peer.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tailwater_types::address::AddressGroup;

use super::draft::{Draft, Team};
use super::event::{LinkKey, Output};
use super::fetcher::{Fetcher, PATIENCE, PIPELINE, Peer};
use super::{MAX_DRAFT_BYTES, MAX_DRAFTS};

/// While other drafts wait for room, a draft has to be complete within this time, or makes room; the time doubles after
/// each turn in which it was not. So a peer that claims an odd size and dribbles does not hold up the rest, and a peer
/// that is only slow has time enough in the end. An honest peer sends metadata of a usual size in far less.
pub(super) const TURN: Duration = Duration::from_secs(2);
/// The longest turn is [`TURN`] times two to this power: 32 s.
const MAX_DOUBLINGS: u32 = 4;
/// Sizes whose turns are counted. The honest one is among the first that are claimed, or has the advantage of a new
/// one.
const MAX_SIZES: usize = 256;

/// The rank of a waiting draft. The first is begun first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Drafts of its size that run, that had their turn, and that come before it: so that sizes alternate.
    load: u32,
    /// Addresses that claim the size, the most first: one host cannot make many.
    groups: Reverse<usize>,
    turns: u32,
    size: u32,
    key: LinkKey,
}

/// A draft that waits for room.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    rank: Rank,
    team: Team,
}

impl Fetcher {
    /// Begins the drafts for which there is room, and requests blocks.
    pub(super) fn advance(&mut self, now: Instant) {
        self.advanced_at = Some(now);
        if self.end.is_some() {
            return;
        }
        // It ends: a draft that was just begun does not make room, so each round leaves fewer that do.
        while self.begin_drafts(now) {}
        for index in 0..self.drafts.len() {
            self.ask(now, index);
        }
    }

    /// Says whether there are new ones.
    fn begin_drafts(&mut self, now: Instant) -> bool {
        let mut is_new = false;
        for Wanted { rank, team } in self.wanted(now) {
            if !self.make_room(now, rank.size) {
                continue;
            }
            let turns = match team {
                Team::Everybody => self.turns_of(rank.size),
                Team::Only(_) => rank.turns,
            };
            let turn = TURN * 2_u32.pow(turns.min(MAX_DOUBLINGS));
            self.drafts.push(Draft::new(rank.size, team, now + turn));
            is_new = true;
        }
        is_new
    }

    /// The drafts of peers that work on none and could, the first to begin first.
    fn wanted(&self, now: Instant) -> Vec<Wanted> {
        let mut groups: BTreeMap<u32, BTreeSet<AddressGroup>> = BTreeMap::new();
        for peer in self.peers.values() {
            groups.entry(peer.size).or_default().insert(peer.group);
        }
        let mut wanted: Vec<_> = self
            .peers
            .iter()
            .filter(|(key, peer)| peer.is_ready(now) && !self.is_at_work(**key, peer))
            .map(|(&key, peer)| Wanted {
                rank: Rank {
                    load: 0,
                    groups: Reverse(groups.get(&peer.size).map_or(0, BTreeSet::len)),
                    turns: peer.turns,
                    size: peer.size,
                    key,
                },
                team: match self.is_distrusted(peer.size) {
                    true => Team::Only(key),
                    false => Team::Everybody,
                },
            })
            .collect();
        wanted.sort_unstable_by_key(|wanted| (wanted.rank.turns, wanted.rank.key));
        let mut shared = BTreeSet::new();
        wanted.retain(|wanted| wanted.team != Team::Everybody || shared.insert(wanted.rank.size));
        let mut loads: BTreeMap<u32, u32> = BTreeMap::new();
        for Wanted { rank, .. } in &mut wanted {
            let load = loads.entry(rank.size).or_insert_with(|| {
                let running = self.drafts.iter().filter(|draft| draft.size == rank.size);
                let turns = self.turns_of(rank.size);
                running.fold(turns, |load, _| load.saturating_add(1))
            });
            rank.load = *load;
            *load = load.saturating_add(1);
        }
        wanted.sort_unstable_by_key(|wanted| wanted.rank);
        wanted
    }

    fn is_at_work(&self, key: LinkKey, peer: &Peer) -> bool {
        let mut drafts = self.drafts.iter();
        drafts.any(|draft| draft.includes(key, peer.size))
    }

    fn turns_of(&self, size: u32) -> u32 {
        self.turns.get(&size).copied().unwrap_or(0)
    }

    /// Whether there is room for a draft, after giving up drafts that no peer works on and those that had their turn,
    /// the least advanced first. No draft is given up in vain.
    fn make_room(&mut self, now: Instant, size: u32) -> bool {
        let mut bytes: u64 = self.drafts.iter().map(|draft| u64::from(draft.size)).sum();
        let mut count = self.drafts.len();
        let fits = |bytes: u64, count: usize| {
            bytes + u64::from(size) <= MAX_DRAFT_BYTES && count < MAX_DRAFTS
        };
        let mut dispensable: Vec<_> = (0..)
            .zip(&self.drafts)
            .map(|(index, draft)| (!self.is_idle(now, draft), draft.have(), index, draft))
            .filter(|(is_at_work, _, _, draft)| !is_at_work || now >= draft.turn_ends)
            .map(|(is_at_work, have, index, draft)| (is_at_work, have, index, draft.size))
            .collect();
        dispensable.sort_unstable();
        let mut given_up: Vec<usize> = Vec::new();
        for (_, _, index, size) in dispensable {
            if fits(bytes, count) {
                break;
            }
            bytes -= u64::from(size);
            count -= 1;
            given_up.push(index);
        }
        if !fits(bytes, count) {
            return false;
        }
        given_up.sort_unstable_by_key(|index| Reverse(*index));
        for index in given_up {
            self.give_up(index);
        }
        true
    }

    fn is_idle(&self, now: Instant, draft: &Draft) -> bool {
        !self.peers.iter().any(|(&key, peer)| {
            draft.includes(key, peer.size) && (peer.is_ready(now) || !peer.asked.is_empty())
        })
    }

    fn give_up(&mut self, index: usize) {
        let given_up = self.drafts.remove(index);
        for (&key, peer) in &mut self.peers {
            if given_up.includes(key, peer.size) {
                peer.turns = peer.turns.saturating_add(1);
            }
        }
        if self.turns.len() < MAX_SIZES || self.turns.contains_key(&given_up.size) {
            let turns = self.turns.entry(given_up.size).or_default();
            *turns = turns.saturating_add(1);
        }
    }

    /// Requests the blocks of a draft that are not on their way, each from one peer, the least busy; a block that is
    /// late is requested from every peer that has time, as any number of the others may never answer.
    fn ask(&mut self, now: Instant, index: usize) {
        let draft = &self.drafts[index];
        let mut members: Vec<_> = self
            .peers
            .iter_mut()
            .filter(|(key, peer)| draft.includes(**key, peer.size))
            .collect();
        let is_free = |peer: &Peer| peer.is_ready(now) && peer.asked.len() < PIPELINE;
        for block in draft.missing() {
            if !members.iter().any(|(_, peer)| is_free(peer)) {
                return;
            }
            let is_asked = |peer: &Peer| peer.asked.get(&block).copied();
            let asked = members.iter().filter_map(|(_, peer)| is_asked(peer)).max();
            let peers = match asked {
                None => 1,
                Some(asked) if now >= asked + PATIENCE => usize::MAX,
                Some(_) => continue,
            };
            members.sort_by_key(|(_, peer)| peer.asked.len());
            let free = members
                .iter_mut()
                .filter(|(_, peer)| is_free(peer) && is_asked(peer).is_none());
            for (key, peer) in free.take(peers) {
                peer.asked.insert(block, now);
                peer.waiting_since.get_or_insert(now);
                let peer = **key;
                self.outputs.push_back(Output::Request { peer, block });
            }
        }
    }
}
