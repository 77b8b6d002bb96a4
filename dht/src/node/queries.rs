//! The table of queries in flight.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::RequestId;
use super::random::Random;
use crate::{NodeId, TransactionId};

/// Timeout of a query. A node that takes longer counts as gone; lookups ask others long before.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(4);
/// The most questions under way. Beyond it a node that should be asked counts as one that did not answer.
pub const MAX_QUERIES: usize = 4096;

/// The purpose of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A step of this lookup.
    Lookup(u64),
    /// The end of this lookup: the node is asked to store.
    Store(u64),
    /// The owner's ping.
    Ping(RequestId),
    /// A ping of a new node that may be worth a place in the table.
    Hello,
    /// A node in the table is questionable.
    Check,
    /// An address that should know others.
    Bootstrap,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) to: SocketAddr,
    /// The id that is expected at the address, where it is known.
    pub(super) id: Option<NodeId>,
    pub(super) purpose: Purpose,
    pub(super) sent: Instant,
    dead_at: Instant,
    /// When it wakes the node next: first as slow, then as dead.
    due: Instant,
    /// It has been reported as [`Overdue::Slow`].
    pub(super) is_slow: bool,
}

/// A query that was not answered in time.
pub(super) enum Overdue {
    /// It may still be answered.
    Slow(Pending),
    /// It counts as lost.
    Dead(Pending),
}

/// Never iterated by hash, so that the order of the map cannot show.
#[derive(Debug, Default)]
pub(super) struct Queries {
    pending: HashMap<u16, Pending>,
    due: BTreeSet<(Instant, u16)>,
    hellos: usize,
}

impl Queries {
    /// Records a query and returns its transaction id; `None` if there are too many.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        random: &mut Random,
        to: (SocketAddr, Option<NodeId>),
        purpose: Purpose,
        patience: Duration,
    ) -> Option<TransactionId> {
        if self.pending.len() >= MAX_QUERIES {
            return None;
        }
        // At most one id in sixteen is taken.
        let number = loop {
            let number = random.u16();
            if !self.pending.contains_key(&number) {
                break number;
            }
        };
        let dead_at = now.checked_add(QUERY_TIMEOUT)?;
        let due = now.checked_add(patience)?.min(dead_at);
        let pending = Pending {
            to: to.0,
            id: to.1,
            purpose,
            sent: now,
            dead_at,
            due,
            is_slow: false,
        };
        self.pending.insert(number, pending);
        self.due.insert((due, number));
        self.hellos += usize::from(purpose == Purpose::Hello);
        Some(number.into())
    }

    /// The question that `from` answers, if it was asked.
    pub(super) fn answer(&mut self, from: SocketAddr, id: &TransactionId) -> Option<Pending> {
        let number = u16::from_be_bytes(id.as_bytes().try_into().ok()?);
        let pending = self.pending.get(&number)?;
        if pending.to != from {
            return None;
        }
        self.remove(number)
    }

    pub(super) fn poll_overdue(&mut self, now: Instant) -> Option<Overdue> {
        let &(due, number) = self.due.first()?;
        if due > now {
            return None;
        }
        let pending = self.pending.get_mut(&number)?;
        if pending.dead_at <= now {
            return self.remove(number).map(Overdue::Dead);
        }
        self.due.remove(&(due, number));
        pending.is_slow = true;
        pending.due = pending.dead_at;
        self.due.insert((pending.due, number));
        Some(Overdue::Slow(*pending))
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// How many of [`Purpose::Hello`] there are.
    pub(super) const fn hellos(&self) -> usize {
        self.hellos
    }

    fn remove(&mut self, number: u16) -> Option<Pending> {
        let pending = self.pending.remove(&number)?;
        self.due.remove(&(pending.due, number));
        self.hellos -= usize::from(pending.purpose == Purpose::Hello);
        Some(pending)
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.pending.len() <= MAX_QUERIES, "too many questions");
        assert_eq!(
            self.pending.len(),
            self.due.len(),
            "a question without a time"
        );
        for (due, number) in &self.due {
            let pending = self.pending.get(number).map(|pending| pending.due);
            assert_eq!(pending, Some(*due), "a time without its question");
        }
        let hellos = self
            .pending
            .values()
            .filter(|p| p.purpose == Purpose::Hello);
        assert_eq!(hellos.count(), self.hellos, "hellos");
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let due = self.due.len() * size_of::<(Instant, u16)>() * 2;
        // Not the capacity: with entries removed it depends on how their hashes fell, and so would a simulation's report.
        let places = self.pending.len().next_power_of_two();
        places * size_of::<(u16, Pending)>() + due
    }
}
