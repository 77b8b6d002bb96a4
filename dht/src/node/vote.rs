//! Finds the node's external address by vote of other nodes, as any one of them may lie (BEP 42).

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::address::{is_local, same_network};

/// The most recent votes that are kept, one a network (/24, /64) that votes; of a local one, one an address.
pub const MAX_VOTES: usize = 32;
/// The fewest votes that win, and more than half of all must agree.
pub const MIN_VOTES: usize = 5;

#[derive(Clone, Debug, Default)]
pub(super) struct Vote {
    /// The voter, and the address it voted for. The most recent at the end.
    votes: VecDeque<(IpAddr, IpAddr)>,
    winner: Option<IpAddr>,
}

impl Vote {
    pub(super) const fn new(known: Option<IpAddr>) -> Self {
        Self {
            votes: VecDeque::new(),
            winner: known,
        }
    }

    pub(super) const fn winner(&self) -> Option<IpAddr> {
        self.winner
    }

    /// Returns the address if it is another than before.
    pub(super) fn on_vote(&mut self, voter: IpAddr, seen: IpAddr) -> Option<IpAddr> {
        if let Some(at) = self
            .votes
            .iter()
            .position(|(other, _)| is_one(*other, voter))
        {
            self.votes.remove(at);
        } else if self.votes.len() == MAX_VOTES {
            self.votes.pop_front();
        }
        self.votes.push_back((voter, seen));
        if self.winner == Some(seen) {
            return None;
        }
        let count = self.votes.iter().filter(|(_, vote)| *vote == seen).count();
        if count < MIN_VOTES || count * 2 <= self.votes.len() {
            return None;
        }
        self.winner = Some(seen);
        self.winner
    }
}

/// Whether both addresses may be one voter's.
fn is_one(one: IpAddr, other: IpAddr) -> bool {
    one == other || !is_local(one) && same_network(one, other)
}
