//! The event queue: events ordered by time, then by insertion.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Nanoseconds since the beginning of the simulation.
pub(crate) type Nanos = u64;

/// A priority queue whose ties are broken by insertion, so that a run depends on nothing but its inputs.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    heap: BinaryHeap<Entry<T>>,
    next: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Nanos,
    sequence: u64,
    item: T,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            next: 0,
        }
    }

    pub(crate) fn push(&mut self, at: Nanos, item: T) {
        let sequence = self.next;
        self.next += 1;
        self.heap.push(Entry { at, sequence, item });
    }

    /// The earliest item, unless it is due only after `limit`.
    pub(crate) fn pop_until(&mut self, limit: Nanos) -> Option<(Nanos, T)> {
        if self.heap.peek()?.at > limit {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.item))
    }
}

impl<T> Ord for Entry<T> {
    // Reversed: `BinaryHeap` pops its greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}
